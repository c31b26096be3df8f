"""Starts whose answer is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.client import DEFAULT_ATTEMPTS
from airflow_provider_mlworkflows.exceptions import MLWorkflowsError
from tests.scenarios.plan import chain, completes
from tests.scenarios.service import Counts
from tests.scenarios.table import operator_row

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

LOST: Mapping[str, Mapping[str, Any]] = {
    "reset": {"action": "reset"},
    "server_error": {"action": "status", "status": 500},
    "unavailability": {"action": "status", "status": 503},
    "proxy_page": {"action": "html", "status": 504},
    "truncated_reply": {"action": "truncate"},
    "truncated_json": {"action": "truncate", "cut_json": True},
}


def _after_the_effect(fault: Mapping[str, Any]) -> Callable[[Stage], None]:
    def scene(stage: Stage) -> None:
        stage.plan(*chain(("train", completes(300))))
        stage.service.fault("start", when="after", **fault)
        result = stage.attempt(stage.starter())
        assert result.state == "success"
        assert result.xcoms["return_value"] == stage.run_id
        assert stage.counts == Counts(starts=1)

    return scene


def _before_the_effect(fault: Mapping[str, Any]) -> Callable[[Stage], None]:
    def scene(stage: Stage) -> None:
        stage.plan(*chain(("train", completes(300))))
        stage.service.fault("start", when="before", **fault)
        operator = stage.starter(retries=1)
        assert stage.attempt(operator).state == "up_for_retry"
        assert isinstance(stage.result.error, MLWorkflowsError)
        assert stage.attempt(operator).state == "success"
        assert stage.counts == Counts(starts=1)

    return scene


for _name, _fault in LOST.items():
    _after = _after_the_effect(_fault)
    _after.__name__ = f"start_with_a_{_name}_after_the_effect"
    operator_row(profiles=("usual", "late"))(_after)
    if "truncated" not in _name:
        _before = _before_the_effect(_fault)
        _before.__name__ = f"start_with_a_{_name}_before_the_effect"
        operator_row("marker", profiles=("usual", "late"))(_before)


@operator_row()
def throttled_start(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(300))))
    stage.service.fault("start", status=429, times=2)
    assert stage.attempt(stage.starter()).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row()
def lost_start_without_a_record(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(300))))
    stage.service.fault("start", when="after", action="reset")
    result = stage.attempt(stage.starter(durable=False))
    assert result.state == "success"
    assert stage.airflow.state_store == {}
    assert stage.counts == Counts(starts=1)


@operator_row("marker")
def lost_start_found_by_the_next_attempt(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(300))))
    stage.service.fault("start", when="after", action="reset")
    # Lists fail as well, so that this attempt cannot find what it started.
    stage.outage(0, 60, status=503)
    operator = stage.starter(retries=1)
    assert stage.attempt(operator).state == "up_for_retry"
    stage.clock.advance(100)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row(profiles=("usual",))
def refused_start(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(300))))
    stage.service.fault("start", status=400)
    began = stage.clock.time()
    operator = stage.starter(retries=1)
    assert stage.attempt(operator).state == "up_for_retry"
    assert stage.clock.time() == began
    assert stage.airflow.state_store == {}
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row(profiles=("late",))
def lost_start_looked_for_while_lists_fail(stage: Stage) -> None:
    def trouble() -> None:
        stage.service.fault("read", status=503, times=DEFAULT_ATTEMPTS + 1)

    stage.plan(*chain(("train", completes(300))))
    stage.service.fault("start", when="after", action="reset")
    stage.at(1, trouble)
    assert stage.attempt(stage.starter()).state == "success"
    assert "could not be asked; trying again." in stage.log
    assert stage.counts == Counts(starts=1)
