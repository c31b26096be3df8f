"""Failed runs that the service keeps until somebody acts on them: another run may begin only when they are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.exceptions import RunFailedError
from tests.scenarios.plan import chain, fails
from tests.scenarios.rows_attempts import lose_worker
from tests.scenarios.service import Counts
from tests.scenarios.table import operator_row

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from tests.scenarios.stage import Stage


def _failed_once(stage: Stage, **arguments: str) -> tuple[StartOperator, str]:
    stage.plan(*chain(("train", fails())))
    operator = stage.starter(retries=2, **arguments)
    assert stage.attempt(operator).state == "up_for_retry"
    return operator, stage.run_id


def _another_after_the_first_was_stopped(stage: Stage, first: str) -> None:
    assert isinstance(stage.result.error, RunFailedError)
    assert stage.run_id != first
    stage.clock.advance(60)
    assert stage.service.shown(first) == "stopped"
    assert stage.order_of("start", "stop", "repair") == ["start", "stop", "start"]
    assert stage.counts == Counts(starts=2, stops=1)


@operator_row("held failures", profiles=("usual", "late"))
def held_failure_is_stopped_before_a_restart(stage: Stage) -> None:
    operator, first = _failed_once(stage, on_retry="restart")
    stage.attempt(operator)
    _another_after_the_first_was_stopped(stage, first)


@operator_row("held failures", profiles=("usual", "late"))
def held_failure_is_stopped_before_the_restart_of_a_cleared_task(stage: Stage) -> None:
    operator, first = _failed_once(stage)
    stage.airflow.clear()
    stage.attempt(operator)
    _another_after_the_first_was_stopped(stage, first)


@operator_row("held failures", profiles=("usual", "late"))
def held_failure_that_cannot_be_repaired_is_stopped(stage: Stage) -> None:
    operator, first = _failed_once(stage, on_unrepairable="restart")
    stage.service.fault("repair", status=400, times=None)
    stage.attempt(operator)
    _another_after_the_first_was_stopped(stage, first)


@operator_row("held failures", profiles=("usual", "late"))
def held_failure_is_not_taken_for_one_that_somebody_stopped(stage: Stage) -> None:
    operator, first = _failed_once(stage, on_retry="restart")
    # The first record gives the old run up, the second one is the intent to start another.
    lose_worker(stage, operator, stored=2)
    stage.attempt(operator)
    _another_after_the_first_was_stopped(stage, first)


@operator_row("held failures", profiles=("usual", "late"))
def held_failure_stays_for_whoever_repairs_it(stage: Stage) -> None:
    operator, _ = _failed_once(stage)
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "failed"]
    assert stage.counts == Counts(starts=1, repairs=2)
