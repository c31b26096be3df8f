from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.modelarts import ready
from tests.emulator.signing import Caller

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

FLOW = ready.PLAIN_CHAIN
RUNS = f"/workflows/{FLOW}/executions"
START = "CreateWorkflowExecution"


def start_with(emu: Emulator, caller: Caller, **rule: Any) -> httpx.Response:
    emu.faults.add(FaultRule(operation=START, **rule))
    return caller.flow("POST", RUNS, {})


@pytest.mark.parametrize(("when", "started"), [("before", 0), ("after", 1)])
class TestMoments:
    """Every action, before and after the effect."""

    def check(self, emu: Emulator, started: int, status: int | None, fault: str) -> None:
        assert len(emu.modelarts.executions) == started
        assert emu.journal.count(START) == 1
        assert emu.journal.count(START, effective=True) == started
        entry = emu.journal.entries[-1]
        assert (entry.status, entry.fault) == (status, fault)

    def test_status(self, emu: Emulator, caller: Caller, when: str, started: int) -> None:
        answer = start_with(emu, caller, when=when, status=503, retry_after=7)
        assert answer.status_code == 503
        assert answer.json() == {"error_code": "ModelArts.4302", "error_msg": "service unavailable"}
        assert answer.headers["Retry-After"] == "7"
        self.check(emu, started, 503, "status")

    @pytest.mark.parametrize("action", ["reset", "close"])
    def test_lost_connection(self, emu: Emulator, caller: Caller, when: str, started: int, action: str) -> None:
        error = httpx.ReadError if action == "reset" else httpx.RemoteProtocolError
        with pytest.raises(error):
            start_with(emu, caller, when=when, action=action)
        self.check(emu, started, None, action)
        assert caller.flow("GET", RUNS).status_code == 200

    def test_truncate(self, emu: Emulator, caller: Caller, when: str, started: int) -> None:
        with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
            start_with(emu, caller, when=when, action="truncate")
        self.check(emu, started, 201 if started else 503, "truncate")

    def test_cut_json(self, emu: Emulator, caller: Caller, when: str, started: int) -> None:
        answer = start_with(emu, caller, when=when, action="truncate", cut_json=True)
        with pytest.raises(ValueError, match=r"\S"):
            answer.json()
        self.check(emu, started, 201 if started else 503, "truncate")

    def test_html(self, emu: Emulator, caller: Caller, when: str, started: int) -> None:
        answer = start_with(emu, caller, when=when, action="html", status=502)
        assert answer.status_code == 502
        assert answer.headers["Content-Type"] == "text/html"
        assert "<h1>Bad Gateway</h1>" in answer.text
        self.check(emu, started, 502, "html")

    def test_envelope(self, emu: Emulator, caller: Caller, when: str, started: int) -> None:
        answer = start_with(emu, caller, when=when, action="envelope", code="ModelArts.0010")
        assert answer.status_code == (201 if started else 200)
        assert answer.json()["error_code"] == "ModelArts.0010"
        self.check(emu, started, answer.status_code, "envelope")

    def test_delay(self, emu: Emulator, caller: Caller, when: str, started: int) -> None:
        begin = time.monotonic()
        answer = start_with(emu, caller, when=when, action="delay", delay=0.05)
        assert time.monotonic() - begin >= 0.05
        assert answer.status_code == 201
        assert emu.journal.entries[-1].fault == "delay"


def test_others_are_served_while_a_reply_is_on_its_way(emu: Emulator, caller: Caller) -> None:
    emu.faults.add(FaultRule(operation=START, when="after", action="delay", delay=60))
    lost = []

    def start() -> None:
        with Caller.of(emu) as other:
            try:
                other.flow("POST", RUNS, {})
            except httpx.HTTPError as error:
                lost.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    while caller.flow("GET", RUNS).json()["total"] == 0:
        assert thread.is_alive()
    assert emu.journal.count(START, effective=True) == 1
    emu.stop()
    thread.join()
    assert len(lost) == 1


