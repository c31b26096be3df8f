"""Every fault of a start, with a worker that is killed at every point of it, leaves one run."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_mlworkflows.exceptions import StartUncertainError
from airflow_provider_mlworkflows.operators.records import RECORD_KEY
from tests.fifth_service.loom import LoomUnderTest
from tests.scenarios.door import Door
from tests.scenarios.paiflow import PaiFlowSuspendingUnderTest
from tests.scenarios.plan import chain, completes
from tests.scenarios.stage import OPERATOR_MODES, Mode, Stage, reset
from tests.scenarios.test_scenarios import SERVICES

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_mlworkflows.emulator import Emulator
    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from tests.harness.execution_api import ApiCall
    from tests.scenarios.clock import ScriptedClock
    from tests.scenarios.service import ServiceUnderTest

RETRIES = 5
RETRY_DELAY = 5.0
"""Seconds between two attempts: fewer than a list may lag."""
LIST_LAG = 20.0
WAITED = 45.0
"""Seconds after which a worker that waits is killed: more than any look for a lost start takes."""
REAL = tuple(service for service in SERVICES if service not in (LoomUnderTest, PaiFlowSuspendingUnderTest))
"""How failed runs look makes no difference to starts."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the first start call.

    Attributes:
        rule: As `FaultRule` takes it; none for no fault in the emulation.
        list_lag: Seconds during which a new run is missing from lists.
        is_refused: The port refuses connections from the intent on, until the next attempt.
        leaves_doubt: Whether the caller cannot know that nothing was started, although nothing was.
        throttles: Whether the error code is the service's own for throttling.
    """

    rule: Mapping[str, Any] = field(default_factory=dict)
    list_lag: float = 0.0
    is_refused: bool = False
    leaves_doubt: bool = False
    throttles: bool = False


FAULTS: Mapping[str, Fault] = {
    "no_fault": Fault(),
    "refused": Fault(is_refused=True),
    "reset_before": Fault({"action": "reset", "when": "before"}, leaves_doubt=True),
    "reset_after": Fault({"action": "reset", "when": "after"}),
    "answer_lost": Fault({"action": "close", "when": "after"}),
    "throttled": Fault({"status": 429, "times": 2}),
    "5xx_before": Fault({"status": 503, "when": "before"}, leaves_doubt=True),
    "5xx_after": Fault({"status": 500, "when": "after"}),
    "408_before": Fault({"status": 408, "code": "Odd.Failure", "when": "before"}, leaves_doubt=True),
    "408_after": Fault({"status": 408, "code": "Odd.Failure", "when": "after"}),
    "unknown_word_in_2xx": Fault({"action": "envelope", "code": "Odd.Failure", "when": "after"}),
    "unknown_number_in_2xx": Fault({"action": "envelope", "code": "100500099", "when": "after"}),
    "timeout_in_2xx": Fault({"action": "envelope", "code": "BackendTimeout", "when": "after"}),
    "throttled_in_2xx": Fault({"action": "envelope", "when": "after"}, throttles=True),
    "list_lags": Fault(list_lag=LIST_LAG),
    "answer_lost_list_lags": Fault({"action": "close", "when": "after"}, list_lag=LIST_LAG),
}


THROTTLING: Mapping[str, str] = {
    "modelarts": "ModelArts.6101",
    "paiflow": "Throttling.User",
    "obs": "SlowDown",
    "aom": "APIGW.0308",
}
"""Error codes, by the first word of a service's name."""


@dataclass(frozen=True)
class Crash:
    """Where the worker is killed, once.

    Attributes:
        method: Method of the call to Airflow that it does not survive, "" for none.
        path: Text in the path of that call.
        strikes: Whether a call that fits is the one.
        is_served: Whether Airflow still does what the call asks for.
        leaves_doubt: Whether the next attempt cannot know that nothing was started, although nothing was.
    """

    method: str = ""
    path: str = ""
    strikes: Callable[[ApiCall], bool] = lambda call: True
    is_served: bool = False
    leaves_doubt: bool = False


def _is_intent(call: ApiCall) -> bool:
    return call.path.endswith(RECORD_KEY) and not call.body["value"]["run_id"]


def _names_run(call: ApiCall) -> bool:
    return call.path.endswith(RECORD_KEY) and bool(call.body["value"]["run_id"])


