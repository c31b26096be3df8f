from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mlworkflows.emulator.huawei import signature

_FILE = Path(__file__).parents[1] / "vectors" / "huawei_sign_vectors.json"
VECTORS = [
    vector
    for vector in json.loads(_FILE.read_text(encoding="utf-8"))["vectors"]
    if vector["algorithm"] == "SDK-HMAC-SHA256"
]


def wire_parts(vector: dict[str, Any]) -> tuple[str, bytes, bytes, list[tuple[bytes, bytes]], bytes]:
    path, _, query = vector["expected"]["wire_uri"].partition("?")
    headers = [(name.encode(), value.encode()) for name, value in vector["expected"]["wire_headers"].items()]
    body = (vector["request"]["body"] or "").encode()
    return vector["request"]["method"], path.encode(), query.encode(), headers, body


def test_all_single_step_sha256_vectors_are_there() -> None:
    assert len(VECTORS) == 11


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vendor_vector(vector: dict[str, Any]) -> None:
    expected = vector["expected"]
    given = signature.parse_authorization(expected["authorization"])
    assert given is not None
    assert given.ak == vector["credentials"]["ak"]
    method, path, query, headers, body = wire_parts(vector)
    canonical = signature.canonical_request(method, path, query, headers, given.signed_headers, body)
    assert canonical == expected["canonical_request"]
    assert signature.sign(vector["credentials"]["sk"], vector["x_sdk_date"], canonical) == given.signature


def test_query_on_the_wire_is_verified_in_any_order_but_plus_is_no_space() -> None:
    def query(text: bytes) -> str:
        return signature.canonical_request("GET", b"/", text, [], [], b"").split("\n")[2]

    assert query(b"b=2&a=1&a=0") == "a=0&a=1&b=2"
    assert query(b"a=x+y") == "a=x%2By"
    assert query(b"flag&empty=") == "empty=&flag="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SDK-HMAC-SHA256",
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host",
        "V11-HMAC-SHA256 Credential=AK/x, SignedHeaders=host, Signature=" + "0" * 64,
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=zz",
    ],
)
def test_malformed_authorization(text: str) -> None:
    assert signature.parse_authorization(text) is None
