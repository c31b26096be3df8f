"""What the vendor's SDK really sends is accepted, and refused once a byte of what it signed is changed."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from airflow_provider_mlworkflows.emulator import Emulator, Switches

_FILE = Path(__file__).parents[1] / "parity" / "paiflow_captures.json"
CAPTURES = json.loads(_FILE.read_text(encoding="utf-8"))["captures"]
KEY, SECRET = "LTAI5tTestAccessKeyId01", "TestAccessKeySecret0123456789"
SECURITY_TOKEN, BEARER = "CAISTestSecurityToken==", "bearer-token-xyz"
DATE = datetime(2026, 11, 22, 13, 29, 8, tzinfo=UTC)
MISMATCH = "SignatureDoesNotMatch"


class Wire(NamedTuple):
    """A request as it goes over the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @classmethod
    def of(cls, capture: dict[str, Any]) -> Wire:
        headers = [(name, value) for name, value in capture["headers"]]
        return cls(capture["method"], capture["raw_target"], headers, (capture["body"] or "").encode())

    def with_header(self, name: str, value: str) -> Wire:
        return self._replace(headers=[(key, value if key.lower() == name else old) for key, old in self.headers])

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


V3 = [capture for capture in CAPTURES if "ACS3-HMAC-SHA256" in Wire.of(capture).header("authorization")]
OTHERS = [capture for capture in CAPTURES if capture not in V3]


def named(capture: dict[str, Any]) -> str:
    return f"{capture['operation']}-{capture['variant']}"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(clock="manual", switches=Switches(visibility_delay=0), start=DATE) as running:
        running.auth_now = DATE
        running.paiflow.workspaces.add("84321")
        yield running


@pytest.fixture(scope="module")
def connection(emulator: Emulator) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)
    yield opened
    opened.close()


def send(connection: http.client.HTTPConnection, wire: Wire) -> tuple[int, str | None]:
    connection.putrequest(wire.method, wire.target, skip_host=True, skip_accept_encoding=True)
    for name, value in wire.headers:
        if name.lower() != "content-length":
            connection.putheader(name, value.encode())
    connection.putheader("Content-Length", str(len(wire.body)))
    connection.endheaders(wire.body or None)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    assert body["RequestId"] == answer.headers["x-acs-request-id"]
    return answer.status, body.get("Code")


def changed(text: str, at: int) -> str:
    """Replace one character by another one of its kind."""
    old = text[at]
    new = str((int(old) + 1) % 10) if old.isdigit() else "b" if old == "a" else "a"
    return text[:at] + new + text[at + 1 :]


def spoiled(wire: Wire) -> Iterator[tuple[str, Wire, str]]:
    """Yield the request with one byte of each signed part changed, and the code that must refuse it."""
    signed = re.search(r"SignedHeaders=([^,]+)", wire.header("authorization"))
    assert signed is not None
    for name in signed[1].split(";"):
        value = wire.header(name)
        # The last digit of the date stays within the window; its last character is the zone.
        place = len(value) - (2 if name == "x-acs-date" else 1)
        code = "InvalidSecurityToken.MismatchWithAccessKey" if name == "x-acs-security-token" else MISMATCH
        yield name, wire.with_header(name, changed(value, place)), code
    path, mark, query = wire.target.partition("?")
    parts = path.split("/")
    if len(parts) > 4:
        parts[4] = changed(parts[4], 0)
        yield "path", wire._replace(target="/".join(parts) + mark + query), MISMATCH
    if query:
        yield "query", wire._replace(target=path + "?" + changed(query, query.index("=") + 1)), MISMATCH
    if wire.body:
        middle = len(wire.body) // 2
        body = wire.body[:middle] + bytes([wire.body[middle] ^ 1]) + wire.body[middle + 1 :]
        yield "body", wire._replace(body=body), MISMATCH
    text = wire.header("authorization")
    yield "signature", wire.with_header("authorization", changed(text, len(text) - 1)), MISMATCH
    place = text.index("Credential=") + len("Credential=")
    yield "key", wire.with_header("authorization", changed(text, place)), "InvalidAccessKeyId.NotFound"


def test_the_captures_hold_53_signed_requests() -> None:
    assert (len(V3), len(OTHERS)) == (53, 2)
    assert len({capture["operation"] for capture in V3}) == 18


@pytest.mark.parametrize("capture", V3, ids=named)
def test_signed_request(emulator: Emulator, connection: http.client.HTTPConnection, capture: dict[str, Any]) -> None:
    token = SECURITY_TOKEN if capture["variant"] == "sts" else None
    emulator.credentials.add_access_key(KEY, SECRET, security_token=token)
    wire = Wire.of(capture)
    parts = {}
    for part, wrong, code in spoiled(wire):
        parts[part] = send(connection, wrong)[1]
        assert parts[part] == code, part
    assert len(parts) >= 10
    emulator.journal.clear()
    status, found = send(connection, wire)
    # What the request names may not exist; the service itself says so with a code of its own.
    assert status == 200 or (found or "").isdigit()
    assert emulator.journal.entries[-1].principal == KEY
    assert emulator.journal.entries[-1].operation == capture["operation"]
    assert send(connection, wire) == (400, "SignatureNonceUsed")


def test_bearer_token(emulator: Emulator, connection: http.client.HTTPConnection) -> None:
    (capture,) = [each for each in OTHERS if each["variant"] == "bearer"]
    wire = Wire.of(capture)
    assert send(connection, wire) == (403, "InvalidBearerToken.NotFound")
    emulator.credentials.add_token(text=BEARER)
    assert send(connection, wire) == (404, "200300004")
    assert send(connection, wire.with_header("x-acs-signature-type", "OTHER")) == (400, "IncompleteSignature")


def test_older_signature_is_refused_cleanly(connection: http.client.HTTPConnection) -> None:
    (capture,) = [each for each in OTHERS if "HMAC-SHA1" in each["variant"]]
    assert send(connection, Wire.of(capture)) == (400, "IncompleteSignature")
