from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_mlworkflows.emulator.huawei import obs_signature as signature
from airflow_provider_mlworkflows.emulator.huawei import obs_signature_v4 as newer

_FILE = Path(__file__).parents[1] / "vectors" / "obs_sign_vectors.json"
FOUND = json.loads(_FILE.read_text(encoding="utf-8"))
VECTORS = [vector for vector in FOUND["vectors"] if "HMAC-SHA1" in vector["scheme"]]
(NEWER,) = (vector for vector in FOUND["vectors"] if vector not in VECTORS)


def canonical(vector: dict[str, Any], prefix: str = "x-obs-") -> str:
    parts = urlsplit(vector["url"])
    virtual_host = parts.path == "/"
    path = f"/{vector['bucket']}/" if virtual_host else parts.path
    resource = signature.canonical_resource(path, parts.query.encode(), with_create=False)
    headers = [(name.encode(), value.encode()) for name, value in vector["headers"].items()]
    return signature.string_to_sign(vector["method"], headers, resource, prefix)


def test_all_vectors_are_there() -> None:
    assert len(VECTORS) == 8
    assert len(FOUND["vectors"]) == 9


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    given = signature.parse_authorization(vector["authorization"])
    assert given is not None
    assert (given.scheme, given.ak, given.signature) == ("OBS", FOUND["ak"], vector["signature"])
    text = canonical(vector, given.prefix)
    assert text == vector["string_to_sign"]
    assert signature.sign(FOUND["sk"], text) == vector["signature"]


def test_vector_of_the_newer_scheme() -> None:
    given = newer.parse_authorization(NEWER["authorization"])
    assert given is not None
    assert (given.ak, given.day, given.region) == (FOUND["ak"], "20240619", "cn-north-4")
    headers = [(name.encode(), value.encode()) for name, value in NEWER["headers"].items()]
    path = urlsplit(NEWER["url"]).path.encode()
    canonical = newer.canonical_request(NEWER["method"], path, b"", headers, given)
    assert canonical == NEWER["canonical_request"]
    assert newer.sign(FOUND["sk"], given, "20240619T080000Z", canonical) == given.signature
    assert newer.unsigned_headers(given, headers) == set()
    assert newer.unsigned_headers(given, [*headers, (b"X-Amz-Meta", b"1")]) == {"x-amz-meta"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [(b"", ""), (b"b=2&a", "a=&b=2"), (b"a=%7e%2F+x", "a=~%2F%2Bx"), (b"&a=1&", "a=1"), (b"a=2&a=1", "a=1&a=2")],
)
def test_query_of_the_newer_scheme(query: bytes, expected: str) -> None:
    given = newer.parse_authorization(NEWER["authorization"])
    assert given is not None
    assert newer.canonical_request("GET", b"/p", query, [], given).split("\n")[2] == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        ("/s3/", "/ec2/"),
        ("/20240619/", "/2024/"),
        ("SignedHeaders=", "SignedHeaders=;"),
        ("Signature=d", "Signature=D"),
        (",Signature=", ""),
    ],
)
def test_malformed_authorization_of_the_newer_scheme(old: str, new: str) -> None:
    assert old in NEWER["authorization"]
    assert newer.parse_authorization(NEWER["authorization"].replace(old, new)) is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "/p"),
        ("other=1&x-workflow-other=2", "/p"),
        ("x-workflow-start=2&x-workflow-prefix", "x-workflow-prefix&x-workflow-start=2"),
        ("X-Workflow-Limit=1", "X-Workflow-Limit=1"),
        ("x-workflow-next-marker=A%2Fb%20c", "x-workflow-next-marker=A/b c"),
        ("x-workflow-prefix=", "x-workflow-prefix="),
        ("x-workflow-create", "/p"),
    ],
)
def test_parameters(query: str, expected: str) -> None:
    found = signature.canonical_resource("/p", query.encode(), with_create=False)
    assert found == (expected if expected == "/p" else f"/p?{expected}")


def test_the_parameter_of_a_create_may_be_signed() -> None:
    assert signature.canonical_resource("/p", b"x-workflow-create", with_create=True) == "/p?x-workflow-create"


def test_headers() -> None:
    headers = [(b"X-Obs-B", b" 2 "), (b"x-obs-a", b"1"), (b"x-obs-b", b"3"), (b"x-amz-date", b"no"), (b"date", b"D")]
    text = signature.string_to_sign("PUT", [*headers, (b"Content-MD5", b"sum"), (b"Host", b"h")], "/p", "x-obs-")
    assert text == "PUT\nsum\n\nD\nx-obs-a:1\nx-obs-b:2,3\n/p"
    assert signature.string_to_sign("PUT", headers, "/p", "x-amz-") == "PUT\n\n\n\nx-amz-date:no\n/p"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "OBS",
        "OBS AK",
        "OBS AK:",
        "OBS AK:short=",
        "OBS ключ:M33D7YVxliKu6uT8Rhcgk8WkAzg=",
        "OBS :M33D7YVxliKu6uT8Rhcgk8WkAzg=",
        "obs AK:M33D7YVxliKu6uT8Rhcgk8WkAzg=",
        "AWS4-HMAC-SHA256 Credential=AK/20240619/r/s3/aws4_request,SignedHeaders=host,Signature=00",
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=00",
    ],
)
def test_malformed_authorization(text: str) -> None:
    assert signature.parse_authorization(text) is None
