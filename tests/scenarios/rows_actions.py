"""Operators that act on runs of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.exceptions import InvalidInputError, RunFailedError, RunStoppedError
from tests.scenarios.plan import PlannedStep, chain, completes, endless, fails, held
from tests.scenarios.rows_attempts import lose_worker
from tests.scenarios.service import Counts
from tests.scenarios.table import operator_row

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage


def _started(stage: Stage, *steps: PlannedStep, seconds: float = 0.0) -> str:
    """Somebody else's run, which has been going on for so many seconds."""
    stage.plan(*steps)
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(seconds)
    return run_id


@operator_row("stop action")
def stop(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())), seconds=100)
    result = stage.attempt(stage.actor(run_id, "stop"))
    assert result.state == "success"
    assert result.xcoms["return_value"] == run_id
    assert stage.service.shown(run_id) == "stopped"
    assert stage.counts == Counts(stops=1)


@operator_row("stop action")
def stop_of_a_finished_run(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", completes())), seconds=100)
    assert stage.attempt(stage.actor(run_id, "stop")).state == "success"
    assert stage.deferrals == 0
    assert stage.counts == Counts()


@operator_row("stop action")
def stop_of_a_failed_run(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", fails())), seconds=100)
    assert stage.attempt(stage.actor(run_id, "stop")).state == "success"
    assert stage.counts == Counts(stops=stage.service.held)


@operator_row("stop action", "held failures", profiles=("usual", "late"))
def stop_of_a_failed_run_that_is_held(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", fails())), seconds=100)
    assert stage.attempt(stage.actor(run_id, "stop")).state == "success"
    assert stage.service.shown(run_id) == "stopped"
    assert stage.counts == Counts(stops=1)


@operator_row("stop action", differs=("counts",))
def stop_twice(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())), seconds=100)
    assert stage.attempt(stage.actor(run_id, "stop")).state == "success"
    stage.airflow.clear()
    assert stage.attempt(stage.actor(run_id, "stop")).state == "success"
    assert stage.counts == Counts(stops=1)


@operator_row("stop action")
def stop_that_somebody_else_has_asked_for(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())), seconds=100)
    stage.service.stop_elsewhere(run_id)
    assert stage.attempt(stage.actor(run_id, "stop")).state == "success"
    assert stage.counts.stops == 0
    assert stage.counts.idle_stops <= 1


@operator_row("stop action")
def stop_without_waiting(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())), seconds=100)
    began = stage.clock.time()
    assert stage.attempt(stage.actor(run_id, "stop", wait_for_completion=False)).state == "success"
    assert stage.clock.time() == began
    assert stage.counts == Counts(stops=1)


@operator_row("rerun action")
def rerun(stage: Stage) -> None:
    run_id = _started(stage, *chain(("prepare", completes()), ("train", (fails(), completes()))), seconds=300)
    result = stage.attempt(stage.actor(run_id, "rerun"))
    assert result.state == "success"
    assert result.xcoms["return_value"] == run_id
    assert stage.counts == Counts(repairs=1)


