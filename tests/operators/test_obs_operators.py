"""Starts of data workflows that leave no mark, and what is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION
from airflow_provider_mlworkflows.emulator.obs.ready import WITH_INPUTS
from airflow_provider_mlworkflows.exceptions import InvalidInputError, MLWorkflowsError, StartUncertainError
from airflow_provider_mlworkflows.hooks.obs import ObsWorkflowHook
from airflow_provider_mlworkflows.operators.obs import ObsStartWorkflowOperator

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Bell
    from tests.support import Bench

START = "asyncAPIStartWorkflow"
PLACE = {"bucket": "emulator-data", "object_key": "raw/lecture.mp4"}
INPUTS = {"resolution": "480p"}
LOST = FaultRule(operation=START, when="after", action="reset", times=1)


def starter(**arguments: Any) -> ObsStartWorkflowOperator:
    usual: dict[str, Any] = {"task_id": "start", "graph_name": WITH_INPUTS, "inputs": INPUTS, **PLACE}
    return ObsStartWorkflowOperator(**{**usual, "wait_for_completion": False, **arguments})


def executions(bench: Bench) -> set[str]:
    return {each.execution_name for each in bench.emulator.obs.executions_of(WITH_INPUTS)}


@pytest.fixture
def meanwhile(modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Do something once, as soon as the task begins to look for what its lost start has created."""

    def arrange(act: Callable[[], None]) -> None:
        pending, sleep = [act], modelarts.clock.sleep

        def sleep_once_disturbed(seconds: float, bell: Bell | None = None) -> None:
            if pending:
                pending.pop()()
            sleep(seconds, bell)

        monkeypatch.setattr(modelarts.clock, "sleep", sleep_once_disturbed)

    return arrange


def others_start(bench: Bench, times: int, **changes: Any) -> Callable[[], None]:
    """The same start as other mapped tasks send it."""

    def start() -> None:
        hook = ObsWorkflowHook(HUAWEI_CONNECTION, clock=bench.clock)
        for _ in range(times):
            hook.start_run(WITH_INPUTS, **{**PLACE, "inputs": INPUTS, **changes})

    return start


def test_ten_mapped_starts_of_which_one_answer_is_lost(
    modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None]
) -> None:
    modelarts.emulator.faults.add(LOST)
    meanwhile(others_start(modelarts, 9))
    result = modelarts.airflow.run(starter())
    assert isinstance(result.error, StartUncertainError)
    assert len(result.error.candidates) == 10
    assert set(result.error.candidates) == executions(modelarts)
    assert modelarts.emulator.journal.count(START, effective=True) == 10


def test_ten_marked_starts_of_which_one_answer_is_lost(
    modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None]
) -> None:
    modelarts.emulator.switches.list_lag = 8.0
    modelarts.emulator.faults.add(LOST)
    meanwhile(others_start(modelarts, 9))
    result = modelarts.airflow.run(starter(marker_input="started-by"))
    assert result.state == "success"
    (lost, *_) = modelarts.emulator.journal.find(START, effective=True)
    assert result.xcoms["run_id"] == lost.ids["execution_name"]
    assert len(executions(modelarts)) == 10


@pytest.mark.parametrize(
    "changes", [{"inputs": {"resolution": "720p"}}, {"object_key": "raw/other.mp4"}, {"bucket": "other-data"}], ids=str
)
@pytest.mark.parametrize("form", ["request", "event"])
def test_starts_of_something_else_are_no_candidates(
    modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None], changes: Mapping[str, Any], form: str
) -> None:
    modelarts.emulator.switches.obs_input = form  # type: ignore[assignment]
    modelarts.emulator.faults.add(LOST)
    meanwhile(others_start(modelarts, 3, **changes))
    result = modelarts.airflow.run(starter())
    assert result.state == "success"
    (lost, *_) = modelarts.emulator.journal.find(START, effective=True)
    assert result.xcoms["run_id"] == lost.ids["execution_name"]


def test_executions_that_events_started_are_no_candidates(
    modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None]
) -> None:
    modelarts.emulator.faults.add(LOST)

    def event() -> None:
        modelarts.emulator.obs.trigger(WITH_INPUTS, PLACE["bucket"], PLACE["object_key"])

    meanwhile(event)
    assert modelarts.airflow.run(starter()).state == "success"
    assert len(executions(modelarts)) == 2


@pytest.mark.parametrize("minutes", [-10, 10])
def test_clocks_that_differ(modelarts: Bench, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    modelarts.emulator.obs.start(WITH_INPUTS, PLACE["bucket"], PLACE["object_key"], INPUTS)
    modelarts.clock.advance(5)
    modelarts.emulator.faults.add(LOST)
    ahead, time = timedelta(minutes=minutes).total_seconds(), modelarts.clock.time
    monkeypatch.setattr(modelarts.clock, "time", lambda: time() + ahead)
    result = modelarts.airflow.run(starter())
    assert result.state == "success"
    (lost, *_) = modelarts.emulator.journal.find(START, effective=True)
    assert result.xcoms["run_id"] == lost.ids["execution_name"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"graph_name": "a/b"}, ["'a/b'", "letters"]),
        ({"bucket": "Upper"}, ["'Upper'"]),
        ({"object_key": ""}, ["object"]),
        ({"inputs": {"resolutoin": "480p"}}, ["'resolutoin'", "'resolution'"]),
        ({"inputs": {"frames": "many"}}, ["frames", "Integer"]),
        ({"inputs": {"started-by": "me"}, "marker_input": "started-by"}, ["started-by", "token"]),
        ({"marker_input": "mark"}, ["'mark'", "started-by"]),
        ({"on_uncertain": "guess"}, ["on_uncertain", "'start'"]),
    ],
    ids=str,
)
def test_bad_input_starts_nothing(modelarts: Bench, arguments: dict[str, Any], words: list[str]) -> None:
    error: BaseException | None
    try:
        error = modelarts.airflow.run(starter(**arguments)).error
    except MLWorkflowsError as refused:  # what can be told when the Dag file is read
        error = refused
    assert isinstance(error, InvalidInputError)
    assert [word for word in words if word not in str(error)] == []
    assert modelarts.emulator.journal.count(START) == 0
