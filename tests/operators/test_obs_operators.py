"""What the operators and sensors of data workflows do beside what the scenario table shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from airflow_provider_mlworkflows.emulator.obs.ready import FAILS_ONCE, TAKES_AN_HOUR, WITH_INPUTS
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    InvalidInputError,
    MLWorkflowsError,
    RunFailedError,
    StartUncertainError,
)
from airflow_provider_mlworkflows.hooks.obs import ObsWorkflowHook
from airflow_provider_mlworkflows.operators.obs import ObsRestoreExecutionOperator, ObsStartWorkflowOperator
from airflow_provider_mlworkflows.sensors.obs import ObsStateSensor
from tests.harness.task_runner import FakeAirflow

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Bell
    from airflow_provider_mlworkflows.emulator.obs.machine import Execution
    from tests.harness.results import TaskResult
    from tests.support import Bench

START, RESTORE = "asyncAPIStartWorkflow", "restoreFailedWorkflowExecution"
PLACE = {"bucket": "emulator-data", "object_key": "raw/lecture.mp4"}
INPUTS = {"resolution": "480p"}
LOST = FaultRule(operation=START, when="after", action="reset", times=1)
MARKED = {"marker_input": "started-by"}
TOLD = "cannot be stopped: "
both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])


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
    """Starts that somebody else sends."""

    def start() -> None:
        hook = ObsWorkflowHook(HUAWEI_CONNECTION, clock=bench.clock)
        for _ in range(times):
            hook.start_run(WITH_INPUTS, **{**PLACE, "inputs": INPUTS, **changes})

    return start


class Mapped:
    """The other nine of ten mapped tasks that start the same."""

    def __init__(self, bench: Bench, **arguments: Any) -> None:
        self._bench = bench
        self._arguments = arguments
        self.results: list[TaskResult] = []

    def run(self) -> None:
        """Run them, one after the other, also in the middle of another task."""
        for index in range(1, 10):
            airflow = FakeAirflow(
                connections(self._bench.emulator.url), clock=self._bench.emulator.clock.now, map_index=index
            )
            self.results.append(airflow.run(starter(**self._arguments)))

    @property
    def run_ids(self) -> set[str]:
        """The executions that they started."""
        assert [result.state for result in self.results] == ["success"] * 9
        found = {result.xcoms["run_id"] for result in self.results}
        assert len(found) == 9
        return found


@pytest.fixture(params=["before", "during"])
def lost_among_ten(
    request: pytest.FixtureRequest, modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None]
) -> Callable[[ObsStartWorkflowOperator, Mapped], TaskResult]:
    """Run a task whose start is not answered, with the others just before it or while it looks for its execution."""

    def run(operator: ObsStartWorkflowOperator, others: Mapped) -> TaskResult:
        if request.param == "before":
            # They began in the same second, but no list shows them when it is noted what there is.
            modelarts.emulator.switches.list_lag = 20.0
            others.run()
        else:
            modelarts.emulator.switches.list_lag = 8.0
            meanwhile(others.run)
        modelarts.emulator.faults.add(LOST)
        return modelarts.airflow.run(operator)

    return run


def test_ten_mapped_starts_of_which_one_answer_is_lost(
    modelarts: Bench, lost_among_ten: Callable[[ObsStartWorkflowOperator, Mapped], TaskResult]
) -> None:
    others = Mapped(modelarts)
    operator = starter(retries=1)
    result = lost_among_ten(operator, others)
    for _ in range(2):
        assert isinstance(result.error, StartUncertainError), result.log
        assert set(result.error.candidates) == executions(modelarts)
        assert [name for name in result.error.candidates if name not in str(result.error)] == []
        result = modelarts.airflow.run(operator) if result.state == "up_for_retry" else result
    assert result.state == "failed"
    assert len(executions(modelarts)) == 10
    assert others.run_ids < executions(modelarts)
    assert modelarts.emulator.journal.count(START) == 10


def test_ten_marked_starts_of_which_one_answer_is_lost(
    modelarts: Bench, lost_among_ten: Callable[[ObsStartWorkflowOperator, Mapped], TaskResult]
) -> None:
    others = Mapped(modelarts, **MARKED)
    result = lost_among_ten(starter(**MARKED), others)
    assert result.state == "success", result.log
    assert {result.xcoms["run_id"]} == executions(modelarts) - others.run_ids
    assert modelarts.emulator.journal.count(START) == 10


def test_ten_marked_starts_without_any_answer(
    modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None]
) -> None:
    modelarts.emulator.switches.list_lag = 8.0
    modelarts.emulator.faults.add(FaultRule(operation=START, when="after", action="reset", times=10))
    others = Mapped(modelarts, **MARKED)
    meanwhile(others.run)
    result = modelarts.airflow.run(starter(**MARKED))
    assert result.state == "success", result.log
    assert {result.xcoms["run_id"]} == executions(modelarts) - others.run_ids
    assert modelarts.emulator.journal.count(START) == 10


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


@pytest.mark.parametrize("list_lag", [0.0, 20.0], ids=["noted", "not listed yet"])
def test_an_execution_that_began_before_is_no_candidate(modelarts: Bench, list_lag: float) -> None:
    modelarts.emulator.switches.list_lag = list_lag
    before = modelarts.emulator.obs.start(WITH_INPUTS, PLACE["bucket"], PLACE["object_key"], INPUTS)
    modelarts.clock.advance(10)
    modelarts.emulator.faults.add(LOST)
    result = modelarts.airflow.run(starter())
    assert result.state == "success", result.log
    assert {result.xcoms["run_id"], before.execution_name} == executions(modelarts)
    assert result.xcoms["run_id"] != before.execution_name


@pytest.mark.parametrize("arguments", [{}, MARKED], ids=["unmarked", "marked"])
@pytest.mark.parametrize("minutes", [-10, 10])
def test_clocks_that_differ(
    modelarts: Bench, monkeypatch: pytest.MonkeyPatch, minutes: int, arguments: dict[str, str]
) -> None:
    modelarts.emulator.obs.start(WITH_INPUTS, PLACE["bucket"], PLACE["object_key"], INPUTS)
    modelarts.clock.advance(5)
    modelarts.emulator.faults.add(LOST)
    ahead, time = timedelta(minutes=minutes).total_seconds(), modelarts.clock.time
    monkeypatch.setattr(modelarts.clock, "time", lambda: time() + ahead)
    result = modelarts.airflow.run(starter(**arguments))
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


def failed_execution(bench: Bench) -> Execution:
    """Somebody else's execution, which has failed in its second of three states."""
    name = bench.emulator.obs.start(FAILS_ONCE).execution_name
    bench.clock.advance(60)
    execution = bench.emulator.obs.execution(name)
    assert execution.state == "FAILED"
    return execution


