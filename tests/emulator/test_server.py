from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import Clock, Emulator, Switches
from airflow_provider_mlworkflows.emulator import credentials as published
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from airflow_provider_mlworkflows.emulator.limits import Limits
from airflow_provider_mlworkflows.emulator.modelarts import ready
from tests.emulator.signing import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOW = ready.PLAIN_CHAIN
RUNS = f"/workflows/{FLOW}/executions"


@pytest.fixture
def control(emu: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{emu.url}/_emulator", trust_env=False) as client:
        yield client


def test_stop_leaves_no_thread_and_no_open_port() -> None:
    before = set(threading.enumerate())
    emulator = Emulator().start()
    port = emulator.port
    with Caller.of(emulator) as caller:
        caller.flow("GET", "/workflows")
        emulator.stop()
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    emulator.stop()
    with pytest.raises(RuntimeError, match="not running"):
        _ = emulator.url


def test_state_survives_a_restart_of_the_server() -> None:
    emulator = Emulator(clock="manual")
    with emulator, Caller.of(emulator) as caller:
        key = caller.start(FLOW)
        with pytest.raises(RuntimeError, match="running already"):
            emulator.start()
    with emulator, Caller.of(emulator) as caller:
        assert caller.show(FLOW, key)["execution_id"] == key


def test_port_in_use() -> None:
    with Emulator() as first, pytest.raises(OSError, match="in use"):
        Emulator(port=first.port).start()


def test_signal_handlers_are_left_alone() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Emulator():
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_package_loads_neither_airflow_nor_the_clients() -> None:
    code = (
        "import sys\n"
        "import airflow_provider_mlworkflows.emulator.environment\n"
        "own = 'airflow_provider_mlworkflows.'\n"
        "foreign = {'airflow', 'httpx', 'pydantic'}\n"
        "print([name for name in sys.modules if name.split('.')[0] in foreign\n"
        "       or (name.startswith(own) and not name.startswith(own + 'emulator'))])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_journal_entries(emu: Emulator, caller: Caller) -> None:
    key = caller.start(FLOW, {"labels": ["x"]})
    caller.flow("GET", RUNS, params={"labels": "x", "limit": 5})
    start, listing = emu.journal.entries
    assert (start.sequence, start.method, start.status, start.effective) == (1, "POST", 201, True)
    assert start.body == {"labels": ["x"]}
    assert start.ids == {"project_id": caller.project_id, "workflow_id": FLOW, "execution_id": key}
    assert start.time == emu.clock.now()
    assert listing.query == (("labels", "x"), ("limit", "5"))
    assert (listing.operation, listing.effective) == ("ListWorkflowExecutions", False)
    emu.clock.advance(5)
    caller.act(FLOW, key, {"action_name": "stop"})
    caller.act(FLOW, key, {"action_name": "stop"})
    count = emu.journal.count
    assert count("CreateWorkflowExecutionsActions", action="stop", execution_id=key) == 2
    assert count("CreateWorkflowExecutionsActions", action="stop", effective=True) == 1
    assert count(status=400) == 1
    assert count(since=start.sequence) == 3
    assert count(workflow_id="other") == 0
    emu.journal.clear()
    caller.show(FLOW, key)
    assert [entry.sequence for entry in emu.journal.entries] == [5]


def test_journal_keeps_unknown_paths(emu: Emulator, caller: Caller) -> None:
    answer = caller.flow("GET", "/nothing")
    entry = emu.journal.entries[-1]
    assert (entry.operation, entry.status, entry.code) == (None, 404, "APIG.0101")
    assert entry.request_id == answer.headers["X-Request-Id"]


def test_parallel_starts_are_all_counted(emu: Emulator) -> None:
    def start() -> None:
        with Caller.of(emu) as client:
            for _ in range(10):
                client.start(FLOW)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert emu.journal.count("CreateWorkflowExecution", effective=True) == 80
    assert [entry.sequence for entry in emu.journal.entries] == list(range(1, 81))
    names = {execution.name for execution in emu.modelarts.executions.values()}
    assert names == {f"execution-{number:03d}" for number in range(1, 81)}


def test_throttling(emu: Emulator, caller: Caller) -> None:
    emu.limits.set("ListWorkflows", per_second=2)
    statuses = [caller.flow("GET", "/workflows").status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    answer = caller.flow("GET", "/workflows")
    assert answer.json()["error_code"] == "APIG.0308"
    assert "policy user over ratelimit,limit:2,time:1 second" in answer.json()["error_msg"]
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert caller.flow("GET", f"/workflows/{FLOW}").status_code == 200
    emu.clock.advance(1)
    assert [caller.flow("GET", "/workflows").status_code for _ in range(3)] == [200, 200, 429]
    emu.limits.clear()
    assert caller.flow("GET", "/workflows").status_code == 200


def test_throttling_is_per_principal_and_before_the_effect(emu: Emulator, caller: Caller) -> None:
    emu.limits.set("*", per_second=0.1, burst=1)
    caller.start(FLOW)
    assert caller.flow("POST", RUNS, {}).status_code == 429
    assert len(emu.modelarts.executions) == 1
    other = emu.credentials.add_access_key()
    caller.ak, caller.sk = other.ak, other.sk
    caller.start(FLOW)


def test_illegal_limits() -> None:
    limits = Limits(Clock().now, threading.RLock())
    with pytest.raises(ValueError, match="above zero"):
        limits.set("*", per_second=0)


def test_manual_clock_and_date_header(emu: Emulator, caller: Caller) -> None:
    now = emu.clock.now()
    assert emu.clock.now() == now
    emu.clock.advance(3600)
    assert emu.clock.now() == now + timedelta(hours=1)
    sent = parsedate_to_datetime(caller.flow("GET", "/workflows").headers["Date"])
    assert sent == emu.clock.now().replace(microsecond=0)
    with pytest.raises(ValueError, match="forward"):
        emu.clock.advance(-1)


def test_clock_arguments() -> None:
    begin = datetime(2026, 1, 15, tzinfo=UTC)
    assert Clock("manual", start=begin).now() == begin
    real = Clock("real", start=begin)
    assert begin <= real.now() <= real.now()
    for wrong in ({"mode": "fast"}, {"speed": 0}, {"tick": 0}, {"start": datetime(2026, 1, 15)}):
        with pytest.raises(ValueError, match=r"\S"):
            Clock(**wrong)


def test_time_per_read() -> None:
    emulator = Emulator(clock="per_read", tick=5, switches=Switches(visibility_delay=0))
    with emulator, Caller.of(emulator) as caller:
        key, other = caller.start(FLOW), caller.start(ready.FAILS_AT_STEP_3)
        assert [caller.show(FLOW, key)["duration"] for _ in range(3)] == [5, 10, 15]
        assert caller.flow("GET", RUNS).json()["items"][0]["duration"] == 20
        assert caller.show(ready.FAILS_AT_STEP_3, other)["duration"] == 5
        emulator.clock.advance(100)
        assert caller.show(FLOW, key)["status"] == "completed"


def test_control_health_and_clock(emu: Emulator, control: httpx.Client) -> None:
    assert control.get("/health").json()["status"] == "ok"
    before = emu.clock.now()
    assert control.post("/clock", json={"advance": 5}).json()["mode"] == "manual"
    assert emu.clock.now() == before + timedelta(seconds=5)
    assert control.get("/clock").json()["now"] == emu.clock.now().isoformat()
    assert control.post("/clock", json={"advance": -5}).status_code == 400
    assert control.post("/clock", json={}).status_code == 404
    assert control.post("/clock", content=b"x").status_code == 400
    assert emu.journal.entries == []


def test_control_switches(emu: Emulator, control: httpx.Client) -> None:
    assert control.get("/switches").json()["visibility_delay"]["default"] == 2
    answer = control.put("/switches", json={"page_cap": 3, "wrong_state": [409, "X"]})
    assert answer.json()["page_cap"]["value"] == 3
    assert emu.switches.wrong_state == (409, "X")
    assert control.put("/switches", json={"page_cap": None}).status_code == 400
    assert control.put("/switches", json=[1]).status_code == 400


def test_control_faults_and_limits(emu: Emulator, caller: Caller, control: httpx.Client) -> None:
    assert control.post("/faults", json={"operation": "ListWorkflows", "status": 500}).status_code == 201
    assert len(control.get("/faults").json()["faults"]) == 1
    assert caller.flow("GET", "/workflows").status_code == 500
    assert control.post("/faults", json={"operation": "x", "action": "explode"}).status_code == 400
    assert control.delete("/faults").json() == {"faults": []}
    assert control.put("/limits/ListWorkflows", json={"per_second": 1}).status_code == 200
    assert [caller.flow("GET", "/workflows").status_code for _ in range(2)] == [200, 429]
    control.delete("/limits")
    assert caller.flow("GET", "/workflows").status_code == 200


def test_control_journal(emu: Emulator, caller: Caller, control: httpx.Client) -> None:
    key = caller.start(FLOW)
    caller.show(FLOW, key)
    body = control.get("/journal").json()
    assert body["count"] == 2
    assert body["entries"][0]["operation"] == "CreateWorkflowExecution"

    def count(**params: str) -> int:
        return int(control.get("/journal", params=params).json()["count"])

    assert count(operation="ShowWorkflowExecution") == 1
    assert count(effective="true") == 1
    assert count(execution_id=key, effective="false") == 1
    assert count(status="201") == 1
    assert count(since="1") == 1
    control.delete("/journal")
    assert emu.journal.entries == []


def test_control_state_and_executions(emu: Emulator, caller: Caller, control: httpx.Client) -> None:
    key = caller.start(FLOW)
    emu.clock.advance(3)
    state = control.get("/state").json()["modelarts"]
    assert state["workflows"][0]["name"] == "plain-chain"
    assert state["executions"][0]["status"] == "running"
    forced = {"status": "odd", "steps": {"train": "hold"}}
    assert control.post(f"/executions/{key}/status", json=forced).status_code == 200
    assert (caller.show(FLOW, key)["status"], caller.steps(FLOW, key)["train"]) == ("odd", "hold")
    assert control.delete(f"/executions/{key}").status_code == 200
    assert control.delete(f"/executions/{key}").status_code == 404
    assert emu.modelarts.executions == {}


def test_control_scripted_workflow(emu: Emulator, caller: Caller, control: httpx.Client) -> None:
    body: dict[str, Any] = {
        "name": "scripted",
        "steps": [{"name": "a"}],
        "attempts": {"a": [{"script": [["running", 3], ["failed", None]], "error_message": "boom"}]},
    }
    key = control.post("/workflows", json=body).json()["workflow_id"]
    run = caller.start(key)
    emu.clock.advance(10)
    assert caller.show(key, run)["steps_execution"][0]["error_info"]["error_message"] == "boom"
    body["attempts"] = {"a": [{"phases": []}]}
    assert control.post("/workflows", json=body).status_code == 400
    assert control.post("/workflows", json={"name": "1"}).status_code == 400


def test_connections_lead_to_a_running_emulator(emu: Emulator) -> None:
    connection = connections(emu.url + "/")[HUAWEI_CONNECTION]
    assert json.loads(json.dumps(connection)) == connection
    assert connection["conn_type"] == "huawei_mlworkflows"
    extra = connection["extra"]
    assert extra["endpoint"] == extra["iam_endpoint"] == emu.url
    assert extra["region"] == published.REGION
    caller = Caller(extra["endpoint"], extra["project_id"], connection["login"], connection["password"])
    with caller:
        assert caller.flow("GET", "/workflows").status_code == 200


def test_secrets_are_not_shown(emu: Emulator) -> None:
    key, token = emu.credentials.temporary, emu.credentials.token
    shown = repr((key, token, emu.credentials.users))
    for secret in (key.sk, key.security_token, token.text, published.USER_PASSWORD):
        assert secret is not None
        assert secret not in shown
