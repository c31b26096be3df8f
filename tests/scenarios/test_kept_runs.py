"""Runs that a task must not lose, start twice or judge wrongly, whatever goes wrong beside them."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.exceptions import (
    RunFailedError,
    RunInterruptedError,
    RunNotFoundError,
    RunTimeoutError,
)
from airflow_provider_mlworkflows.operators.aom import AomStartWorkflowOperator
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.handling import RunHandler
from airflow_provider_mlworkflows.operators.obs import ObsStartWorkflowOperator
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.task_states import TaskKey
from tests.scenarios.aom import AomTemplateUnderTest, AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.moments import NOT_FOUND, mark_while_hanging, while_making_way
from tests.scenarios.obs import ObsMarkedUnderTest, ObsUnderTest
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import PlannedStep, chain, completes, endless, fails
from tests.scenarios.rows_attempts import lose_worker
from tests.scenarios.service import Counts
from tests.scenarios.stage import OPERATOR_MODES, Mode, SetStage

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from airflow_provider_mlworkflows.runs import Run, RunRef, Step
    from tests.harness.execution_api import ApiCall
    from tests.scenarios.service import CallKind, ServiceUnderTest
    from tests.scenarios.stage import Stage


def _at_conclusion(patch: pytest.MonkeyPatch, stage: Stage, happening: Any) -> None:
    """Let something happen between the end of the waiting and the last read."""
    for kind, name in ((RunOperator, "_conclude"), (RunSensor, "_complete")):
        conclude = getattr(kind, name)

        def interrupted(self: Any, *args: Any, _name: str = name, _conclude: Any = conclude) -> Any:
            patch.setattr(type(self), _name, _conclude)
            happening()
            return _conclude(self, *args)

        patch.setattr(kind, name, interrupted)


# Reads that find nothing just then.


@pytest.mark.parametrize("mode", OPERATOR_MODES)
def test_a_last_look_that_finds_nothing_is_no_verdict(
    set_stage: SetStage,
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
) -> None:
    stage = set_stage(mode)
    stage.plan(*chain(("train", completes(60))))
    _at_conclusion(monkeypatch, stage, lambda: stage.service.fault("read", **NOT_FOUND))
    assert stage.attempt(stage.starter()).state == "success", stage.log


def test_a_last_look_of_a_sensor_that_finds_nothing_is_no_verdict(
    set_stage: SetStage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("train", completes(60))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    _at_conclusion(monkeypatch, stage, lambda: stage.service.fault("read", **NOT_FOUND))
    assert stage.attempt(stage.sensor(run_id)).state == "success", stage.log


@pytest.mark.parametrize("mode", OPERATOR_MODES)
def test_a_run_that_is_not_found_at_its_deadline_is_stopped(
    set_stage: SetStage,
    monkeypatch: pytest.MonkeyPatch,
    mode: Mode,
) -> None:
    stage = set_stage(mode)
    stage.plan(*chain(("train", endless())))
    _at_conclusion(monkeypatch, stage, lambda: stage.service.fault("read", times=2, **NOT_FOUND))
    result = stage.attempt(stage.starter(timeout=600))
    assert isinstance(result.error, RunTimeoutError)
    assert "It was told to stop" in str(result.error)
    assert stage.counts == Counts(starts=1, stops=1)


@pytest.mark.parametrize("choice", ["fail", "restart"])
def test_a_run_that_a_retry_does_not_find_for_half_a_minute_is_taken_up(set_stage: SetStage, choice: str) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter(retries=1, on_unrepairable=choice)
    lose_worker(stage, operator)
    stage.service.fault("read", times=10, **NOT_FOUND)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


def test_a_run_that_a_cleared_task_does_not_find_for_half_a_minute_is_stopped(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", (endless(),))))
    operator = stage.starter(wait_for_completion=False)
    stage.attempt(operator)
    stage.airflow.clear()
    stage.service.fault("read", times=10, **NOT_FOUND)
    assert stage.attempt(operator).state == "success"
    stage.clock.advance(60)
    assert [stage.service.shown(run_id) for run_id in stage.runs] == ["stopped", "running"]


def test_a_run_that_is_gone_at_its_deadline_is_said_to_be(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    stage.at(590, lambda: stage.service.delete(stage.run_id))
    error = stage.attempt(stage.starter(timeout=600)).error
    assert isinstance(error, RunTimeoutError)
    assert "It does not exist any more" in str(error)
    assert "may go on" not in stage.log


def test_a_run_that_is_gone_is_not_looked_for_any_longer_than_that(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1)
    lose_worker(stage, operator)
    stage.service.delete(stage.run_id)
    began = stage.clock.time()
    assert isinstance(stage.attempt(operator).error, RunNotFoundError)
    assert 60 <= stage.clock.time() - began < 70


# Tasks that end while an earlier run is looked at.


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_task_marked_while_it_looks_for_its_run_stops_it(set_stage: SetStage, state: Any) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1)
    lose_worker(stage, operator)
    rule = stage.service.fault("read", times=None, **NOT_FOUND)

    def mark() -> None:
        stage.emulator.faults.remove(rule)
        stage.mark(state)

    stage.at(20, mark)
    stage.attempt(operator)
    assert stage.airflow.state == state
    assert stage.counts == Counts(starts=1, stops=1)


def test_a_task_marked_while_it_sees_whether_it_was_cleared_stops_its_run(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1)
    lose_worker(stage, operator)
    stage.airflow.clear_other_task()
    stage.at(10, lambda: stage.mark("failed"))
    stage.attempt(operator)
    assert stage.airflow.state == "failed"
    assert stage.counts == Counts(starts=1, stops=1)


def test_a_task_marked_while_its_earlier_run_makes_way_stops_it(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", (endless(),))))
    operator = stage.starter(wait_for_completion=False)
    stage.attempt(operator)
    stage.airflow.clear()

    def mark() -> None:
        stage.emulator.faults.add(FaultRule(operation="ShowWorkflow", status=503, times=None))
        stage.mark("failed")

    while_making_way(monkeypatch, stage, mark)
    stage.attempt(operator)
    assert stage.airflow.state == "failed"
    assert "does not exist any more" not in stage.log
    assert stage.counts == Counts(starts=1, stops=1)


@pytest.mark.parametrize("cause", ["clear", "retry"])
def test_a_task_told_to_end_before_another_start_does_not_promise_the_old_run(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", completes(10) if cause == "clear" else fails(10))))
    operator = stage.starter(retries=2, on_retry="restart")
    stage.attempt(operator)
    if cause == "clear":
        stage.airflow.clear()
    prepare = type(operator).prepare_start

    def interrupted(self: StartOperator) -> None:
        prepare(self)
        stage.shut_down()

    monkeypatch.setattr(type(operator), "prepare_start", interrupted)
    error = stage.attempt(operator).error
    assert isinstance(error, RunInterruptedError)
    assert "before it had started anything" in str(error)


# Repairs whose effect shows late.


@pytest.mark.parametrize("status", [400, 503])
@pytest.mark.parametrize("choice", ["fail", "restart"])
@pytest.mark.parametrize("service", [ModelArtsUnderTest, PaiFlowUnderTest])
def test_a_repaired_run_whose_steps_show_it_late_is_kept(
    set_stage: SetStage,
    monkeypatch: pytest.MonkeyPatch,
    service: type[ServiceUnderTest],
    choice: str,
    status: int,
) -> None:
    stage = set_stage(service=service)
    stage.plan(*chain(("train", (fails(20), completes(600)))))
    operator = stage.starter(retries=1, on_unrepairable=choice)
    stage.attempt(operator)
    _show_steps_late(monkeypatch, stage, reads=60)
    stage.service.fault("repair", when="after", status=status)
    assert stage.attempt(operator).state == "success", stage.log
    assert stage.counts == Counts(starts=1, repairs=1)


def _show_steps_late(patch: pytest.MonkeyPatch, stage: Stage, reads: int) -> None:
    """Let all steps show for some reads after a repair what they showed before; the run shows what it is."""
    usual = RunOperator.read
    late = itertools.count()
    before: dict[str, Step] = {}

    def read(self: RunOperator, ref: RunRef) -> Run:
        run = usual(self, ref)
        if stage.counts.repairs == 0:
            before.update({step.name: step for step in run.steps})
            return run
        if next(late) >= reads:
            return run
        return replace(run, steps=tuple(before.get(step.name, step) for step in run.steps))

    patch.setattr(RunOperator, "read", read)


# Stops that do not go through at once.


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 404}])
@pytest.mark.parametrize("call", ["stop", "read"])
def test_a_task_marked_while_the_stop_at_its_deadline_fails_stops_its_run(
    set_stage: SetStage, call: CallKind, fault: dict[str, Any]
) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    rule: list[FaultRule] = []

    def mark() -> None:
        stage.emulator.faults.remove(rule[0])
        stage.mark("failed")

    stage.at(600, lambda: rule.append(stage.service.fault(call, times=None, **fault)))
    stage.at(610, mark)
    stage.attempt(stage.starter(timeout=599, poll_interval=10))
    assert stage.airflow.state == "failed"
    assert "does not exist any more" not in stage.log
    assert stage.counts == Counts(starts=1, stops=1)


def test_a_run_that_ends_by_itself_at_its_deadline_has_ended_in_time(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    stop = RunHandler.stop_patiently

    def too_late(handler: RunHandler, ref: RunRef, why: str) -> str:
        stage.service.show_status(ref.run_id, "completed")
        return stop(handler, ref, why)

    monkeypatch.setattr(RunHandler, "stop_patiently", too_late)
    assert stage.attempt(stage.starter(timeout=600)).state == "success"
    assert stage.counts == Counts(starts=1)


def test_a_task_marked_while_the_stop_of_an_earlier_run_hangs_has_time_to_stop_it(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", (endless(),))))
    operator = stage.starter(wait_for_completion=False)
    stage.attempt(operator)
    stage.airflow.clear()
    is_over = threading.Event()
    mark_while_hanging(monkeypatch, stage, is_over, lambda request: request.url.endswith("/actions"), only_once=True)
    try:
        stage.attempt(operator)
    finally:
        is_over.set()
    assert stage.airflow.state == "failed"
    assert stage.counts == Counts(starts=1, stops=1)


# Triggers that fail.


def _fail_trigger(stage: Stage, operator: RunOperator) -> None:
    stage.defer(operator)
    stage.airflow.fail_trigger(["Traceback: it is broken"])


def test_the_last_attempt_follows_the_run_of_a_failed_trigger_itself(set_stage: SetStage) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter()
    _fail_trigger(stage, operator)
    assert stage.go_on_after_failure(operator).state == "success"
    assert "has failed; this worker follows the run itself" in stage.log
    assert stage.deferrals == 0
    assert stage.counts == Counts(starts=1)


def test_the_run_of_a_failed_trigger_is_stopped_at_its_deadline(set_stage: SetStage) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(timeout=600)
    _fail_trigger(stage, operator)
    assert isinstance(stage.go_on_after_failure(operator).error, RunTimeoutError)
    assert stage.counts == Counts(starts=1, stops=1)


def test_the_next_attempt_takes_up_the_run_of_a_failed_trigger(set_stage: SetStage) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter(retries=1)
    _fail_trigger(stage, operator)
    assert stage.go_on_after_failure(operator).state == "up_for_retry"
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@pytest.mark.parametrize("call", ["axcom", "aset_xcom"])
def test_a_trigger_outlives_an_xcom_backend_that_fails(
    set_stage: SetStage,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("prepare", completes(60)), ("train", completes(600))))
    failures = iter([OSError("the object storage of the XCom backend has no time")])
    usual = getattr(TaskKey, call)

    async def failing_once(self: TaskKey, *args: Any) -> Any:
        for failure in failures:
            raise failure
        return await usual(self, *args)

    monkeypatch.setattr(TaskKey, call, failing_once)
    assert stage.attempt(stage.starter()).state == "success", stage.log
    assert "has no time" in stage.log
    assert stage.counts == Counts(starts=1)


@pytest.mark.parametrize("verdict", ["time-out", "failure"])
def test_a_worker_outlives_an_xcom_backend_that_fails(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(timeout=600)
    stage.defer(operator)

    def fail(self: TaskKey, key: str) -> None:
        raise OSError("the object storage of the XCom backend has no time")

    monkeypatch.setattr(TaskKey, "xcom", fail)
    if verdict == "failure":
        stage.airflow.fail_trigger(["Traceback: it is broken"])
        stage.go_on_after_failure(operator)
    else:
        stage.go_on(operator)
    assert isinstance(stage.result.error, RunTimeoutError)
    assert stage.counts == Counts(starts=1, stops=1)


# Failures of a task's own.


def _refuse(call: ApiCall) -> httpx.Response:
    return httpx.Response(400, json={"detail": "no"})


@pytest.mark.parametrize(("retries", "stops"), [(0, 1), (1, 0)])
def test_a_run_that_nobody_takes_up_is_stopped_if_its_task_fails_by_itself(
    set_stage: SetStage,
    retries: int,
    stops: int,
) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter(retries=retries)
    stage.airflow.on_call("POST", "/xcoms/", _refuse)
    assert stage.attempt(operator).state == ("up_for_retry" if retries else "failed")
    assert stage.run_id in stage.log
    assert stage.counts == Counts(starts=1, stops=stops)
    if retries:
        assert stage.attempt(operator).state == "success"
        assert stage.counts == Counts(starts=1)


# Metrics.


@pytest.mark.parametrize("mode", OPERATOR_MODES)
@pytest.mark.parametrize("status", [403, 500])
def test_metrics_that_cannot_be_read_do_not_decide(set_stage: SetStage, mode: Mode, status: int) -> None:
    stage = set_stage(mode)
    stage.plan(*chain(("train", completes(60))))
    stage.emulator.faults.add(FaultRule(operation="ShowWorkflowStepExecutionMetrics", status=status, times=None))
    result = stage.attempt(stage.starter(fetch_metrics=True))
    assert result.state == "success"
    assert "metrics" not in result.xcoms
    assert "measured could not be read" in stage.log
    stage.plan(*chain(("prepare", completes(10)), ("train", fails())))
    stage.airflow.clear()
    assert isinstance(stage.attempt(stage.starter(fetch_metrics=True)).error, RunFailedError)


def test_metrics_are_asked_for_again(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", completes(60))))
    stage.emulator.faults.add(FaultRule(operation="ShowWorkflowStepExecutionMetrics", status=500, times=5))
    assert stage.attempt(stage.starter(fetch_metrics=True)).xcoms["metrics"].keys() == {"train"}


# Arguments that are rendered anew.


@pytest.mark.parametrize("mode", OPERATOR_MODES)
def test_a_name_that_changes_with_the_attempt_hides_no_run(set_stage: SetStage, mode: Mode) -> None:
    stage = set_stage(mode, service=AomTemplateUnderTest)
    stage.plan(*chain(("train", completes(600))))
    operator = AomStartWorkflowOperator(
        task_id="start",
        template_id=stage.workflow,
        workflow_name="train-{{ ti.try_number }}",
        deferrable=mode == "deferrable",
        retries=1,
    )
    lose_worker(stage, operator, stored=2)
    stage.clock.advance(60)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@pytest.mark.parametrize("choice", ["fail", "start"])
def test_an_object_that_changes_with_the_attempt_hides_no_run(set_stage: SetStage, choice: str) -> None:
    stage = set_stage(service=ObsUnderTest)
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter(retries=1, on_uncertain=choice)
    assert isinstance(operator, ObsStartWorkflowOperator)
    operator.object_key = "data/{{ ti.try_number }}.csv"
    lose_worker(stage, operator, stored=2)
    stage.clock.advance(60)
    assert stage.attempt(operator).state == "success", stage.log
    assert stage.counts == Counts(starts=1)


def test_a_parameter_that_no_longer_takes_the_marker_hides_no_run(set_stage: SetStage) -> None:
    stage = set_stage(service=ObsMarkedUnderTest)
    stage.plan(*chain(("train", completes(600))))
    operator, later = stage.starter(retries=1), stage.starter(retries=1)
    assert isinstance(later, ObsStartWorkflowOperator)
    later.marker_input = None
    lose_worker(stage, operator, stored=2)
    assert stage.attempt(later).state == "success", stage.log
    assert stage.counts == Counts(starts=1)


def test_a_start_of_a_workflow_is_looked_for_though_a_template_is_named_now(set_stage: SetStage) -> None:
    stage = set_stage(service=AomUnderTest)
    stage.plan(*chain(("train", endless())))
    lose_worker(stage, stage.starter(retries=1), stored=2)
    template = AomTemplateUnderTest(stage.emulator).add_workflow(chain(("train", endless())))
    later = AomStartWorkflowOperator(task_id="start", template_id=template, wait_for_completion=False, retries=1)
    assert stage.attempt(later).state == "success", stage.log
    assert stage.service.shown(stage.runs[0]) in ("stopped", "stopping")


# Steps beside the one that is acted on.


def _show_late(patch: pytest.MonkeyPatch, stage: Stage, name: str, reads: int) -> None:
    """Let a step show for some reads after a repair what it showed before; the others show what they are."""
    usual = RunOperator.read
    late = itertools.count()
    before: list[Run] = []

    def read(self: RunOperator, ref: RunRef) -> Run:
        run = usual(self, ref)
        if stage.counts.repairs == 0 or next(late) >= reads:
            return run
        old = before[0].step(name)
        assert old is not None
        steps = tuple(old if step.name == name else step for step in run.steps)
        return replace(run, steps=steps, state=before[0].state, status=before[0].status)

    def note(self: RunOperator, run: Run, *args: Any) -> None:
        before.append(run)
        act(self, run, *args)

    operator = type(stage.step_actor("none", name, "retry"))
    act = operator.act  # type: ignore[attr-defined]
    patch.setattr(operator, "act", note)
    patch.setattr(RunOperator, "read", read)


@pytest.mark.parametrize("seconds", [200, 203, 206, 209])
def test_a_step_beside_the_one_that_is_retried_does_not_end_the_wait_for_it(
    set_stage: SetStage,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
) -> None:
    stage = set_stage()
    left, right = PlannedStep("left", (fails(20), completes(100))), PlannedStep("right", (completes(210),))
    stage.plan(left, right, PlannedStep("other", (endless(),)))
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(seconds)
    _show_late(monkeypatch, stage, "left", reads=4)
    assert stage.attempt(stage.step_actor(run_id, "left", "retry")).state == "success", stage.log
    assert stage.counts.repairs == 1