def restorer(execution: Execution, **arguments: Any) -> ObsRestoreExecutionOperator:
    return ObsRestoreExecutionOperator(
        task_id="restore", graph_name=execution.graph_name, execution_name=execution.execution_name, **arguments
    )


def follower(graph_name: str, **arguments: Any) -> ObsStartWorkflowOperator:
    """A start of a workflow without parameters, which is waited for."""
    return starter(graph_name=graph_name, inputs=None, wait_for_completion=True, poll_interval=10.0, **arguments)


class TestKill:
    def test_of_a_start_says_once_that_nothing_stops_an_execution(
        self, modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None]
    ) -> None:
        meanwhile(lambda: modelarts.airflow.mark("failed"))
        result = modelarts.airflow.run(follower(TAKES_AN_HOUR, deferrable=False, retries=1))
        assert result.state == "failed"
        assert result.log.count(TOLD) == 1
        (execution,) = modelarts.emulator.obs.executions_of(TAKES_AN_HOUR)
        assert execution.state == "RUNNING"
        assert execution.execution_name in result.log[result.log.index(TOLD) - 200 :]

    def test_of_a_restored_execution_says_the_same(
        self, modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None]
    ) -> None:
        execution = failed_execution(modelarts)
        meanwhile(lambda: modelarts.airflow.mark("failed"))
        result = modelarts.airflow.run(restorer(execution, deferrable=False))
        assert result.state == "failed"
        assert result.log.count(TOLD) == 1
        assert modelarts.emulator.obs.execution(execution.execution_name).state == "RUNNING"

    def test_where_nothing_is_to_be_stopped_says_nothing(
        self, modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None]
    ) -> None:
        meanwhile(lambda: modelarts.airflow.mark("failed"))
        result = modelarts.airflow.run(follower(TAKES_AN_HOUR, deferrable=False, cancel_on_kill=False))
        assert result.state == "failed"
        assert TOLD not in result.log


class TestStateSensor:
    """Lists show no states, and states need not say when they ended nor why they failed."""

    @staticmethod
    def wait_for(bench: Bench, state: str, **arguments: Any) -> TaskResult:
        execution = failed_execution(bench)
        sensor = ObsStateSensor(
            task_id="wait",
            graph_name=FAILS_ONCE,
            execution_name=execution.execution_name,
            state=state,
            poke_interval=10.0,
            **arguments,
        )
        return bench.airflow.run_to_end(sensor)

    @both_modes
    @pytest.mark.parametrize("detailed", [False, True])
    def test_of_a_state_that_succeeded(self, modelarts: Bench, detailed: bool, deferrable: bool) -> None:
        modelarts.emulator.switches.obs_state_details = detailed
        result = self.wait_for(modelarts, "read-metadata", deferrable=deferrable)
        assert result.state == "success", result.log
        step = result.xcoms["step"]
        assert (step["name"], step["status"], step["duration"]) == ("read-metadata", "SUCCESS", 10.0)

    @both_modes
    @pytest.mark.parametrize(
        ("detailed", "words"), [(False, "transcode"), (True, "the source has no video track")], ids=["bare", "detailed"]
    )
    def test_of_a_state_that_failed(self, modelarts: Bench, detailed: bool, words: str, deferrable: bool) -> None:
        modelarts.emulator.switches.obs_state_details = detailed
        result = self.wait_for(modelarts, "transcode", deferrable=deferrable)
        assert isinstance(result.error, RunFailedError), result.log
        assert words in str(result.error)

    @both_modes
    @pytest.mark.parametrize("state", ["thumbnail", "thumbnails"], ids=["never entered", "not there"])
    def test_of_a_state_that_is_never_entered(self, modelarts: Bench, state: str, deferrable: bool) -> None:
        result = self.wait_for(modelarts, state, deferrable=deferrable)
        assert isinstance(result.error, RunFailedError), result.log
        named = f"Step {state} of run"
        assert [each for each in (named, "read-metadata, transcode, thumbnail") if each not in str(result.error)] == []

    @both_modes
    @pytest.mark.parametrize("state", ["thumbnail", "thumbnails"], ids=["never entered", "not there"])
    def test_skips_if_so_wished(self, modelarts: Bench, state: str, deferrable: bool) -> None:
        result = self.wait_for(modelarts, state, skip_on_missing=True, deferrable=deferrable)
        assert result.state == "skipped", result.log

    def test_does_not_skip_what_failed(self, modelarts: Bench) -> None:
        result = self.wait_for(modelarts, "transcode", skip_on_missing=True, deferrable=False)
        assert result.state == "failed"


