"""Ends of tasks whose runs nothing can stop."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_provider_mlworkflows.exceptions import RunTimeoutError
from tests.scenarios.plan import chain, endless
from tests.scenarios.service import Counts
from tests.scenarios.table import operator_row

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

TOLD = "cannot be stopped: "


@operator_row("no stop", differs=("error", "xcoms", "step_ends"))
def unstoppable_marked_failed(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, lambda: stage.mark("failed"))
    stage.attempt(stage.starter(retries=1))
    assert stage.airflow.state == "failed"
    assert stage.log.count(TOLD) == 1
    assert stage.service.shown(stage.run_id) == "running"
    assert stage.counts == Counts(starts=1)


@operator_row("no stop", differs=("error", "xcoms"))
def unstoppable_cleared(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(timeout=600)
    stage.at(100, stage.clear)
    stage.attempt(operator)
    assert stage.airflow.state is None
    first = stage.run_id
    stage.attempt(operator)
    assert stage.run_id != first
    assert "Another run is started beside the earlier one" in stage.logs[-1]
    assert stage.service.shown(first) == "running"
    assert stage.counts == Counts(starts=2)


@operator_row("no stop")
def unstoppable_time_out(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    result = stage.attempt(stage.starter(timeout=600))
    assert isinstance(result.error, RunTimeoutError)
    assert "could not be stopped and may go on" in str(result.error)
    assert stage.log.count(TOLD) == 1
    assert stage.counts == Counts(starts=1)


@operator_row("no stop", modes=("sync",))
def unstoppable_execution_timeout(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, stage.use_up_execution_timeout)
    result = stage.attempt(stage.starter(execution_timeout=timedelta(hours=1)))
    assert isinstance(result.error, AirflowTaskTimeout)
    assert stage.log.count(TOLD) == 1
    assert stage.counts == Counts(starts=1)
