"""Retries and clears: one run per task between two clears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    RunFailedError,
    RunNotFoundError,
    RunStoppedError,
    RunTimeoutError,
)
from tests.scenarios.plan import chain, completes, endless, fails
from tests.scenarios.service import Counts
from tests.scenarios.table import operator_row

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.base import RunOperator
    from tests.harness.execution_api import ApiCall
    from tests.scenarios.stage import Stage


def _fails_once(stage: Stage) -> None:
    stage.plan(*chain(("prepare", completes()), ("train", (fails(), completes()))))


def lose_worker(stage: Stage, operator: RunOperator, *, stored: int | None = None) -> None:
    """Run an attempt whose worker vanishes: at its first XCom, or when it writes its n-th record.

    The first record is the intent to start, the second one names the run.
    """

    def kill(call: ApiCall) -> httpx.Response:
        stage.airflow.kill_worker()
        return httpx.Response(503)

    if stored is None:
        stage.airflow.on_call("POST", "/xcoms/", kill)
    else:
        if stored > 1:
            stage.airflow.on_call("PUT", "/store/ti/", lambda call: None, times=stored - 1)
        stage.airflow.on_call("PUT", "/store/ti/", kill)
    assert stage.attempt(operator, in_process=True).state == "running"
    stage.airflow.lose_worker()
    stage.airflow.api.intercepts.clear()


@operator_row()
def retry_repairs(stage: Stage) -> None:
    _fails_once(stage)
    operator = stage.starter(retries=1)
    assert stage.attempt(operator).state == "up_for_retry"
    assert isinstance(stage.result.error, RunFailedError)
    result = stage.attempt(operator)
    assert result.state == "success"
    assert result.xcoms["return_value"] == stage.run_id
    attempts = {step["name"]: step["attempt"] for step in result.xcoms["steps"]}
    assert attempts == {"prepare": 1, "train": stage.service.repaired_attempt}
    assert stage.counts == Counts(starts=1, repairs=1)


@operator_row()
def retry_repairs_until_no_retry_is_left(stage: Stage) -> None:
    stage.plan(*chain(("train", fails())))
    operator = stage.starter(retries=2)
    assert [stage.attempt(operator).state for _ in range(3)] == ["up_for_retry", "up_for_retry", "failed"]
    assert stage.counts == Counts(starts=1, repairs=2)


@operator_row()
def retry_restarts(stage: Stage) -> None:
    stage.plan(*chain(("train", fails())))
    operator = stage.starter(retries=1, on_retry="restart")
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "failed"]
    assert stage.counts == Counts(starts=2, stops=stage.service.held)


@operator_row()
def unrepairable_run_is_failure(stage: Stage) -> None:
    _fails_once(stage)
    stage.service.fault("repair", status=400, times=None)
    operator = stage.starter(retries=1)
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "failed"]
    assert isinstance(stage.result.error, BadRequestError)
    assert stage.counts == Counts(starts=1)


@operator_row()
def unrepairable_run_is_started_again(stage: Stage) -> None:
    stage.plan(*chain(("train", fails())))
    stage.service.fault("repair", status=400, times=None)
    operator = stage.starter(retries=1, on_unrepairable="restart")
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "failed"]
    assert isinstance(stage.result.error, RunFailedError)
    assert stage.counts == Counts(starts=2, stops=stage.service.held)


@operator_row()
def repair_whose_answer_is_lost(stage: Stage) -> None:
    _fails_once(stage)
    stage.service.fault("repair", when="after", action="reset")
    operator = stage.starter(retries=1)
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "success"]
    assert stage.counts == Counts(starts=1, repairs=1)


@operator_row()
def run_repaired_by_a_person_meanwhile(stage: Stage) -> None:
    _fails_once(stage)
    operator = stage.starter(retries=1)
    assert stage.attempt(operator).state == "up_for_retry"
    stage.service.repair_elsewhere(stage.run_id, "train")
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


def _stopped_once(stage: Stage, on_stopped: str) -> None:
    stage.plan(*chain(("train", (endless(), completes()))))
    operator = stage.starter(retries=1, on_stopped=on_stopped)
    stage.at(100, lambda: stage.service.stop_elsewhere(stage.run_id))
    assert stage.attempt(operator).state == "up_for_retry"
    assert isinstance(stage.result.error, RunStoppedError)
    if on_stopped == "restart":
        stage.at(100, lambda: stage.service.stop_elsewhere(stage.run_id))
    stage.attempt(operator)


@operator_row("stop")
def stopped_run_stays_stopped(stage: Stage) -> None:
    _stopped_once(stage, "fail")
    assert stage.result.state == "failed"
    assert isinstance(stage.result.error, RunStoppedError)
    assert stage.counts == Counts(starts=1)


@operator_row("stop", "stopped repair")
def stopped_run_is_repaired(stage: Stage) -> None:
    _stopped_once(stage, "repair")
    assert stage.result.state == "success"
    assert stage.counts == Counts(starts=1, repairs=1)


@operator_row("stop")
def stopped_run_is_started_again(stage: Stage) -> None:
    _stopped_once(stage, "restart")
    assert isinstance(stage.result.error, RunStoppedError)
    assert stage.counts == Counts(starts=2)


@operator_row(profiles=("usual", "late"))
def lost_worker(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter(retries=1)
    lose_worker(stage, operator)
    stage.clock.advance(100)
    assert stage.attempt(operator).state == "success"
    assert "Reattached to run" in stage.logs[-1]
    assert stage.counts == Counts(starts=1)


@operator_row(profiles=("usual", "late"))
def lost_worker_and_another_task_cleared(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter(retries=1)
    lose_worker(stage, operator)
    stage.airflow.clear_other_task()
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row(profiles=("usual", "late"))
def lost_worker_whose_run_has_succeeded(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(60))))
    operator = stage.starter(retries=1)
    lose_worker(stage, operator)
    stage.clock.advance(1000)
    began = stage.clock.time()
    assert stage.attempt(operator).state == "success"
    assert stage.clock.time() == began
    assert stage.deferrals == 0
    assert stage.counts == Counts(starts=1)


@operator_row(profiles=("usual", "late"))
def lost_worker_before_the_start(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(60))))
    operator = stage.starter(retries=1)
    lose_worker(stage, operator, stored=1)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row("marker", profiles=("usual", "late"))
def lost_worker_between_start_and_record(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter(retries=1)
    lose_worker(stage, operator, stored=2)
    assert stage.counts == Counts(starts=1)
    assert stage.attempt(operator).state == "success"
    assert "by its marker" in stage.logs[-1]
    assert stage.counts == Counts(starts=1)


@operator_row("stop", profiles=("usual", "late"))
def retry_while_stopping(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1)
    lose_worker(stage, operator)
    stage.clock.advance(100)
    stage.service.stop_elsewhere(stage.run_id)
    assert stage.attempt(operator).state == "failed"
    assert isinstance(stage.result.error, RunStoppedError)
    assert "Reattached" not in stage.logs[-1]
    assert stage.counts == Counts(starts=1)


@operator_row("stop", "stopped repair", profiles=("usual", "late"))
def retry_of_a_stopping_run_that_may_be_repaired(stage: Stage) -> None:
    stage.plan(*chain(("train", (endless(), completes()))))
    operator = stage.starter(retries=1, on_stopped="repair")
    lose_worker(stage, operator)
    stage.clock.advance(100)
    stage.service.stop_elsewhere(stage.run_id)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1, repairs=1)


@operator_row()
def clear_of_a_finished_task(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    operator = stage.starter()
    assert stage.attempt(operator).state == "success"
    first = stage.run_id
    stage.airflow.clear()
    result = stage.attempt(operator)
    assert result.state == "success"
    assert result.xcoms["return_value"] == stage.run_id != first
    assert stage.counts == Counts(starts=2)


@operator_row()
def clear_of_a_failed_task(stage: Stage) -> None:
    _fails_once(stage)
    operator = stage.starter()
    assert stage.attempt(operator).state == "failed"
    stage.airflow.clear()
    assert stage.attempt(operator).state == "failed"
    assert stage.counts == Counts(starts=2, stops=stage.service.held)


@operator_row()
def clear_that_repairs(stage: Stage) -> None:
    _fails_once(stage)
    operator = stage.starter(on_clear="repair")
    assert stage.attempt(operator).state == "failed"
    stage.airflow.clear()
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1, repairs=1)


@operator_row()
def clear_that_repairs_after_success(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    operator = stage.starter(on_clear="repair")
    assert stage.attempt(operator).state == "success"
    stage.airflow.clear()
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=2)


@operator_row("stop", profiles=("usual", "late"))
def clear_of_a_run_that_goes_on(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1, wait_for_completion=False)
    assert stage.attempt(operator).state == "success"
    stage.clock.advance(100)
    stage.airflow.clear()
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=2, stops=1)
    assert stage.order_of("stop", "start") == ["start", "stop", "start"]


@operator_row()
def clear_of_another_task(stage: Stage) -> None:
    _fails_once(stage)
    operator = stage.starter(retries=1)
    stage.at(50, stage.airflow.clear_other_task)
    assert stage.attempt(operator).state == "up_for_retry"
    stage.airflow.clear_other_task()
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1, repairs=1)


@operator_row()
def run_deleted_between_attempts(stage: Stage) -> None:
    stage.plan(*chain(("train", fails())))
    operator = stage.starter(retries=1)
    assert stage.attempt(operator).state == "up_for_retry"
    stage.service.delete(stage.run_id)
    assert stage.attempt(operator).state == "failed"
    assert isinstance(stage.result.error, RunNotFoundError)
    assert "on_unrepairable='restart'" in str(stage.result.error)
    assert stage.counts == Counts(starts=1)


@operator_row()
def run_deleted_between_attempts_and_started_again(stage: Stage) -> None:
    stage.plan(*chain(("train", fails())))
    operator = stage.starter(retries=1, on_unrepairable="restart")
    assert stage.attempt(operator).state == "up_for_retry"
    stage.service.delete(stage.run_id)
    assert stage.attempt(operator).state == "failed"
    assert isinstance(stage.result.error, RunFailedError)
    assert stage.counts == Counts(starts=2)


@operator_row("stop", profiles=("usual", "late"))
def workflow_changed_between_attempts(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    lose_worker(stage, stage.starter(retries=1))
    stage.clock.advance(100)
    old = stage.run_id
    stage.plan(*chain(("train", completes())))
    result = stage.attempt(stage.starter(retries=1))
    assert result.state == "success"
    assert result.xcoms["return_value"] == stage.run_id != old
    assert stage.service.shown(old) == "stopped"
    assert stage.counts == Counts(starts=2, stops=1)


@operator_row()
def no_record(stage: Stage) -> None:
    stage.plan(*chain(("train", fails())))
    operator = stage.starter(retries=1, durable=False)
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "failed"]
    assert stage.airflow.state_store == {}
    assert stage.counts == Counts(starts=2)


@operator_row()
def repair_opens_a_new_deadline(stage: Stage) -> None:
    stage.plan(*chain(("train", (fails(500), completes(500)))))
    operator = stage.starter(retries=1, timeout=600)
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "success"]
    assert stage.counts == Counts(starts=1, repairs=1)


@operator_row("stop", profiles=("usual", "late"))
def adopted_run_keeps_its_deadline(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1, timeout=600)
    began = stage.clock.time()
    lose_worker(stage, operator)
    stage.clock.advance(500)
    assert stage.attempt(operator).state == "failed"
    assert isinstance(stage.result.error, RunTimeoutError)
    assert 600 <= stage.clock.time() - began <= 601
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row("stop", profiles=("usual", "late"), differs=("error", "counts"))
def retry_after_time_out(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1, timeout=600)
    assert stage.attempt(operator).state == "up_for_retry"
    assert isinstance(stage.result.error, RunTimeoutError)
    assert stage.attempt(operator).state == "failed"
    assert isinstance(stage.result.error, RunStoppedError | RunTimeoutError)
    assert (stage.counts.starts, stage.counts.stops) == (1, 1)
    assert stage.counts.idle_stops <= 5  # as long as the run does not show the stop