@operator_row("rerun action")
def rerun_of_a_run_that_began_long_ago(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", (fails(), completes(600)))), seconds=8 * 86400)
    assert stage.attempt(stage.actor(run_id, "rerun")).state == "success"
    assert stage.counts == Counts(repairs=1)


@operator_row("rerun action")
def rerun_that_fails_again(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", fails())), seconds=100)
    result = stage.attempt(stage.actor(run_id, "rerun"))
    assert result.state == "failed"
    assert isinstance(result.error, RunFailedError)
    assert stage.counts == Counts(repairs=1)


@operator_row("rerun action")
def rerun_is_sent_once_by_a_task_that_is_interrupted(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", (fails(), completes(600)))), seconds=100)
    stage.at(200, stage.shut_down)
    operator = stage.actor(run_id, "rerun", retries=1)
    if stage.attempt(operator).state == "up_for_retry":
        stage.attempt(operator)
    assert stage.result.state == "success"
    assert stage.counts == Counts(repairs=1)


@operator_row("rerun action")
def rerun_of_what_has_failed_again_stops_nothing(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", fails())), seconds=100)
    operator = stage.actor(run_id, "rerun", retries=1, on_retry="restart")
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "failed"]
    stage.airflow.clear()
    assert stage.attempt(operator).state == "up_for_retry"
    assert stage.counts == Counts(repairs=3)


@operator_row("rerun action")
def rerun_of_a_cleared_task_that_is_given_another_run(stage: Stage) -> None:
    first = _started(stage, *chain(("train", (fails(), fails(), completes()))), seconds=100)
    assert stage.attempt(stage.actor(first, "rerun", on_clear="repair")).state == "failed"
    second = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(100)
    stage.airflow.clear()
    result = stage.attempt(stage.actor(second, "rerun", on_clear="repair"))
    assert result.state == "failed", "the earlier run was run again"
    assert result.xcoms["run_id"] == second
    assert stage.counts == Counts(repairs=2)


@operator_row("rerun action", "stop", "stopped repair")
def rerun_of_another_run_after_a_lost_worker_left_its_intent(stage: Stage) -> None:
    first = _started(stage, *chain(("train", (fails(300), completes(30)))), seconds=400)
    lose_worker(stage, stage.actor(first, "rerun", retries=1), stored=2)
    stage.clock.advance(60)
    second = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(100)
    stage.service.stop_elsewhere(second)
    stage.clock.advance(60)
    result = stage.attempt(stage.actor(second, "rerun", retries=1))
    assert result.state == "success"
    assert result.xcoms["return_value"] == second
    assert stage.counts == Counts(repairs=2)


@operator_row("rerun action")
def rerun_of_another_run_after_the_earlier_one_was_deleted(stage: Stage) -> None:
    first = _started(stage, *chain(("train", (fails(), completes()))), seconds=100)
    second = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(100)
    lose_worker(stage, stage.actor(first, "rerun", retries=1), stored=2)
    stage.service.delete(first)
    result = stage.attempt(stage.actor(second, "rerun", retries=1))
    assert result.state == "success"
    assert result.xcoms["return_value"] == second


@operator_row("rerun action")
def rerun_whose_answer_is_lost(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", (fails(), completes(600)))), seconds=100)
    stage.service.fault("rerun", when="after", action="reset")
    assert stage.attempt(stage.actor(run_id, "rerun")).state == "success"
    assert stage.counts == Counts(repairs=1)


@operator_row("step actions")
def step_retry(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", (fails(), completes()))), seconds=100)
    result = stage.attempt(stage.step_actor(run_id, "train", "retry"))
    assert result.state == "success"
    assert result.xcoms["return_value"] == run_id
    assert (result.xcoms["step"]["name"], result.xcoms["step"]["state"]) == ("train", "succeeded")
    assert stage.counts == Counts(repairs=1)


@operator_row("step actions")
def step_retry_by_id(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", (fails(), completes()))), seconds=100)
    step_id = stage.service.step_id(run_id, "train")
    assert stage.attempt(stage.step_actor(run_id, step_id, "retry")).state == "success"
    assert stage.counts == Counts(repairs=1)


@operator_row("step actions")
def step_retry_that_fails_again(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", fails(60, "no space left"))), seconds=100)
    result = stage.attempt(stage.step_actor(run_id, "train", "retry"))
    assert result.state == "failed"
    assert isinstance(result.error, RunFailedError)
    assert "no space left" in str(result.error)
    assert stage.counts == Counts(repairs=1)


@operator_row("step actions")
def step_retry_without_need(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", completes())), seconds=100)
    assert stage.attempt(stage.step_actor(run_id, "train", "retry")).state == "success"
    assert f"there is nothing to {stage.service.retry}" in stage.log
    assert stage.counts == Counts()


@operator_row("step actions", "step stop")
def step_stop(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())), seconds=100)
    assert stage.attempt(stage.step_actor(run_id, "train", "stop")).state == "success"
    assert stage.service.shown(run_id) == "stopped"


@operator_row("step actions", "gates")
def step_continue(stage: Stage) -> None:
    run_id = _started(stage, *chain(("label", held()), ("train", completes(600))), seconds=100)
    began = stage.clock.time()
    assert stage.attempt(stage.step_actor(run_id, "label", "continue")).state == "success"
    assert (elapsed := stage.clock.time() - began) < 400, elapsed
    assert stage.counts == Counts(continues=1)


@operator_row("step actions", "inputs")
def step_continue_with_inputs(stage: Stage) -> None:
    run_id = _started(stage, PlannedStep("deploy", (completes(),), needs="instances"), seconds=100)
    operator = stage.step_actor(run_id, "deploy", "continue", parameters={"instances": 2})
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(continues=1)


@operator_row("step actions", "inputs")
def step_continue_with_an_input_that_is_not_declared(stage: Stage) -> None:
    run_id = _started(stage, PlannedStep("deploy", (completes(),), needs="instances"), seconds=100)
    operator = stage.step_actor(run_id, "deploy", "continue", parameters={"instance": 2})
    assert isinstance(stage.attempt(operator).error, InvalidInputError)
    assert stage.counts == Counts()


@operator_row("step actions", "gates")
def step_continue_without_waiting(stage: Stage) -> None:
    run_id = _started(stage, *chain(("label", held()), ("train", completes(600))), seconds=100)
    operator = stage.step_actor(run_id, "label", "continue", wait_for_completion=False)
    assert stage.attempt(operator).state == "success"
    assert stage.deferrals == 0
    assert stage.counts == Counts(continues=1)


@operator_row("step actions")
def step_that_is_not_there(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())), seconds=100)
    result = stage.attempt(stage.step_actor(run_id, "tune", "retry"))
    assert isinstance(result.error, InvalidInputError)
    assert "train" in str(result.error)
    assert stage.counts == Counts()


@operator_row("step actions", "stop")
def step_stopped_by_others_meanwhile(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", (fails(), endless()))), seconds=100)
    stage.at(200, lambda: stage.service.stop_elsewhere(run_id))
    result = stage.attempt(stage.step_actor(run_id, "train", "retry"))
    assert isinstance(result.error, RunStoppedError)
    assert stage.counts == Counts(repairs=1)


@operator_row("step actions", differs=("error", "xcoms", "step_ends"))
def step_action_marked_failed_stops_nothing(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", (fails(), endless()))), seconds=100)
    stage.at(200, lambda: stage.mark("failed"))
    stage.attempt(stage.step_actor(run_id, "train", "retry"))
    assert stage.airflow.state == "failed"
    assert stage.counts == Counts(repairs=1)