def _defers(call: ApiCall) -> bool:
    return bool(call.body["state"] == "deferred")


STORE = ("PUT", "/store/ti/")
WAITING = Crash()
"""Workers that wait say nothing to Airflow, so this one is killed by the time."""
DEFERRING = Crash("PATCH", "/state", lambda call: bool(call.body["state"] == "deferred"))
CRASHES: Mapping[str, Crash | None] = {
    "no_kill": None,
    "before_the_intent": Crash(*STORE, _is_intent),
    "before_the_call": Crash(*STORE, _is_intent, is_served=True, leaves_doubt=True),
    "before_the_record": Crash(*STORE, _names_run),
    "after_the_record": Crash(*STORE, _names_run, is_served=True),
    "at_the_first_xcom": Crash("POST", "/xcoms/"),
    "while_deferring": DEFERRING,
    "while_waiting": WAITING,
}
ONLY_IN: Mapping[str, Mode] = {"while_deferring": "deferrable", "while_waiting": "sync"}
USUAL = frozenset(
    {
        ("no_fault", "before_the_intent"),
        ("refused", "no_kill"),
        ("refused", "before_the_call"),
        ("reset_before", "before_the_call"),
        ("reset_after", "before_the_record"),
        ("answer_lost", "after_the_record"),
        ("throttled", "at_the_first_xcom"),
        ("5xx_before", "no_kill"),
        ("5xx_after", "while_deferring"),
        ("408_before", "no_kill"),
        ("408_after", "while_deferring"),
        ("unknown_word_in_2xx", "no_kill"),
        ("unknown_number_in_2xx", "no_kill"),
        ("timeout_in_2xx", "no_kill"),
        ("throttled_in_2xx", "no_kill"),
        ("list_lags", "before_the_record"),
        ("answer_lost_list_lags", "while_waiting"),
    }
)
"""Every fault and every kill at least once."""
EVERYDAY = frozenset({("modelarts", "deferrable"), ("aom", "sync")})
"""A service that leaves markers, and one that leaves none."""


class Sabotage:
    """What happens to one task: its start goes wrong, and its worker is killed.

    Args:
        stage: Where the task is.
        door: The way to the service.
        fault: What goes wrong with the start.
        crash: Where the worker is killed; None for nowhere.
    """

    def __init__(self, stage: Stage, door: Door, fault: Fault, crash: Crash | None) -> None:
        self._stage = stage
        self._door = door
        self._crash = crash
        self._shuts = fault.is_refused
        if fault.rule:
            code = {"code": THROTTLING[stage.service.name.partition("-")[0]]} if fault.throttles else {}
            stage.service.fault("start", **fault.rule, **code)

    @property
    def is_over(self) -> bool:
        """Whether all of it has happened."""
        return not self._shuts and self._crash is None

    def play(self, operator: StartOperator) -> None:
        """Try the task until it has succeeded or Airflow gives it up."""
        for _ in range(RETRIES + 1):
            self._attempt(operator)
            self._door.open()
            if self._stage.airflow.state != "up_for_retry":
                return
            self._stage.clock.advance(RETRY_DELAY)

    def _attempt(self, operator: StartOperator) -> None:
        airflow = self._stage.airflow
        airflow.on_call("PUT", "/store/ti/", self._meet, times=100)
        if self._crash is None:
            self._stage.attempt(operator)
        else:
            airflow.on_call(self._crash.method, self._crash.path, self._meet, times=100)
            self._attempt_apart(operator)
        airflow.api.intercepts.clear()

    def _attempt_apart(self, operator: StartOperator) -> None:
        """Run an attempt in a process of its own, which may be killed."""
        if self._crash is WAITING:
            self._stage.at(WAITED, _killer_of_others())
        self._stage.attempt(operator, in_process=True)
        self._stage.clock.clear()
        if self._stage.airflow.state == "running":
            self._stage.airflow.lose_worker()
            self._crash = None

    def _meet(self, call: ApiCall) -> httpx.Response | None:
        """Look at a call to Airflow, and do what is due at it."""
        if self._shuts and _is_intent(call):
            self._door.shut()
            self._shuts = False
        crash = self._crash
        if crash is None or call.method != crash.method or crash.path not in call.path or not crash.strikes(call):
            return None
        api = self._stage.airflow.api
        with api.lock:
            answer = api._route(call) if crash.is_served else httpx.Response(503)
        self._stage.airflow.kill_worker()
        return answer


