"""The Execution API of one task instance, in memory, behind Airflow's own client.

Only what Airflow 3.3 serves is served, with its status codes. A route nobody wrote is an error, never a
silent success.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import UUID

import httpx
from pydantic import TypeAdapter

from tests.harness.state_answers import StatesAnswer
from tests.harness.task_instance import Deferral, TaskInstanceRecord
from tests.harness.xcom_table import XComTable

if TYPE_CHECKING:
    from airflow.sdk.api.client import Client

_duration = TypeAdapter(timedelta)
_moment = TypeAdapter(datetime)


@dataclass(frozen=True)
class ApiCall:
    """One request that reached the Execution API.

    Attributes:
        method: HTTP method.
        path: decoded path, without the query.
        query: query parameters, each with all its values.
        body: decoded JSON body, or None.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: Any


class ApiFault(Exception):
    """An error answer of the Execution API."""

    def __init__(self, status: HTTPStatus, reason: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.detail = {"reason": reason, "message": message, **more}


Interception = Callable[[ApiCall], httpx.Response | None]


@dataclass
class Intercept:
    """What to do when a call arrives, before it takes effect."""

    method: str
    path_part: str
    action: Interception
    remaining: int

    def wants(self, call: ApiCall) -> bool:
        return self.remaining > 0 and call.method == self.method and self.path_part in call.path


@dataclass
class ExecutionApi:
    """Serves one task instance, its run, and what a task may read besides.

    Attributes:
        record: the task instance.
        connections: connection id to the body of the API's answer.
        variables: variable key to value.
        run: the DAG run as the API shows it, with ``clear_number``.
        state_store: the task state store; it outlives attempts and clears.
        state_store_expiry: key to expiry time, None for never.
        xcoms: XComs of all tasks of the run.
        hitl_detail: the form that the task put up, and the answer to it.
        states_answer: what ``get_task_states`` is told.
        calls: every request, in order of arrival.
        clock: tells the server's time.
    """

    record: TaskInstanceRecord
    connections: dict[str, dict[str, Any]]
    variables: dict[str, str]
    run: dict[str, Any]
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    state_store: dict[str, Any] = field(default_factory=dict)
    state_store_expiry: dict[str, str | None] = field(default_factory=dict)
    xcoms: XComTable = field(default_factory=XComTable)
    hitl_detail: dict[str, Any] | None = None
    states_answer: StatesAnswer = field(default_factory=StatesAnswer.truth)
    calls: list[ApiCall] = field(default_factory=list)
    intercepts: list[Intercept] = field(default_factory=list)
    unserved: list[ApiCall] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def client(self) -> Client:
        """Return Airflow's client, talking to this server."""
        from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor

        client = InProcessTestSupervisor._Client(
            base_url=None, token="", dry_run=True, transport=httpx.MockTransport(self.handle)
        )
        client.base_url = httpx.URL("http://execution-api.invalid/")
        return client

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        call = _read(request)
        with self.lock:
            self.calls.append(call)
            intercept = next((found for found in self.intercepts if found.wants(call)), None)
            if intercept is not None:
                intercept.remaining -= 1
        if intercept is not None and (replaced := intercept.action(call)) is not None:
            return replaced
        # The answer may be a long silence, which must not hold up anybody else.
        if call.path == "/task-instances/states":
            return self._answer_states(call)
        with self.lock:
            return self._route(call)

    def _answer_states(self, call: ApiCall) -> httpx.Response:
        asked = call.query.get("task_ids", [self.record.task_id])
        index = call.query.get("map_index", [str(self.record.map_index)])
        runs = call.query.get("run_ids", [self.record.run_id])
        known = (
            call.query["dag_id"] == [self.record.dag_id]
            and self.record.task_id in asked
            and self.record.run_id in runs
            and index == [str(self.record.map_index)]
        )
        truth = {self.record.run_id: {self.record.state_key: self.record.state}} if known else {}
        return self.states_answer.respond(truth)

    def _route(self, call: ApiCall) -> httpx.Response:
        for method, pattern, serve in _ROUTES:
            if method == call.method and (match := pattern.fullmatch(call.path)):
                try:
                    return serve(self, call, **match.groupdict())
                except ApiFault as fault:
                    return httpx.Response(fault.status, json={"detail": fault.detail})
        self.unserved.append(call)
        return httpx.Response(HTTPStatus.NOT_IMPLEMENTED, json={"detail": f"{call.method} {call.path}"})

    def _require_live(self, ti_id: str, gone: HTTPStatus = HTTPStatus.NOT_FOUND) -> TaskInstanceRecord:
        asked = UUID(ti_id)
        if asked == self.record.id:
            return self.record
        status = gone if asked in self.record.archived_ids else HTTPStatus.NOT_FOUND
        raise ApiFault(status, "not_found", "Task Instance not found")

    def start_task(self, call: ApiCall, ti_id: str) -> httpx.Response:
        record = self._require_live(ti_id)
        if record.state not in ("queued", "restarting"):
            raise ApiFault(HTTPStatus.CONFLICT, "invalid_state", "cannot start", previous_state=record.state)
        resumed = record.next_method is not None
        context = {
            "dag_run": self.run,
            "task_reschedule_count": len(record.reschedule_starts),
            "max_tries": record.max_tries,
            "variables": [],
            "connections": [],
            "xcom_keys_to_clear": [] if resumed else self.xcoms.keys_of(record),
            "should_retry": record.state == "restarting" or record.may_retry,
        }
        if resumed:
            context |= {
                "next_method": record.next_method,
                "next_kwargs": record.next_kwargs,
                "start_date": record.start_date.isoformat() if record.start_date else None,
            }
        record.start(_moment.validate_python(call.body["start_date"]))
        return httpx.Response(HTTPStatus.OK, json=context)

    def update_state(self, call: ApiCall, ti_id: str) -> httpx.Response:
        record = self._require_live(ti_id)
        state = call.body["state"]
        if state == record.state:
            return httpx.Response(HTTPStatus.OK)
        if record.state != "running":
            raise ApiFault(HTTPStatus.CONFLICT, "invalid_state", "cannot update", previous_state=record.state)
        if call.body.get("rendered_map_index") is not None:
            record.rendered_map_index = call.body["rendered_map_index"]
        self._apply_state(state, call.body)
        return httpx.Response(HTTPStatus.NO_CONTENT)

    def _apply_state(self, state: str, body: dict[str, Any]) -> None:
        match state:
            case "deferred":
                kwargs = body["trigger_kwargs"]
                self.record.defer(
                    Deferral(
                        classpath=body["classpath"],
                        stored_kwargs=kwargs if isinstance(kwargs, str) else json.dumps(kwargs),
                        next_method=body["next_method"],
                        next_kwargs=body["next_kwargs"] or {},
                        timeout=_optional_duration(body.get("trigger_timeout")),
                        since=self.clock(),
                    )
                )
            case "awaiting_input":
                self.record.await_input(
                    body["next_method"], body["next_kwargs"] or {}, _optional_duration(body.get("timeout"))
                )
            case "up_for_reschedule":
                self.record.reschedule(self.clock(), _moment.validate_python(body["reschedule_date"]))
            case "up_for_retry":
                seconds = body.get("retry_delay_seconds")
                delay = None if seconds is None else timedelta(seconds=seconds)
                self.record.fail_for_retry(delay, body.get("retry_reason"))
            case _:
                self.record.finish(state)

    def heartbeat(self, call: ApiCall, ti_id: str) -> httpx.Response:
        record = self._require_live(ti_id, gone=HTTPStatus.GONE)
        if record.state != "running":
            raise ApiFault(HTTPStatus.CONFLICT, "not_running", "terminate", current_state=record.state)
        return httpx.Response(HTTPStatus.NO_CONTENT)

    def put_rendered_fields(self, call: ApiCall, ti_id: str) -> httpx.Response:
        self._require_live(ti_id, gone=HTTPStatus.GONE).rendered_fields = call.body
        return httpx.Response(HTTPStatus.CREATED, json={"message": "Rendered task instance fields set"})

    def put_map_index(self, call: ApiCall, ti_id: str) -> httpx.Response:
        self._require_live(ti_id).rendered_map_index = call.body
        return httpx.Response(HTTPStatus.NO_CONTENT)

    def reschedule_start(self, call: ApiCall, ti_id: str) -> httpx.Response:
        starts = self.record.reschedule_starts if UUID(ti_id) == self.record.id else []
        return httpx.Response(HTTPStatus.OK, json=starts[0].isoformat() if starts else None)

    def previous_success(self, call: ApiCall, ti_id: str) -> httpx.Response:
        return httpx.Response(HTTPStatus.OK, json={})

    def validate_assets(self, call: ApiCall, ti_id: str) -> httpx.Response:
        return httpx.Response(HTTPStatus.OK, json={"inactive_assets": []})

    def get_connection(self, call: ApiCall, conn_id: str) -> httpx.Response:
        if (found := self.connections.get(conn_id)) is None:
            raise ApiFault(HTTPStatus.NOT_FOUND, "not_found", f"Connection with ID {conn_id} not found")
        return httpx.Response(HTTPStatus.OK, json=found)

    def get_variable(self, call: ApiCall, key: str) -> httpx.Response:
        if key not in self.variables:
            raise ApiFault(HTTPStatus.NOT_FOUND, "not_found", f"Variable with key {key!r} not found")
        return httpx.Response(HTTPStatus.OK, json={"key": key, "value": self.variables[key]})

    def get_stored(self, call: ApiCall, ti_id: str, key: str) -> httpx.Response:
        self._require_live(ti_id)
        if key not in self.state_store:
            raise ApiFault(HTTPStatus.NOT_FOUND, "not_found", f"Task state store key {key!r} not found")
        return httpx.Response(HTTPStatus.OK, json={"value": self.state_store[key]})

    def put_stored(self, call: ApiCall, ti_id: str, key: str) -> httpx.Response:
        self._require_live(ti_id)
        self.state_store[key] = call.body["value"]
        self.state_store_expiry[key] = call.body.get("expires_at")
        return httpx.Response(HTTPStatus.NO_CONTENT)

    def delete_stored(self, call: ApiCall, ti_id: str, key: str | None = None) -> httpx.Response:
        self._require_live(ti_id)
        for name in list(self.state_store) if key is None else [key]:
            self.state_store.pop(name, None)
            self.state_store_expiry.pop(name, None)
        return httpx.Response(HTTPStatus.NO_CONTENT)

    def serve_xcom(self, call: ApiCall, **address: str) -> httpx.Response:
        return self.xcoms.serve(call.method, call.query, call.body, **address)

    def post_form(self, call: ApiCall, ti_id: str) -> httpx.Response:
        self._require_live(ti_id)
        self.hitl_detail = {**call.body, "ti_id": ti_id}
        self.hitl_detail.pop("type", None)
        return httpx.Response(HTTPStatus.CREATED, json=self.hitl_detail)

    def get_form(self, call: ApiCall, ti_id: str) -> httpx.Response:
        if self.hitl_detail is None:
            raise ApiFault(HTTPStatus.NOT_FOUND, "not_found", "no form")
        answer: dict[str, Any] = {"response_received": False, "chosen_options": None, "params_input": {}}
        return httpx.Response(HTTPStatus.OK, json=answer | self.hitl_detail.get("response", {}))


def _read(request: httpx.Request) -> ApiCall:
    query = {key: request.url.params.get_list(key) for key in request.url.params}
    body = json.loads(request.content) if request.content else None
    return ApiCall(request.method, unquote(request.url.raw_path.decode().partition("?")[0]), query, body)


def _optional_duration(text: str | None) -> timedelta | None:
    return None if text is None else _duration.validate_python(text)


def _routes() -> list[tuple[str, re.Pattern[str], Callable[..., httpx.Response]]]:
    api = ExecutionApi
    ti = r"/task-instances/(?P<ti_id>[^/]+)"
    stored = r"/store/ti/(?P<ti_id>[^/]+)"
    xcom = r"/xcoms/(?P<dag_id>[^/]+)/(?P<run_id>[^/]+)/(?P<task_id>[^/]+)/(?P<key>[^/]+)"
    table: list[tuple[str, str, Callable[..., httpx.Response]]] = [
        ("PATCH", rf"{ti}/run", api.start_task),
        ("PATCH", rf"{ti}/state", api.update_state),
        ("PUT", rf"{ti}/heartbeat", api.heartbeat),
        ("PUT", rf"{ti}/rtif", api.put_rendered_fields),
        ("PATCH", rf"{ti}/rendered-map-index", api.put_map_index),
        ("GET", rf"{ti}/previous-successful-dagrun", api.previous_success),
        ("GET", rf"{ti}/validate-inlets-and-outlets", api.validate_assets),
        ("GET", r"/task-reschedules/(?P<ti_id>[^/]+)/start_date", api.reschedule_start),
        ("GET", r"/connections/(?P<conn_id>.+)", api.get_connection),
        ("GET", r"/variables/(?P<key>.+)", api.get_variable),
        ("GET", rf"{stored}/(?P<key>.+)", api.get_stored),
        ("PUT", rf"{stored}/(?P<key>.+)", api.put_stored),
        ("DELETE", rf"{stored}/(?P<key>.+)", api.delete_stored),
        ("DELETE", stored, api.delete_stored),
        ("GET", rf"{xcom}/(?P<selection>slice|item/-?\d+)", api.serve_xcom),
        *[(method, xcom, api.serve_xcom) for method in ("GET", "HEAD", "POST", "DELETE")],
        ("POST", r"/hitlDetails/(?P<ti_id>[^/]+)", api.post_form),
        ("GET", r"/hitlDetails/(?P<ti_id>[^/]+)", api.get_form),
    ]
    return [(method, re.compile(pattern), serve) for method, pattern, serve in table]


_ROUTES = _routes()
