"""What the vendor's SDK really sends is accepted, and refused once a byte of what it signed is changed."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from airflow_provider_mlworkflows.emulator import Emulator, Switches
from airflow_provider_mlworkflows.emulator.aom import (
    NodeDefinition,
    TemplateDefinition,
    WorkflowDefinition,
    fails,
    succeeds,
)
from airflow_provider_mlworkflows.emulator.huawei import signature

_FILE = Path(__file__).parents[1] / "parity" / "aom_captures.json"
_CAPTURES = json.loads(_FILE.read_text(encoding="utf-8"))
META = _CAPTURES["meta"]
DATE = datetime(2024, 10, 25, 8, tzinfo=UTC)
PROJECT, SECURITY_TOKEN = META["project_id"], "TESTSECURITYTOKEN"
WORKFLOW, EXECUTION, NODE, TEMPLATE = "wf-0001", "ex-0001", "node-0001", "tpl-1"
OPERATIONS = {
    "create_workflow": "CreateWorkflow",
    "list_workflow": "ListWorkflow",
    "execute_workflow": "ExecuteWorkflow",
    "list_workflow_executions": "ListWorkflowExecutions",
    "search_workflow_execution_detail": "SearchWorkflowExecutionDetail",
    "start_pausing_workflow_executions": "StartPausingWorkflowExecutions",
    "stop_execution": "StopExecution",
    "update_workflow_trigger_status": "UpdateWorkflowTriggerStatus",
    "search_template_by_id": "SearchTemplateById",
    "list_template_by_job_id": "ListTemplateByJobId",
    "list_all_job_by_name": "ListAllJobByName",
    "list_all_script_by_name": "ListAllScriptByName",
    "list_all_version_by_version_id": "ListAllVersionByVersionId",
}
CHANGING = {
    "CreateWorkflow",
    "ExecuteWorkflow",
    "StartPausingWorkflowExecutions",
    "StopExecution",
    "UpdateWorkflowTriggerStatus",
}
# What the emulator refuses for what the request asks, its signature being right.
SENSELESS = {"operation without action/node_id (as in seed sample)", "operation bad action"}
ODD_WORKFLOW, ODD_EXECUTION = "a/b c", "ü"


class Wire(NamedTuple):
    """A request as it goes over the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    @classmethod
    def of(cls, request: dict[str, Any]) -> Wire:
        headers = [(name, value) for name, value in request["headers"]]
        return cls(request["method"], request["path"], headers, (request["body"] or "").encode())

    def with_header(self, name: str, value: str) -> Wire:
        return self._replace(headers=[(key, value if key.lower() == name else old) for key, old in self.headers])

    def without_header(self, name: str) -> Wire:
        return self._replace(headers=[(key, value) for key, value in self.headers if key.lower() != name])

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


CALLS = [
    (call["label"], OPERATIONS[re.split(r"_invoker|_async", call["sdk_method"])[0]], Wire.of(request))
    for call in _CAPTURES["calls"]
    for request in call["requests"]
]
each_call = pytest.mark.parametrize(("label", "operation", "wire"), CALLS, ids=[call[0] for call in CALLS])


def captured_cloud() -> Emulator:
    """Return an emulator at the date of the recordings, with all that they name."""
    emulator = Emulator(clock="manual", switches=Switches(visibility_delay=0), start=DATE)
    emulator.auth_now = DATE
    emulator.credentials.add_project("captured", PROJECT)
    node = NodeDefinition("n", (fails(1), succeeds(1)), node_id=NODE)
    emulator.aom.add_to_library(TemplateDefinition("t", [node], TEMPLATE, project_id=PROJECT))
    for name, key, execution in (("w", WORKFLOW, EXECUTION), ("odd", ODD_WORKFLOW, ODD_EXECUTION)):
        emulator.aom.add_workflow(WorkflowDefinition(name, [node], key, PROJECT, "cron", template_id=TEMPLATE))
        emulator.aom.start(key, execution_id=execution)
    return emulator


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    """For requests that leave no trace."""
    with captured_cloud() as running:
        yield running


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with captured_cloud() as running:
        yield running


def connect(emulator: Emulator) -> closing[http.client.HTTPConnection]:
    return closing(http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10))


@pytest.fixture
def connection(emulator: Emulator) -> Iterator[http.client.HTTPConnection]:
    with connect(emulator) as opened:
        yield opened