class TestRestore:
    @both_modes
    def test_goes_on_where_it_failed(self, modelarts: Bench, deferrable: bool) -> None:
        execution = failed_execution(modelarts)
        began = execution.states["read-metadata"].started_at
        result = modelarts.airflow.run_to_end(restorer(execution, deferrable=deferrable, poll_interval=10.0))
        assert result.state == "success", result.log
        assert result.xcoms["return_value"] == execution.execution_name
        restored = modelarts.emulator.obs.execution(execution.execution_name)
        assert restored.states["read-metadata"].started_at == began
        assert modelarts.emulator.journal.count(RESTORE) == 1
        assert modelarts.emulator.journal.count(START) == 0

    @pytest.mark.parametrize("reads", [1, 2, 5])
    @pytest.mark.parametrize("on_retry", ["repair", "restart"])
    def test_is_sent_once_across_attempts(
        self, modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None], on_retry: str, reads: int
    ) -> None:
        modelarts.emulator.switches.visibility_delay = reads
        execution = failed_execution(modelarts)
        operator = restorer(execution, deferrable=False, retries=1, on_retry=on_retry)
        meanwhile(modelarts.airflow.terminate)  # while the execution still shows its failure
        assert modelarts.airflow.run(operator).state == "up_for_retry"
        assert modelarts.emulator.journal.count(RESTORE) == 1
        result = modelarts.airflow.run(operator)
        assert result.state == "success", result.log
        assert modelarts.emulator.journal.count(RESTORE) == 1

    def test_that_never_shows_an_effect_is_sent_again(
        self, modelarts: Bench, meanwhile: Callable[[Callable[[], None]], None]
    ) -> None:
        modelarts.emulator.switches.wrong_state = (200, "")  # accepted, and nothing comes of it
        name = modelarts.emulator.obs.start(WITH_INPUTS).execution_name
        modelarts.clock.advance(60)
        modelarts.emulator.obs.force_state(name, "fail")  # as the successor of the service says it
        operator = restorer(modelarts.emulator.obs.execution(name), deferrable=False, retries=1)
        meanwhile(modelarts.airflow.terminate)
        assert modelarts.airflow.run(operator).state == "up_for_retry"
        began = modelarts.clock.time()
        result = modelarts.airflow.run(operator)
        assert isinstance(result.error, RunFailedError), result.log
        assert [entry.effective for entry in modelarts.emulator.journal.find(RESTORE)] == [False, False]
        assert modelarts.clock.time() - began < 300

    @pytest.mark.parametrize("seconds", [5, 300], ids=["running", "succeeded"])
    def test_is_refused_for_what_has_not_failed(self, modelarts: Bench, seconds: float) -> None:
        name = modelarts.emulator.obs.start(WITH_INPUTS).execution_name
        modelarts.clock.advance(seconds)
        result = modelarts.airflow.run(restorer(modelarts.emulator.obs.execution(name), deferrable=False))
        assert result.state == "failed"
        assert isinstance(result.error, BadRequestError), result.log
        assert "only failed executions can be restored" in str(result.error)
        assert modelarts.emulator.journal.count(RESTORE, effective=True) == 0

    @both_modes
    @pytest.mark.parametrize("detailed", [False, True])
    def test_is_what_a_retry_of_a_start_does(self, modelarts: Bench, detailed: bool, deferrable: bool) -> None:
        modelarts.emulator.switches.obs_state_details = detailed
        operator = follower(FAILS_ONCE, retries=1, deferrable=deferrable)
        first = modelarts.airflow.run_to_end(operator)
        assert first.state == "up_for_retry"
        assert isinstance(first.error, RunFailedError)
        assert "transcode" in str(first.error)
        result = modelarts.airflow.run_to_end(operator)
        assert result.state == "success", result.log
        (execution,) = modelarts.emulator.obs.executions_of(FAILS_ONCE)
        assert result.xcoms["return_value"] == execution.execution_name
        calls = [entry.operation for entry in modelarts.requests if entry.operation in (START, RESTORE)]
        assert calls == [START, RESTORE]