def _killer_of_others() -> Callable[[], None]:
    """Make something that kills whatever process it is called in, unless it is this one."""
    this_process = os.getpid()

    def kill() -> None:
        if os.getpid() != this_process:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


@pytest.fixture
def shared_time(emulator: Emulator, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch) -> ScriptedClock:
    """The one time, moved as well by what a task in a process of its own sleeps there."""
    this_process, url, advance = os.getpid(), f"{emulator.url}/_emulator/clock", emulator.clock.advance

    def advance_everywhere(seconds: float) -> datetime:
        if os.getpid() != this_process:
            httpx.post(url, json={"advance": seconds}).raise_for_status()
        return advance(seconds)

    monkeypatch.setattr(emulator.clock, "advance", advance_everywhere)
    return clock


@pytest.fixture(scope="module")
def door(emulator: Emulator) -> Iterator[Door]:
    with Door(emulator.url) as door:
        yield door


def _through(door: Door, stage: Stage) -> None:
    """Let the task reach the service through the door alone."""
    for conn_id, connection in stage.service.connections().items():
        led = json.loads(json.dumps(connection).replace(stage.emulator.url, door.url))
        stage.airflow.set_connection(conn_id, led)


def _cells() -> Iterator[Any]:
    for service in REAL:
        for fault in FAULTS:
            for crash in CRASHES:
                for mode in OPERATOR_MODES:
                    if mode == ONLY_IN.get(crash, mode):
                        marks = _marks(service, mode, is_usual=(fault, crash) in USUAL)
                        name = f"{service.name}-{fault}-{crash}-{mode}"
                        yield pytest.param(service, fault, crash, mode, id=name, marks=marks)


def _marks(service: type[ServiceUnderTest], mode: Mode, *, is_usual: bool) -> tuple[pytest.MarkDecorator, ...]:
    """All cells take minutes: the usual ones of two services run always, those of the others with what is slow."""
    if not is_usual:
        return (pytest.mark.full,)
    return () if (service.name, mode) in EVERYDAY else (pytest.mark.slow,)


@pytest.mark.parametrize(("service", "fault", "crash", "mode"), list(_cells()))
def test_one_run(
    emulator: Emulator,
    shared_time: ScriptedClock,
    door: Door,
    service: type[ServiceUnderTest],
    fault: str,
    crash: str,
    mode: Mode,
) -> None:
    trouble, kill = FAULTS[fault], CRASHES[crash]
    reset(emulator, shared_time, {**service.profiles["usual"], "list_lag": trouble.list_lag})
    stage = Stage(service(emulator), mode, shared_time)
    stage.plan(*chain(("train", completes(600))))
    if trouble.is_refused:
        _through(door, stage)
    sabotage = Sabotage(stage, door, trouble, kill)
    operator = stage.starter(retries=RETRIES)
    doubts = int(trouble.leaves_doubt) + int(kill is not None and kill.leaves_doubt)
    try:
        sabotage.play(operator)
        for _ in range(doubts if "no marker" in service.abilities else 0):
            _expect_doubt(stage)
            stage.airflow.clear()
            sabotage.play(operator)
        if trouble.rule:
            assert any(entry.fault for entry in emulator.journal.entries), "no start went wrong"
        assert sabotage.is_over, "the task never came to the place of its kill"
        _expect_one_run(stage)
    except Exception as error:
        error.add_note(f"log:\n{stage.log}")
        raise
    finally:
        stage.forget_workflows()


def _expect_doubt(stage: Stage) -> None:
    """Nothing was started, nobody can know, and a person is told."""
    assert stage.airflow.state == "failed"
    assert StartUncertainError.__name__ in stage.logs[-1]
    assert stage.runs == []
    assert stage.counts.starts == 0


def _expect_one_run(stage: Stage) -> None:
    """The task has followed the only run to its end."""
    assert stage.airflow.state == "success"
    assert stage.counts.starts == 1
    assert stage.runs == [stage.airflow.xcoms["return_value"]]
    assert (stage.counts.stops, stage.counts.idle_stops) == (0, 0)
