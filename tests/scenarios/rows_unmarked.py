"""Starts whose answer is lost, where runs carry no mark of whoever started them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.exceptions import RunInterruptedError, StartUncertainError, TransportError
from airflow_provider_mlworkflows.policies import MLWorkflowsRetryPolicy
from tests.scenarios.plan import chain, completes
from tests.scenarios.rows_attempts import lose_worker
from tests.scenarios.service import Counts
from tests.scenarios.table import operator_row

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage


@operator_row("no marker", profiles=("usual", "late"))
def unmarked_start_that_took_no_effect(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(300))))
    stage.service.fault("start", when="before", action="reset")
    operator = stage.starter(retries=1)
    for _ in range(2):
        stage.attempt(operator)
        assert isinstance(stage.result.error, StartUncertainError)
        assert stage.result.error.candidates == ()
    assert stage.counts == Counts()
    stage.airflow.clear()
    assert stage.attempt(operator).state == "success"
    assert "another run is started in spite of this" in stage.logs[-1]
    assert stage.counts == Counts(starts=1)


@operator_row("no marker", profiles=("usual", "late"))
def unmarked_start_that_may_be_sent_again(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(300))))
    stage.service.fault("start", when="before", action="reset")
    operator = stage.starter(retries=1, on_uncertain="start")
    assert stage.attempt(operator).state == "up_for_retry"
    assert isinstance(stage.result.error, TransportError)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row("no marker", profiles=("usual", "late"))
def unmarked_start_beside_another(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(300))))
    stage.service.fault("start", when="after", action="reset")

    def start_another() -> None:
        stage.service.start_elsewhere(stage.workflow)

    stage.at(5, start_another)
    stage.attempt(stage.starter())
    assert isinstance(stage.result.error, StartUncertainError)
    assert sorted(stage.result.error.candidates) == sorted(stage.service.runs(stage.workflow))
    assert all(run_id in str(stage.result.error) for run_id in stage.result.error.candidates)
    assert len(stage.result.error.candidates) == 2
    assert stage.counts.starts == 1


@operator_row("no marker", profiles=("usual", "late"))
def unmarked_start_after_another(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(300))))
    before = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(100)
    stage.service.fault("start", when="after", action="reset")
    result = stage.attempt(stage.starter())
    assert result.state == "success"
    assert result.xcoms["return_value"] != before
    assert stage.counts.starts == 1


@operator_row("no marker", profiles=("usual", "late"))
def unmarked_lost_worker_between_start_and_record(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter(retries=1)
    lose_worker(stage, operator, stored=2)
    assert stage.counts == Counts(starts=1)
    assert stage.attempt(operator).state == "success"
    assert "no other can be the one" in stage.logs[-1]
    assert stage.counts == Counts(starts=1)


@operator_row("no marker", profiles=("usual", "late"))
def redeployed_while_a_lost_start_is_looked_for(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(600))))
    stage.service.fault("start", when="after", action="reset")
    operator = stage.starter(retries=1, retry_policy=MLWorkflowsRetryPolicy())
    stage.at(6, stage.shut_down)
    assert stage.attempt(operator).state == "up_for_retry"
    assert isinstance(stage.result.error, RunInterruptedError)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)
