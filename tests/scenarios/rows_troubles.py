"""Reads that fail, statuses that nobody knows, runs that vanish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.exceptions import (
    MLWorkflowsError,
    RunError,
    RunNotFoundError,
    RunTimeoutError,
    UnknownStatusError,
)
from tests.scenarios.plan import chain, completes, endless
from tests.scenarios.service import Counts
from tests.scenarios.table import operator_row

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

FAULTS: Mapping[str, Mapping[str, Any]] = {
    "server_errors": {"action": "status", "status": 500},
    "unavailability": {"action": "status", "status": 503},
    "resets": {"action": "reset"},
    "truncated_replies": {"action": "truncate"},
    "truncated_json": {"action": "truncate", "cut_json": True},
    "proxy_pages": {"action": "html", "status": 502},
    "proxy_pages_of_success": {"action": "html", "status": 200},
    "refusals": {"status": 400},
}


def _passing(fault: Mapping[str, Any]) -> Callable[[Stage], None]:
    def scene(stage: Stage) -> None:
        stage.plan(*chain(("train", completes(300))))
        stage.outage(40, 130, **fault)
        result = stage.attempt(stage.starter())
        assert result.state == "success"
        assert "Could not read the run (" in stage.log
        assert stage.counts == Counts(starts=1)

    return scene


def _lasting(fault: Mapping[str, Any]) -> Callable[[Stage], None]:
    def scene(stage: Stage) -> None:
        stage.plan(*chain(("train", endless())))
        stage.outage(40, 4000, **fault)
        result = stage.attempt(stage.starter())
        assert result.state == "failed"
        assert isinstance(result.error, MLWorkflowsError)
        assert not isinstance(result.error, RunError)
        assert "could not be read any more; it may go on" in str(result.error)
        assert stage.service.shown(stage.run_id) == "running"
        assert stage.counts == Counts(starts=1)

    return scene


for _name, _fault in FAULTS.items():
    for _length, _make in (("passing", _passing), ("lasting", _lasting)):
        _scene = _make(_fault)
        _scene.__name__ = f"{_length}_{_name}"
        operator_row(profiles=("usual",))(_scene)


@operator_row(profiles=("usual",))
def outages_far_apart(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(2400))))
    for number in range(9):
        stage.outage(100 + 240 * number, 160 + 240 * number, status=503)
    assert stage.attempt(stage.starter()).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row(profiles=("usual",))
def refusals_far_apart(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(4800))))
    for begin in (100, 2400):
        stage.outage(begin, begin + 100, status=401)
    assert stage.attempt(stage.starter()).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row()
def throttling(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(900))))
    stage.outage(40, 500, status=429)
    result = stage.attempt(stage.starter())
    assert result.state == "success"
    assert stage.log.count("Polling is being throttled") == 1
    assert stage.counts == Counts(starts=1)


@operator_row()
def throttling_with_a_time_to_wait(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(900))))
    stage.outage(40, 500, status=429, retry_after=90)
    result = stage.attempt(stage.starter())
    assert result.state == "success"
    assert stage.log.count("Polling is being throttled") == 1
    assert stage.counts == Counts(starts=1)


@operator_row(differs=("error",))
def throttled_at_the_deadline(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.outage(40, 4000, status=429)
    result = stage.attempt(stage.starter(timeout=600))
    assert result.state == "failed"
    assert isinstance(result.error, RunTimeoutError)
    assert stage.counts == Counts(starts=1)


@operator_row("stop", differs=("error",))
def silent_at_the_deadline_for_a_moment(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.outage(540, 604, action="status", status=503)
    result = stage.attempt(stage.starter(timeout=600))
    assert result.state == "failed"
    assert isinstance(result.error, RunTimeoutError)
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row(profiles=("usual",))
def refused_key_that_is_mended(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(900))))
    stage.outage(40, 500, status=401)
    result = stage.attempt(stage.starter())
    assert result.state == "success"
    assert stage.log.count("The connection does not work any more") == 1
    assert stage.counts == Counts(starts=1)


@operator_row(profiles=("usual",))
def refused_key_that_is_not_mended(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.outage(40, 4000, status=401)
    began = stage.clock.time()
    result = stage.attempt(stage.starter())
    assert result.state == "failed"
    assert "could not be read any more" in str(result.error)
    assert 900 <= (elapsed := stage.clock.time() - began) <= 1400, elapsed
    assert stage.counts == Counts(starts=1)


@operator_row(profiles=("usual",))
def key_replaced_in_the_connection(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(900))))
    (conn_id, good), *_ = stage.service.connections().items()
    stage.at(100, lambda: stage.airflow.set_connection(conn_id, good))
    operator = stage.starter()
    stage.at(10, lambda: stage.airflow.set_connection(conn_id, stage.service.use_unknown_key()))
    stage.outage(20, 95, status=401)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row()
def unknown_status_that_passes(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(900))))
    stage.at(40, lambda: stage.service.show_status(stage.run_id, stage.service.unknown_status))
    stage.at(500, lambda: stage.service.show_status(stage.run_id, None))
    result = stage.attempt(stage.starter())
    assert result.state == "success"
    assert stage.log.count("which this provider does not know") == 1
    assert stage.counts == Counts(starts=1)


@operator_row()
def unknown_status_that_lasts(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(40, lambda: stage.service.show_status(stage.run_id, stage.service.unknown_status))
    began = stage.clock.time()
    result = stage.attempt(stage.starter())
    assert result.state == "failed"
    assert isinstance(result.error, UnknownStatusError)
    assert stage.service.unknown_status in str(result.error).lower()
    assert stage.run_id in str(result.error)
    assert 3600 <= stage.clock.time() - began <= 3800
    assert stage.counts == Counts(starts=1)


@operator_row(differs=("error",))
def deleted_while_watched(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, lambda: stage.service.delete(stage.run_id))
    result = stage.attempt(stage.starter())
    assert result.state == "failed"
    assert isinstance(result.error, RunNotFoundError)
    assert stage.counts == Counts(starts=1)


@operator_row(profiles=("usual",))
def reads_fail_across_attempts(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(3000))))
    stage.outage(40, 700, action="status", status=503)
    operator = stage.starter(retries=9)
    while stage.attempt(operator).state == "up_for_retry":
        stage.clock.advance(60)
    assert stage.result.state == "success"
    assert len(stage.logs) > 1
    assert stage.counts == Counts(starts=1)