def make_ready(emulator: Emulator, label: str) -> None:
    """Let the execution stand where the recorded action is taken."""
    emulator.clock.advance(10)
    if label == "operation continue":
        emulator.aom.force_status(EXECUTION, None, {NODE: "pausing"})


def add_key(emulator: Emulator, wire: Wire) -> None:
    token = SECURITY_TOKEN if wire.header("x-security-token") else None
    emulator.credentials.add_access_key(META["ak"], META["sk"], security_token=token)


def send(connection: http.client.HTTPConnection, wire: Wire) -> tuple[int, Any]:
    connection.putrequest(wire.method, wire.target, skip_host=True, skip_accept_encoding=True)
    for name, value in wire.headers:
        if name.lower() != "content-length":
            connection.putheader(name, value.encode())
    if wire.body or wire.header("content-length"):
        connection.putheader("Content-Length", str(len(wire.body)))
    connection.endheaders(wire.body or None)
    answer = connection.getresponse()
    content = answer.read().decode()
    return answer.status, content if content == '{"success"}' else json.loads(content)


def changed(text: str, at: int) -> str:
    """Replace one character by another one of its kind."""
    old = text[at]
    new = str((int(old) + 1) % 10) if old.isdigit() else "b" if old == "a" else "a"
    return text[:at] + new + text[at + 1 :]


def spoiled(wire: Wire) -> Iterator[tuple[str, Wire]]:
    """Yield the request with one byte of each signed part changed, or the whole part left out."""
    signed = re.search(r"SignedHeaders=([^,]+)", wire.header("authorization"))
    assert signed is not None
    for name in signed[1].split(";"):
        value = wire.header(name)
        # The last digit of the date stays within the window; its last character is the zone.
        yield name, wire.with_header(name, changed(value, len(value) - (2 if name == "x-sdk-date" else 1)))
        # HTTP itself asks for a host.
        if name != "host":
            yield f"{name} left out", wire.without_header(name)
    yield "method", wire._replace(method={"GET": "POST", "POST": "GET", "PUT": "POST"}[wire.method])
    path, mark, query = wire.target.partition("?")
    place = path.index(PROJECT) + len(PROJECT) - 1
    yield "project", wire._replace(target=changed(path, place) + mark + query)
    parts = path.split("/")
    for at in range(4, len(parts)):
        other = [*parts[:at], changed(parts[at], 0), *parts[at + 1 :]]
        yield f"path {at}", wire._replace(target="/".join(other) + mark + query)
    yield "one more parameter", wire._replace(target=f"{wire.target}{'&' if mark else '?'}x=1")
    if query:
        yield "parameters left out", wire._replace(target=path)
        yield "query", wire._replace(target=path + "?" + changed(query, query.index("=") + 1))
    if wire.body:
        middle = len(wire.body) // 2
        body = wire.body[:middle] + bytes([wire.body[middle] ^ 1]) + wire.body[middle + 1 :]
        yield "body", wire._replace(body=body)
    else:
        yield "body", wire._replace(body=b"x")
    text = wire.header("authorization")
    yield "signature", wire.with_header("authorization", changed(text, len(text) - 1))
    yield "key", wire.with_header("authorization", changed(text, text.index("Access=") + len("Access=")))
    dropped = text.replace("content-type;", "", 1)
    yield "list of signed headers", wire.with_header("authorization", dropped)


def test_the_captures_hold_30_signed_requests() -> None:
    assert len(CALLS) == 30
    assert {operation for _, operation, _ in CALLS} == set(OPERATIONS.values())
    assert all("SDK-HMAC-SHA256" in wire.header("authorization") for _, _, wire in CALLS)


@each_call
def test_signed_request_is_accepted(
    emulator: Emulator, connection: http.client.HTTPConnection, label: str, operation: str, wire: Wire
) -> None:
    add_key(emulator, wire)
    make_ready(emulator, label)
    status, body = send(connection, wire)
    assert status == (400 if label in SENSELESS else 200), body
    (entry,) = emulator.journal.entries
    assert (entry.operation, entry.principal, entry.status) == (operation, META["ak"], status)
    assert entry.effective is (operation in CHANGING and label not in SENSELESS)


