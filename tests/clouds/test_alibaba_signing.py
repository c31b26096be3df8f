from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_mlworkflows.clouds.alibaba.signing import authorization, canonical_request, stamped_headers

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "aliyun_sign_vectors.json").read_text(encoding="utf-8"))[
    "vectors"
]
DATE = 1_767_323_045.0  # 2026-01-02T03:04:05Z
PUBLISHED = "public_doc_v3_example"


def _names(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def _url(vector: dict[str, Any]) -> str:
    query = vector["canonical_query"]
    return f"https://{vector['headers']['host']}{vector['path']}{'?' + query if query else ''}"


def _authorization(vector: dict[str, Any], **changes: Any) -> str:
    arguments: dict[str, Any] = {
        "method": vector["method"],
        "url": _url(vector),
        "headers": vector["headers"],
        "access_key": vector["access_key_id"],
        "secret_key": vector["access_key_secret"],
        **changes,
    }
    return authorization(**arguments)


def test_all_vectors_are_here() -> None:
    assert len(VECTORS) == 7
    assert PUBLISHED in {vector["name"] for vector in VECTORS}


@pytest.mark.parametrize("vector", VECTORS, ids=_names)
def test_signature_is_the_vendors(vector: dict[str, Any]) -> None:
    assert _authorization(vector) == vector["authorization"]


@pytest.mark.parametrize("vector", VECTORS, ids=_names)
def test_canonical_request_is_the_vendors(vector: dict[str, Any]) -> None:
    canonical, names = canonical_request(vector["method"], _url(vector), vector["headers"])

    assert canonical == vector["canonical_request"]
    assert names == vector["signed_headers"]


@pytest.mark.parametrize("vector", [vector for vector in VECTORS if vector["name"] != PUBLISHED], ids=_names)
def test_the_stamps_are_the_vendors(vector: dict[str, Any]) -> None:
    stamped = stamped_headers(
        _url(vector),
        {},
        (vector["body"] or "").encode(),
        nonce=vector["headers"]["x-acs-signature-nonce"],
        now=DATE,
    )

    assert {name.lower(): value for name, value in stamped.items()}.items() <= vector["headers"].items()
    assert len(stamped) == 4


@pytest.mark.parametrize("changed", ["method", "path", "query", "header", "content", "secret_key"])
@pytest.mark.parametrize("vector", VECTORS, ids=_names)
def test_any_change_changes_the_signature(vector: dict[str, Any], changed: str) -> None:
    url, headers = _url(vector), vector["headers"]
    path = urlsplit(url).path
    changes: dict[str, dict[str, Any]] = {
        "method": {"method": "PATCH"},
        "path": {"url": url.replace(path, f"{path}x", 1)},
        "query": {"url": f"{url}{'&' if '?' in url else '?'}more=1"},
        "header": {"headers": {**headers, "x-acs-another": "1"}},
        "content": {"headers": {**headers, "x-acs-content-sha256": "0" * 64}},
        "secret_key": {"secret_key": vector["access_key_secret"] + "x"},
    }

    assert _authorization(vector, **changes[changed]).rpartition("Signature=")[2] != vector["signature"]


def test_the_order_of_the_query_on_the_wire_does_not_matter() -> None:
    vector = next(vector for vector in VECTORS if vector["name"].startswith("get_query"))
    head, _, query = _url(vector).partition("?")

    backwards = "&".join(reversed(query.split("&")))

    assert _authorization(vector, url=f"{head}?{backwards}") == vector["authorization"]


def test_the_port_belongs_to_the_signed_host() -> None:
    assert stamped_headers("http://127.0.0.1:8480/", {}, b"", nonce="n", now=DATE)["Host"] == "127.0.0.1:8480"


def test_a_root_without_a_slash_is_signed_with_one() -> None:
    stamped = stamped_headers("https://h.example", {}, b"", nonce="n", now=DATE)

    assert canonical_request("GET", "https://h.example", stamped)[0].startswith("GET\n/\n\n")
