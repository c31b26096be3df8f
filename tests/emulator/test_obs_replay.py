"""What the vendor's SDK really sends is accepted, and refused once a byte of what it signed is changed."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from airflow_provider_mlworkflows.emulator import Emulator, Switches
from tests.emulator.obs_signing import SIGNED

_FILE = Path(__file__).parents[1] / "parity" / "obs_captures.json"
FOUND = json.loads(_FILE.read_text(encoding="utf-8"))
KEY, SECRET, SECURITY_TOKEN = FOUND["meta"]["ak"], FOUND["meta"]["sk"], "TESTSECURITYTOKEN"
DATE = datetime(2024, 6, 19, 8, tzinfo=UTC)
REFUSED = (403, "SignatureDoesNotMatch")
NOWHERE = (404, None)
COLLECTIONS = ("/v2/workflows", "/v2/workflowtemplates", "/v2/workflowexecutions")
OF_THE_FRONT = {
    *("SignatureDoesNotMatch", "InvalidAccessKeyId", "RequestTimeTooSkewed", "AccessDenied"),
    *("AuthorizationHeaderMalformed", "XAmzContentSHA256Mismatch", "BadDigest"),
}


class Wire(NamedTuple):
    """A request as it goes over the wire."""

    label: str
    operation: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def with_header(self, name: str, value: str) -> Wire:
        return self._replace(headers=[(key, value if key.lower() == name else old) for key, old in self.headers])

    def without(self, name: str) -> Wire:
        return self._replace(headers=[pair for pair in self.headers if pair[0].lower() != name])

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


WIRES = [
    Wire(
        f"{call['label']}-{number}",
        call["sdk_method"],
        sent["method"],
        sent["path"],
        [(name, value) for name, value in sent["headers"]],
        sent["body"].encode(),
    )
    for call in FOUND["calls"]
    for number, sent in enumerate(call["requests"])
]
NEWER = [wire for wire in WIRES if wire.header("authorization").startswith("AWS4-")]
USUAL = [wire for wire in WIRES if wire not in NEWER]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(clock="manual", switches=Switches(visibility_delay=0), start=DATE) as running:
        running.auth_now = DATE
        yield running


@pytest.fixture
def connection(emulator: Emulator) -> Iterator[http.client.HTTPConnection]:
    emulator.credentials.add_access_key(KEY, SECRET)
    opened = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)
    yield opened
    opened.close()


def send(connection: http.client.HTTPConnection, wire: Wire) -> tuple[int, str | None]:
    """Send a request; returns the status and the code of the error, if the reply is one."""
    connection.putrequest(wire.method, wire.target, skip_host=True, skip_accept_encoding=True)
    for name, value in wire.headers:
        if name.lower() not in ("content-length", "connection"):
            connection.putheader(name, value.encode())
    connection.putheader("Content-Length", str(len(wire.body)))
    connection.endheaders(wire.body or None)
    answer = connection.getresponse()
    body = answer.read()
    if answer.headers["content-type"] == "application/xml":
        return answer.status, ElementTree.fromstring(body).findtext("Code")
    return answer.status, json.loads(body).get("code") if body else None


def changed(text: str, at: int) -> str:
    """Replace one character by another one of its kind."""
    old = text[at]
    new = str((int(old) + 1) % 10) if old.isdigit() else "b" if old == "a" else "a"
    return text[:at] + new + text[at + 1 :]


Spoiled = tuple[str, Wire, tuple[int, str | None]]


def spoiled(wire: Wire) -> Iterator[Spoiled]:
    """Yield the request with one byte of each part changed that both schemes sign, and what must refuse it."""
    date = wire.header("date")
    # The last digit of the seconds stays within the window.
    yield "date", wire.with_header("date", changed(date, date.rindex(" ") - 1)), REFUSED
    kind = wire.header("content-type")
    yield "content-type", wire.with_header("content-type", changed(kind, len(kind) - 1)), REFUSED
    path, mark, query = wire.target.partition("?")
    if path != "/":
        other = wire._replace(target=changed(path, len(path) - 1 - path.endswith("/")) + mark + query)
        # A path without a name leads nowhere once it is altered.
        yield "path", other, NOWHERE if path.rstrip("/") in COLLECTIONS else REFUSED
    for name in re.findall(r"(?:^|&)([^=&]+)=", query):
        assert name in SIGNED
        place = len(path) + 1 + query.index(f"{name}=") + len(name) + 1
        yield name, wire._replace(target=changed(wire.target, place)), REFUSED
    text = wire.header("authorization")
    yield "signature", wire.with_header("authorization", changed(text, len(text) - 2)), REFUSED
    place = text.index(KEY) + 3
    yield "key", wire.with_header("authorization", changed(text, place)), (403, "InvalidAccessKeyId")
    yield "method", wire._replace(method={"GET": "PUT", "PUT": "GET"}.get(wire.method, "GET")), REFUSED


def spoiled_usually(wire: Wire) -> Iterator[Spoiled]:
    """Yield the same for the parts that only the usual scheme has."""
    if token := wire.header("x-obs-security-token"):
        yield "token", wire.with_header("x-obs-security-token", changed(token, 3)), REFUSED
    name = "x-amz-meta" if wire.header("authorization").startswith("AWS ") else "x-obs-meta"
    yield "more headers", wire._replace(headers=[*wire.headers, (name, "1")]), REFUSED


def spoiled_newly(wire: Wire) -> Iterator[Spoiled]:
    """Yield the same for the parts that only the newer scheme has."""
    yield "host", wire.with_header("host", "obs.test:35192"), REFUSED
    yield "no digest", wire.without("x-amz-content-sha256"), REFUSED
    yield "digest", wire.with_header("x-amz-content-sha256", "0" * 64), REFUSED
    mark = "&" if "?" in wire.target else "?"
    yield "more parameters", wire._replace(target=f"{wire.target}{mark}other=1"), REFUSED
    more = wire._replace(headers=[*wire.headers, ("x-amz-meta", "1")])
    yield "more headers", more, (403, "AccessDenied")
    text = wire.header("authorization")
    for part, old, new, answer in (
        ("day", "/20240619/", "/20240618/", (400, "AuthorizationHeaderMalformed")),
        ("region", "/cn-north-4/", "/cn-north-1/", REFUSED),
        ("list of headers", "content-type;", "", (403, "AccessDenied")),
    ):
        assert old in text
        yield part, wire.with_header("authorization", text.replace(old, new)), answer
    if wire.body:
        yield "length of the body", wire._replace(body=wire.body + b" "), REFUSED


def test_the_captures_hold_45_requests_of_all_16_operations() -> None:
    assert (len(USUAL), len(NEWER)) == (42, 3)
    assert len({wire.operation for wire in USUAL}) == 16


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.label)
def test_signed_request(emulator: Emulator, connection: http.client.HTTPConnection, wire: Wire) -> None:
    token = SECURITY_TOKEN if wire.header("x-obs-security-token") else None
    emulator.credentials.add_access_key(KEY, SECRET, security_token=token)
    emulator.journal.clear()
    status, code = send(connection, wire)
    # What the request names may not exist or break a rule; then the workflow service says so, not the front.
    assert code not in OF_THE_FRONT
    assert status < 300 or code is not None
    assert emulator.journal.entries[-1].principal == KEY
    assert emulator.journal.entries[-1].operation == wire.operation
    parts = {}
    for part, wrong, answer in chain(spoiled(wire), (spoiled_newly if wire in NEWER else spoiled_usually)(wire)):
        parts[part] = send(connection, wrong)
        # An altered method may lead to no operation at all.
        assert parts[part] == answer or (part == "method" and parts[part] == (404, "SYS.0003")), part
    assert len(parts) >= 6


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.label)
def test_anonymous_request(connection: http.client.HTTPConnection, wire: Wire) -> None:
    assert send(connection, wire.without("authorization")) == (403, "AccessDenied")


START = next(wire for wire in USUAL if wire.label == "start async-0")
LIST = next(wire for wire in USUAL if wire.label == "list executions-0")
POLICY = next(wire for wire in USUAL if wire.label.startswith("put trigger policy (virtual host)"))
NEWER_START = next(wire for wire in NEWER if wire.method == "POST")
UNNOTICED = {
    "body": START._replace(body=START.body.replace(b"v1", b"v2")),
    "host": START.with_header("host", "elsewhere.test"),
    "region in the host of a bucket": POLICY.with_header("host", "examplebucket.obs.elsewhere.test"),
    "user agent": START.with_header("user-agent", "another"),
    "parameter that is not listed": LIST._replace(target=LIST.target + "&other=1"),
    "workflow parameter that is not listed": LIST._replace(target=LIST.target + "&x-workflow-category=1"),
    "start made a create": START._replace(target=START.target + "?x-workflow-create"),
    "order of parameters": LIST._replace(
        target=LIST.target.replace("x-workflow-limit=5&x-workflow-execution-type=APICALL", "")
        + "x-workflow-execution-type=APICALL&x-workflow-limit=5"
    ),
    "newer: body of the same length": NEWER_START._replace(body=NEWER_START.body.replace(b"v1", b"v2")),
    "newer: user agent": NEWER_START.with_header("user-agent", "another"),
}


@pytest.mark.parametrize("name", UNNOTICED)
def test_what_the_signature_does_not_cover(connection: http.client.HTTPConnection, name: str) -> None:
    assert UNNOTICED[name] not in WIRES
    assert send(connection, UNNOTICED[name])[1] not in OF_THE_FRONT


def test_the_bucket_in_the_host_is_covered(connection: http.client.HTTPConnection) -> None:
    other = POLICY.with_header("host", POLICY.header("host").replace("example", "another"))
    assert send(connection, other) == REFUSED


def test_a_listed_parameter_more_is_noticed(connection: http.client.HTTPConnection) -> None:
    assert send(connection, START._replace(target=START.target + "?x-workflow-template-name=t")) == REFUSED


def test_the_requests_are_too_old_for_the_present(emulator: Emulator, connection: http.client.HTTPConnection) -> None:
    emulator.auth_now = None
    try:
        assert send(connection, START) == (403, "RequestTimeTooSkewed")
    finally:
        emulator.auth_now = DATE