def test_nth_and_times(emu: Emulator, caller: Caller) -> None:
    emu.faults.add(FaultRule(operation="ListWorkflows", nth=2, times=2, status=500))
    statuses = [caller.flow("GET", "/workflows").status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]


def test_struck_calls_are_counted(emu: Emulator, caller: Caller) -> None:
    rule = emu.faults.add(FaultRule(operation="ListWorkflows", nth=2))
    counts = [emu.faults.struck(rule)]
    for _ in range(2):
        caller.flow("GET", "/workflows")
        counts.append(emu.faults.struck(rule))
    assert counts == [0, 0, 1]
    emu.faults.remove(rule)
    with pytest.raises(ValueError, match="not in force"):
        emu.faults.struck(rule)


def test_without_end(emu: Emulator, caller: Caller) -> None:
    rule = emu.faults.add(FaultRule(operation="*", times=None, status=504))
    assert [caller.flow("GET", "/workflows").status_code for _ in range(3)] == [504] * 3
    emu.faults.remove(rule)
    assert caller.flow("GET", "/workflows").status_code == 200
    with pytest.raises(ValueError, match="not in force"):
        emu.faults.remove(rule)


def test_path_rules(emu: Emulator, caller: Caller) -> None:
    emu.faults.add(FaultRule(path=r"^GET .*/todolist$", status=500, times=None))
    assert caller.flow("GET", "/workflows").status_code == 200
    assert caller.flow("GET", "/workflows/todolist").status_code == 500


def test_body_rules(emu: Emulator, caller: Caller) -> None:
    emu.faults.add(FaultRule(operation=START, body='"name": ?"un[a-z]+"', status=500, times=None))
    runs = [caller.flow("POST", RUNS, {"name": name}) for name in ("lucky", "unlucky", "lucky-too")]
    assert [run.status_code for run in runs] == [201, 500, 201]
    assert caller.flow("GET", RUNS).status_code == 200
    with pytest.raises(re.error):
        FaultRule(body="(")


def test_refused_calls_are_not_counted(emu: Emulator, caller: Caller) -> None:
    emu.faults.add(FaultRule(operation="ListWorkflows", status=500))
    caller.sk, right = "wrong", caller.sk
    assert caller.flow("GET", "/workflows").status_code == 401
    caller.sk = right
    assert caller.flow("GET", "/workflows").status_code == 500


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "APIG.0308", "APIG.0308"),
        (429, None, "APIG.0308"),
        (429, "ModelArts.4206", "ModelArts.4206"),
        (500, None, "ModelArts.0010"),
        (401, None, "APIGW.0301"),
        (409, "ModelArts.2796", "ModelArts.2796"),
        (502, None, "APIG.0202"),
    ],
)
def test_error_dialects(emu: Emulator, caller: Caller, status: int, code: str | None, expected: str) -> None:
    emu.faults.add(FaultRule(status=status, code=code))
    answer = caller.flow("GET", "/workflows")
    assert (answer.status_code, answer.json()["error_code"]) == (status, expected)
    assert ("request_id" in answer.json()) is expected.startswith("APIG")


def test_iam_dialect(emu: Emulator, caller: Caller) -> None:
    emu.faults.add(FaultRule(operation="KeystoneListProjects", status=503))
    assert caller.call("GET", "/v3/projects").json()["error"]["code"] == 503


def test_broken_deletes(emu: Emulator, caller: Caller) -> None:
    key = caller.start(FLOW)
    emu.faults.add(FaultRule(operation="DeleteWorkflowExecution", when="after", action="envelope"))
    assert caller.flow("DELETE", f"{RUNS}/{key}").json()["error_code"] == "ModelArts.0010"
    assert emu.modelarts.executions == {}


@pytest.mark.parametrize(
    "values",
    [
        {"when": "during"},
        {"action": "explode"},
        {"nth": 0},
        {"times": 0},
        {"status": 99},
        {"nth": "1"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_illegal_rules(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        FaultRule.from_json(values)
