from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mlworkflows.emulator.alibaba import signature

_FILE = Path(__file__).parents[1] / "vectors" / "aliyun_sign_vectors.json"
VECTORS = json.loads(_FILE.read_text(encoding="utf-8"))["vectors"]


def canonical(vector: dict[str, Any], signed: tuple[str, ...]) -> str:
    headers = [(name.encode(), value.encode()) for name, value in vector["headers"].items()]
    query = vector["canonical_query"].replace("%20", "+").encode()
    body = (vector["body"] or "").encode()
    return signature.canonical_request(vector["method"], vector["path"].encode(), query, headers, signed, body)


def test_all_vectors_are_there() -> None:
    assert len(VECTORS) == 7
    assert "public_doc_v3_example" in {vector["name"] for vector in VECTORS}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    given = signature.parse_authorization(vector["authorization"])
    assert given is not None
    assert given.ak == vector["access_key_id"]
    rebuilt = canonical(vector, given.signed_headers)
    assert rebuilt == vector["canonical_request"]
    text = signature.string_to_sign(rebuilt)
    assert text == vector["string_to_sign"]
    assert signature.sign(vector["access_key_secret"], text) == given.signature == vector["signature"]


def test_what_clients_leave_unescaped_is_escaped_before_the_comparison() -> None:
    def rebuilt(path: bytes, query: bytes) -> list[str]:
        return signature.canonical_request("GET", path, query, [], [], b"").split("\n")[1:3]

    assert rebuilt(b"/a%20b%2F/!'()*", b"") == ["/a%20b%2F/%21%27%28%29%2A", ""]
    assert rebuilt(b"/", b"b=x+y&a=c*,d&e") == ["/", "a=c%2A%2Cd&b=x%20y&e="]
    assert rebuilt(b"", b"a=2&a=1") == ["/", "a=1&a=2"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ACS3-HMAC-SHA256",
        "ACS3-HMAC-SHA256 Credential=AK,SignedHeaders=host",
        "ACS3-HMAC-SM3 Credential=AK,SignedHeaders=host,Signature=" + "0" * 64,
        "ACS3-HMAC-SHA256 Credential=AK,SignedHeaders=host,Signature=" + "G" * 64,
        "acs AK:c2lnbmF0dXJl",
    ],
)
def test_malformed_authorization(text: str) -> None:
    assert signature.parse_authorization(text) is None
