from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.huawei.signing import canonical_request, signed_headers

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "huawei_sign_vectors.json").read_text(encoding="utf-8"))[
    "vectors"
]
SHA256 = [vector for vector in VECTORS if vector["algorithm"] == "SDK-HMAC-SHA256"]
DATE = 1_768_465_800.0  # 2026-01-15T08:30:00Z, as in every vector


def _names(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def _headers(vector: dict[str, Any]) -> dict[str, str]:
    headers = dict(vector["request"]["headers"])
    credentials = vector["credentials"]
    if credentials["project_id"]:
        headers["X-Project-Id"] = credentials["project_id"]
    if credentials["security_token"]:
        headers["X-Security-Token"] = credentials["security_token"]
    return headers


def _sign(vector: dict[str, Any], **changes: Any) -> dict[str, str]:
    request = vector["request"]
    arguments: dict[str, Any] = {
        "method": request["method"],
        "url": f"{request['scheme']}://{request['host']}{vector['expected']['wire_uri']}",
        "headers": _headers(vector),
        "content": (request["body"] or "").encode(),
        "access_key": vector["credentials"]["ak"],
        "secret_key": vector["credentials"]["sk"],
        "now": DATE,
        **changes,
    }
    return signed_headers(**arguments)


def test_all_single_step_vectors_are_here() -> None:
    assert len(SHA256) == 11


@pytest.mark.parametrize("vector", SHA256, ids=_names)
def test_signature_is_the_vendors(vector: dict[str, Any]) -> None:
    signed = _sign(vector)

    assert vector["x_sdk_date"] == signed["X-Sdk-Date"]
    assert signed["Authorization"] == vector["expected"]["authorization"]


@pytest.mark.parametrize("vector", SHA256, ids=_names)
def test_canonical_request_is_the_vendors(vector: dict[str, Any]) -> None:
    signed = _sign(vector)
    del signed["Authorization"]
    request = vector["request"]
    url = f"{request['scheme']}://{request['host']}{vector['expected']['wire_uri']}"

    canonical, names = canonical_request(request["method"], url, signed, (request["body"] or "").encode())

    assert canonical == vector["expected"]["canonical_request"]
    assert names == vector["expected"]["signed_headers"]


def _changes(vector: dict[str, Any]) -> dict[str, Any]:
    request = vector["request"]
    url = f"{request['scheme']}://{request['host']}{vector['expected']['wire_uri']}"
    separator = "&" if "?" in url else "?"
    return {
        "method": "PATCH",
        "url": f"{url}{separator}more=1",
        "headers": {**_headers(vector), "X-Another": "1"},
        "secret_key": vector["credentials"]["sk"] + "x",
        "now": DATE + 1,
    }


@pytest.mark.parametrize("changed", ["method", "url", "headers", "secret_key", "now"])
@pytest.mark.parametrize("vector", SHA256, ids=_names)
def test_any_change_changes_the_signature(vector: dict[str, Any], changed: str) -> None:
    signed = _sign(vector, **{changed: _changes(vector)[changed]})

    assert signed["Authorization"].rpartition("Signature=")[2] != vector["expected"]["signature"]


@pytest.mark.parametrize("vector", [v for v in SHA256 if v["request"]["body"]], ids=_names)
def test_a_changed_byte_of_the_body_changes_the_signature_unless_the_payload_is_unsigned(
    vector: dict[str, Any],
) -> None:
    content = bytearray(vector["request"]["body"].encode())
    content[0] ^= 1

    signature = _sign(vector, content=bytes(content))["Authorization"].rpartition("Signature=")[2]

    unsigned = vector["name"] == "put_unsigned_payload"
    assert (signature == vector["expected"]["signature"]) is unsigned


def test_the_order_of_the_query_on_the_wire_does_not_matter() -> None:
    vector = next(vector for vector in SHA256 if vector["name"] == "get_query_unicode_space_repeated")
    request = vector["request"]
    path, _, query = vector["expected"]["wire_uri"].partition("?")
    backwards = "&".join(reversed(query.split("&")))

    signed = _sign(vector, url=f"{request['scheme']}://{request['host']}{path}?{backwards}")

    assert signed["Authorization"] == vector["expected"]["authorization"]


def test_headers_with_an_underscore_are_sent_unsigned() -> None:
    signed = signed_headers("GET", "https://h.example/", {"x_odd": "1"}, b"", access_key="a", secret_key="s", now=DATE)

    assert signed["x_odd"] == "1"
    assert "x_odd" not in signed["Authorization"]


def test_the_port_belongs_to_the_signed_host() -> None:
    signed = signed_headers("GET", "http://127.0.0.1:8480/v2", {}, b"", access_key="a", secret_key="s", now=DATE)

    assert signed["Host"] == "127.0.0.1:8480"
