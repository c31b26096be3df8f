"""What two people, a redeploy, a lost worker or a stale answer do between two calls of one task; at ModelArts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.exceptions import RunInterruptedError
from airflow_provider_mlworkflows.operators.handling import RunHandler
from airflow_provider_mlworkflows.watching import Memory
from tests.harness.state_answers import StatesAnswer
from tests.scenarios.plan import PlannedStep, chain, completes, endless, fails, held
from tests.scenarios.rows_attempts import _fails_once, lose_worker
from tests.scenarios.service import Counts
from tests.scenarios.stage import OPERATOR_MODES, SENSOR_MODES, Mode, SetStage, Stage

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from airflow_provider_mlworkflows.runs import Run, RunRef
    from tests.harness.execution_api import ApiCall
    from tests.harness.results import TaskResult


def _defer_until_the_event(stage: Stage, operator: BaseOperator) -> None:
    """Run an attempt until its trigger has fired and no worker has taken the event up yet."""
    stage.defer(operator)
    asyncio.run(stage._live())


def _take_up(stage: Stage, operator: BaseOperator) -> TaskResult:
    """Run the leg that takes an event up, without what follows it."""
    return stage._leg(operator)


def _refuse(call: ApiCall) -> httpx.Response:
    return httpx.Response(500, json={"detail": "no"})


# Repairs.


def test_cleared_with_repair_adopts_once(set_stage: SetStage) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("train", completes(600))))
    stage.attempt(stage.starter(wait_for_completion=False, on_clear="repair"))
    stage.airflow.clear()
    assert stage.attempt(stage.starter(retries=1, on_clear="repair")).state == "success"
    assert stage.counts == Counts(starts=1)


@pytest.mark.parametrize("status", [429, 403])
def test_repair_refused_at_the_second_step_starts_nothing(set_stage: SetStage, status: int) -> None:
    stage = set_stage()
    stage.plan(PlannedStep("left", (fails(), endless())), PlannedStep("right", (fails(), endless())))
    operator = stage.starter(retries=1, on_unrepairable="restart", poll_interval=30)
    stage.attempt(operator)
    stage.service.fault("repair", status=status, nth=2, times=None)
    stage.at(3000, stage.shut_down)
    stage.attempt(operator)
    assert stage.counts.starts == 1


def test_throttled_repair_starts_nothing(set_stage: SetStage) -> None:
    stage = set_stage()
    _fails_once(stage)
    operator = stage.starter(retries=1, on_unrepairable="restart")
    stage.attempt(operator)
    stage.service.fault("repair", status=429, times=None)
    stage.attempt(operator)
    assert stage.counts.starts == 1


def test_repaired_elsewhere_before_a_stale_read_starts_nothing(set_stage: SetStage) -> None:
    stage = set_stage(profile="late")
    stage.plan(*chain(("train", (fails(), endless()))))
    operator = stage.starter(retries=2, on_unrepairable="restart")
    stage.attempt(operator)
    stage.service.repair_elsewhere(stage.run_id, "train")
    stage.at(3000, stage.shut_down)
    stage.attempt(operator)
    assert stage.counts.starts == 1


@pytest.mark.parametrize("profile", ["usual", "late"])
@pytest.mark.parametrize("choice", ["fail", "restart"])
def test_crash_right_after_a_repair_goes_on_with_the_run(set_stage: SetStage, profile: str, choice: str) -> None:
    stage = set_stage(profile=profile)
    stage.plan(*chain(("train", (fails(), endless()))))
    operator = stage.starter(retries=2, on_unrepairable=choice)
    stage.attempt(operator)

    def crash(handler: RunHandler, before: Run, steps: object = ()) -> Run:
        raise RuntimeError("the worker has a bad moment")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunHandler, "settled", crash)
        stage.attempt(operator)
    assert isinstance(stage.result.error, RuntimeError)
    stage.at(300, stage.shut_down)
    stage.attempt(operator)
    assert isinstance(stage.result.error, RunInterruptedError)
    assert stage.counts.starts == 1


def test_worker_lost_between_repair_and_record_keeps_the_time_of_the_repaired_run(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", (fails(500), completes(500)))))
    operator = stage.starter(retries=2, timeout=600)
    stage.attempt(operator)
    stage.clock.advance(200)
    lose_worker(stage, operator, stored=1)
    stage.clock.advance(60)
    assert stage.attempt(operator).state == "success"
    assert stage.counts.starts == 1
    assert stage.counts.stops == 0


def test_read_errors_while_a_repair_settles_do_not_end_the_task(set_stage: SetStage) -> None:
    stage = set_stage(profile="late")
    stage.plan(*chain(("train", (fails(), endless()))))
    operator = stage.starter(retries=1)
    stage.attempt(operator)

    def begin_errors() -> None:
        stage.service.fault("read", status=503, times=8)

    stage.at(1, begin_errors)
    stage.at(4000, stage.shut_down)
    assert isinstance(stage.attempt(operator).error, RunInterruptedError)


def test_rerun_that_ended_before_the_retry_is_not_repeated(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", (fails(), completes(60), completes(60)))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(200)
    operator = stage.actor(run_id, "rerun", retries=1)
    lose_worker(stage, operator, stored=2)
    stage.clock.advance(1000)
    stage.attempt(operator)
    assert stage.counts.repairs == 1


@pytest.mark.parametrize("profile", ["usual", "late"])
def test_rerun_cleared_while_the_run_is_active_runs_again(set_stage: SetStage, profile: str) -> None:
    stage = set_stage(profile=profile)
    stage.plan(*chain(("train", (fails(), endless(), completes()))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(200)
    operator = stage.actor(run_id, "rerun", wait_for_completion=False, retries=1)
    stage.attempt(operator)
    stage.clock.advance(60)
    stage.airflow.clear()
    if stage.attempt(operator).state == "up_for_retry":
        stage.attempt(operator)
    assert stage.airflow.state == "success"
    assert stage.counts.repairs == 2


# Kills.


@pytest.mark.parametrize("profile", ["usual", "late", "prompt"])
@pytest.mark.parametrize("mode", OPERATOR_MODES)
def test_marked_failed_while_a_repair_settles_stops_the_run(set_stage: SetStage, mode: Mode, profile: str) -> None:
    stage = set_stage(mode, profile)
    stage.plan(*chain(("train", (fails(), endless()))))
    operator = stage.starter(retries=1)
    stage.attempt(operator)
    stage.at(1, lambda: stage.airflow.mark("failed"))
    stage.attempt(operator)
    stage.clock.advance(120)
    assert stage.airflow.state == "failed"
    assert stage.service.shown(stage.run_id) == "stopped"


def test_marked_failed_before_the_repair_is_sent_repairs_nothing(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", (fails(), endless()))))
    operator = stage.starter(retries=1)
    stage.attempt(operator)
    stage.airflow.on_call("GET", "/store/ti/", lambda call: stage.airflow.mark("failed"))
    stage.attempt(operator)
    assert stage.airflow.state == "failed"
    assert stage.counts.repairs == 0


def test_marked_failed_while_a_late_answer_settles_stops_once(set_stage: SetStage) -> None:
    stage = set_stage("deferrable", "late")
    stage.plan(*chain(("label", held()), ("train", endless())))
    operator = stage.starter(on_waiting="continue", approve_steps=["label"])
    _defer_until_the_event(stage, operator)
    stage.at(1, lambda: stage.airflow.mark("failed"))
    _take_up(stage, operator)
    stage.clock.advance(100)
    assert stage.counts.stops == 1


@pytest.mark.parametrize("mode", OPERATOR_MODES)
def test_marked_failed_right_after_an_answer_stops_once(set_stage: SetStage, mode: Mode) -> None:
    stage = set_stage(mode)
    stage.plan(*chain(("label", held()), ("train", endless())))
    operator = stage.starter(on_waiting="continue", approve_steps=["label"])
    if mode == "deferrable":
        _defer_until_the_event(stage, operator)
    else:
        stage.logs.append("")
    settled = RunHandler.settled

    def marked(handler: RunHandler, before: Run) -> Run:
        stage.airflow.mark("failed")
        return settled(handler, before)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunHandler, "settled", marked)
        _take_up(stage, operator)
    stage.clock.advance(100)
    assert stage.counts.stops == 1


def test_marked_failed_just_before_the_deferral_stops_once(set_stage: SetStage) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("train", endless())))
    stage.airflow.on_call("POST", "mlworkflows_watch", lambda call: stage.airflow.mark("failed"))
    stage.airflow.run(stage.starter())
    stage.clock.advance(100)
    assert stage.counts == Counts(starts=1, stops=1)


def test_redeploys_of_a_task_without_durability_stop_each_run(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1, durable=False)
    for _ in range(2):
        stage.at(100, stage.shut_down)
        stage.attempt(operator)
    stage.clock.advance(100)
    assert stage.counts == Counts(starts=2, stops=2)


def test_redeploy_of_the_last_attempt_under_a_silent_supervisor_stops_the_run(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    stage.airflow.answer_states(StatesAnswer.silence())
    stage.at(100, stage.shut_down)
    stage.attempt(stage.starter())
    stage.clock.advance(100)
    assert stage.counts.stops == 1


def test_execution_timeout_while_a_repair_settles_stops_the_run(set_stage: SetStage) -> None:
    stage = set_stage(profile="late")
    stage.plan(*chain(("train", (fails(), endless()))))
    operator = stage.starter(retries=1, execution_timeout=timedelta(hours=1))
    stage.attempt(operator)
    stage.at(1, stage.use_up_execution_timeout)
    stage.attempt(operator)
    stage.clock.advance(100)
    assert stage.service.shown(stage.run_id) == "stopped"


def test_execution_timeout_while_a_lost_start_is_looked_up_stops_the_run(set_stage: SetStage) -> None:
    stage = set_stage(profile="late")
    stage.plan(*chain(("train", endless())))
    stage.service.fault("start", when="after", action="reset")
    stage.at(1, stage.use_up_execution_timeout)
    stage.attempt(stage.starter(execution_timeout=timedelta(hours=1)))
    stage.clock.advance(100)
    assert stage.service.shown(stage.run_id) == "stopped"


def test_execution_timeout_while_the_start_after_a_clear_is_looked_up_stops_the_new_run(set_stage: SetStage) -> None:
    stage = set_stage(profile="late")
    stage.plan(*chain(("train", (completes(), endless()))))
    operator = stage.starter(execution_timeout=timedelta(hours=1))
    assert stage.attempt(operator).state == "success"
    stage.airflow.clear()
    stage.service.fault("start", when="after", action="reset")
    stage.at(1, stage.use_up_execution_timeout)
    stage.attempt(operator)
    stage.clock.advance(1)
    assert len(stage.runs) == 2
    assert stage.counts.stops == 1


def test_cleared_while_running_then_redeployed_starts_one_run_more(set_stage: SetStage) -> None:
    stage = set_stage(profile="late")
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=2)
    stage.at(100, lambda: stage.airflow.clear(executor_reports="failed"))
    stage.attempt(operator)
    stage.at(1, stage.shut_down)
    stage.attempt(operator)
    stage.clock.advance(100)
    stage.at(3000, stage.shut_down)
    stage.attempt(operator)
    assert stage.counts.starts == 2


# Events that no longer hold when a worker takes them up.


def test_sensor_goes_on_when_the_failed_run_was_repaired_meanwhile(set_stage: SetStage) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("train", (fails(), completes()))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    operator = stage.sensor(run_id)
    _defer_until_the_event(stage, operator)
    stage.service.repair_elsewhere(run_id, "train")
    stage.clock.advance(10)
    assert _take_up(stage, operator).state == "deferred"


def test_operator_goes_on_when_somebody_answered_meanwhile(set_stage: SetStage) -> None:
    stage = set_stage("deferrable", "prompt")
    stage.plan(*chain(("label", held()), ("train", endless())))
    operator = stage.starter(on_waiting="fail")
    _defer_until_the_event(stage, operator)
    stage.service.continue_elsewhere(stage.run_id, "label", {})
    stage.clock.advance(100)
    assert _take_up(stage, operator).state == "deferred"


# Records and reads that fail.


@pytest.mark.parametrize("mode", SENSOR_MODES)
def test_sensor_forgets_the_outage_of_the_attempt_before(set_stage: SetStage, mode: Mode) -> None:
    stage = set_stage(mode)
    stage.plan(*chain(("train", completes(2500))))
    operator = stage.sensor(stage.service.start_elsewhere(stage.workflow), retries=1)
    stage.outage(100, 1000, status=503)
    assert stage.attempt(operator).state == "up_for_retry"
    stage.clock.advance(1000)
    stage.outage(0, 20, status=503)
    assert stage.attempt(operator).state == "success"


@pytest.mark.parametrize("mode", ["poke", "deferrable"])
def test_step_sensor_tells_that_another_step_waits_for_a_person(set_stage: SetStage, mode: Mode) -> None:
    stage = set_stage(mode)
    stage.plan(*chain(("label", held()), ("train", completes())))
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.attempt(stage.sensor(run_id, "train", on_waiting="fail", timeout=3600))
    assert "waits for a person" in stage.log


def test_intent_that_cannot_be_recorded_starts_nothing(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", completes())))
    stage.airflow.on_call("PUT", "/store/ti/", _refuse, times=1)
    assert stage.attempt(stage.starter(retries=1)).state == "up_for_retry"
    assert stage.counts == Counts()


def test_trigger_whose_memory_cannot_be_written_goes_on(set_stage: SetStage) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter()
    stage.defer(operator)
    stage.airflow.on_call("POST", "mlworkflows_watch", _refuse, times=1)
    assert stage.go_on(operator).state == "success"


def test_memory_of_a_newer_release_is_readable() -> None:
    assert isinstance(Memory.load('{"seen":{},"future":1}'), Memory)


def test_worker_lost_with_the_start_and_another_workflow_next_stops_the_old_run(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    lose_worker(stage, stage.starter(retries=1), stored=2)
    old_run = stage.run_id
    stage.plan(*chain(("train", completes())))
    assert stage.attempt(stage.starter(retries=1)).state == "success"
    stage.clock.advance(100)
    assert stage.service.shown(old_run) == "stopped"


def test_cleared_task_whose_run_is_not_found_once_leaves_one_run(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1, on_unrepairable="restart", wait_for_completion=False)
    stage.attempt(operator)
    stage.airflow.clear()
    stage.clock.advance(5)
    stage.service.fault("read", status=404, code="ModelArts.7511", times=1)
    stage.at(300, stage.shut_down)
    stage.attempt(operator)
    stage.clock.advance(60)
    assert [stage.service.shown(run_id) for run_id in stage.runs].count("running") <= 1


# Runs that have to make way for another.


def _refuse_next_start(stage: Stage) -> None:
    """Let the next start fail before anything is started, after the earlier run was told to make way."""
    stage.emulator.faults.add(FaultRule(operation="ShowWorkflow", status=400, times=1))


def test_run_that_perhaps_was_cleared_is_not_taken_up_once_it_is_given_up(set_stage: SetStage) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=3, wait_for_completion=False)
    stage.at(100, lambda: stage.airflow.clear(executor_reports="failed"))
    stage.attempt(stage.starter(retries=3))
    first = stage.run_id
    _refuse_next_start(stage)
    assert stage.attempt(operator).state == "up_for_retry"
    stage.service.show_status(first, "completed")
    assert stage.attempt(operator).state == "success"
    assert stage.result.xcoms["return_value"] != first
    assert stage.counts.starts == 2


def test_run_of_another_workflow_is_not_taken_up_once_it_is_given_up(set_stage: SetStage) -> None:
    stage = set_stage()
    workflow = stage.plan(*chain(("train", endless())))
    lose_worker(stage, stage.starter(retries=3))
    other = stage.plan(*chain(("train", endless())))
    _refuse_next_start(stage)
    assert stage.attempt(stage.starter(retries=3, workflow_id=other)).state == "up_for_retry"
    stage.clock.advance(100)
    last = stage.starter(retries=3, workflow_id=workflow, wait_for_completion=False)
    assert stage.attempt(last).state == "success"
    stage.clock.advance(100)
    assert [stage.service.shown(run_id) for run_id in stage.service.runs(workflow)] == ["stopped", "running"]


@pytest.mark.parametrize("seconds", [0, 1], ids=["before the stop", "while it stops"])
def test_run_that_vanishes_while_it_makes_way_is_gone(set_stage: SetStage, seconds: int) -> None:
    stage = set_stage(profile="late")
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(wait_for_completion=False)
    stage.attempt(operator)
    first = stage.run_id
    stage.airflow.clear()
    stop = RunHandler.stop_before_start

    def vanishing(handler: RunHandler, ref: RunRef) -> None:
        if seconds:
            stage.at(seconds, lambda: stage.service.delete(first))
        else:
            stage.service.delete(first)
        stop(handler, ref)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunHandler, "stop_before_start", vanishing)
        assert stage.attempt(operator).state == "success", stage.log
    assert stage.runs == [stage.result.xcoms["return_value"]] != [first]
    assert stage.counts.stops == (1 if seconds else 0)


@pytest.mark.parametrize("nth", [2, 3])
def test_run_that_is_not_found_once_while_it_makes_way_is_stopped(set_stage: SetStage, nth: int) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(wait_for_completion=False)
    stage.attempt(operator)
    stage.airflow.clear()
    stage.service.fault("read", status=404, code="ModelArts.7511", nth=nth, times=1)
    assert stage.attempt(operator).state == "success", stage.log
    stage.clock.advance(100)
    assert [stage.service.shown(run_id) for run_id in stage.runs] == ["stopped", "running"]