@each_call
def test_a_change_of_what_is_signed_is_refused(shared: Emulator, label: str, operation: str, wire: Wire) -> None:
    parts, refused = set(), {"error_code": "AOM.31009004", "error_msg": "auth failed.", "http_code": "401"}
    with connect(shared) as connection:
        for part, wrong in spoiled(wire):
            # Right credentials again: too many wrong signatures block a key.
            add_key(shared, wire)
            status, body = send(connection, wrong)
            # A path or method that no operation has is refused before anybody looks at the signature.
            unknown = part.startswith(("method", "path")) and body.get("error_code") == "APIG.0101"
            assert (status == 404) if unknown else (status, body) == (401, refused), part
            parts.add(part)
    assert len(parts) >= 17
    assert shared.journal.count(effective=True) == 0
    assert shared.aom.start_count() == 2


def test_what_the_scheme_does_not_sign(emulator: Emulator, connection: http.client.HTTPConnection) -> None:
    """Headers it does not list, the order of headers and parameters, and how path and query are spelled on the wire."""
    listing = next(wire for label, _, wire in CALLS if label == "list executions, enterprise project")
    add_key(emulator, listing)
    same = [
        listing,
        listing.with_header("accept", "text/plain"),
        listing.without_header("accept-encoding"),
        listing._replace(headers=[*listing.headers, ("X-Auth-Token", "garbage")]),
        listing._replace(headers=[*listing.headers, ("X-Enterprise-Project-Id", "other")]),
        listing._replace(headers=listing.headers[::-1]),
        listing._replace(target=listing.target.replace("wf-0001", "wf%2D0001")),
        listing._replace(target=listing.target.replace("wf-0001", "%77f-0001")),
        listing._replace(target=listing.target.replace("=0", "=%30")),
        listing._replace(headers=[(name.upper(), value) for name, value in listing.headers]),
    ]
    assert [send(connection, wire)[0] for wire in same] == [200] * len(same)
    operation = next(wire for label, _, wire in CALLS if label == "operation skip")
    path, _, query = operation.target.partition("?")
    swapped = operation._replace(target=f"{path}?{'&'.join(reversed(query.split('&')))}")
    assert swapped.target != operation.target
    make_ready(emulator, "operation skip")
    assert send(connection, swapped) == (200, {"result": "success", "reserved_info": {"shard": 0}})
    # The slash at the end is signed whether or not it is sent, but no operation has it.
    status, body = send(connection, listing._replace(target=listing.target.replace("?", "/?")))
    assert (status, body["error_code"]) == (404, "APIG.0101")


def test_nothing_keeps_a_request_from_being_sent_again(
    emulator: Emulator, connection: http.client.HTTPConnection
) -> None:
    """There is no nonce: whoever has a signed start can start again while its date is fresh."""
    start = next(wire for label, _, wire in CALLS if label == "execute workflow")
    add_key(emulator, start)
    before = emulator.aom.start_count(WORKFLOW)
    assert {send(connection, start)[0] for _ in range(3)} == {200}
    assert emulator.aom.start_count(WORKFLOW) == before + 3


def test_date_outside_the_window(emulator: Emulator, connection: http.client.HTTPConnection) -> None:
    start = next(wire for label, _, wire in CALLS if label == "execute workflow")
    add_key(emulator, start)
    emulator.auth_now = DATE.replace(minute=16)
    assert send(connection, start)[0] == 401
    emulator.auth_now = DATE.replace(minute=14)
    assert send(connection, start)[0] == 200


class TestVectors:
    """Signatures made beforehand, without a request being sent."""

    FILE = json.loads((_FILE.parents[1] / "vectors" / "aom_sign_vectors.json").read_text(encoding="utf-8"))

    def test_all_are_there(self) -> None:
        assert len(self.FILE["vectors"]) == 4

    @pytest.mark.parametrize("vector", FILE["vectors"], ids=lambda vector: vector["name"])
    def test_vector(self, vector: dict[str, Any]) -> None:
        given = signature.parse_authorization(vector["authorization"])
        assert given is not None
        assert (given.ak, given.signature) == (self.FILE["ak"], vector["signature"])
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in vector["query"])
        headers = [(name.encode(), value.encode()) for name, value in vector["headers"].items()]
        body = (vector["body"] or "").encode()
        path = vector["path"].encode()
        canonical = signature.canonical_request(
            vector["method"], path, query.encode(), headers, given.signed_headers, body
        )
        assert canonical == vector["canonical_request"]
        assert signature.sign(self.FILE["sk"], vector["headers"]["X-Sdk-Date"], canonical) == given.signature
