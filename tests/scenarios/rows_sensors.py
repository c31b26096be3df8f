"""Sensors: they wait in three ways and stop nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_provider_mlworkflows.exceptions import (
    MLWorkflowsError,
    RunFailedError,
    RunNotFoundError,
    RunStoppedError,
    RunWaitingError,
    UnknownStatusError,
)
from tests.scenarios.plan import PlannedStep, chain, completes, endless, fails, held
from tests.scenarios.service import Counts
from tests.scenarios.table import sensor_row

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.sensors.base import RunSensor
    from tests.scenarios.stage import Stage

# Airflow words these errors itself in some modes.
_AIRFLOWS_WORDS = ("error",)


def _started(stage: Stage, *steps: PlannedStep) -> str:
    stage.plan(*steps)
    return stage.service.start_elsewhere(stage.workflow)


@sensor_row()
def run_success(stage: Stage) -> None:
    run_id = _started(stage, *chain(("prepare", completes()), ("train", completes(600))))
    result = stage.attempt(stage.sensor(run_id))
    assert result.state == "success"
    assert result.xcoms["return_value"] == run_id
    assert result.xcoms["run"]["state"] == "succeeded"
    assert len(result.xcoms["steps"]) == 2
    assert result.xcoms["run_url"]
    assert stage.counts == Counts()


@sensor_row()
def run_failure(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", fails(600, "no space left"))))
    result = stage.attempt(stage.sensor(run_id))
    assert result.state == "failed"
    assert isinstance(result.error, RunFailedError)
    assert "failed at train" in str(result.error)
    assert "no space left" in str(result.error)
    assert result.xcoms["run_url"] in str(result.error)
    assert stage.counts == Counts()


@sensor_row("stop")
def run_stopped(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())))
    stage.at(100, lambda: stage.service.stop_elsewhere(run_id))
    assert isinstance(stage.attempt(stage.sensor(run_id)).error, RunStoppedError)


@sensor_row()
def run_over_before_the_first_poke(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", completes())))
    stage.clock.advance(1000)
    assert stage.attempt(stage.sensor(run_id)).state == "success"
    assert (stage.deferrals, len(stage.results)) == (0, 1)


@sensor_row(differs=_AIRFLOWS_WORDS)
def sensor_time_out(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())))
    began = stage.clock.time()
    result = stage.attempt(stage.sensor(run_id, timeout=600, retries=2))
    assert result.state == "failed"
    assert isinstance(result.error, AirflowSensorTimeout)
    assert 600 <= stage.clock.time() - began <= 660
    assert stage.service.shown(run_id) == "running"
    assert stage.counts == Counts()


@sensor_row(differs=_AIRFLOWS_WORDS)
def sensor_time_out_while_the_service_is_down(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())))
    stage.outage(540, 4000, status=503)
    result = stage.attempt(stage.sensor(run_id, timeout=600))
    assert isinstance(result.error, AirflowSensorTimeout)


def _unwatched(stage: Stage, *steps: PlannedStep, **arguments: Any) -> RunSensor:
    """Defer a sensor that no triggerer takes up until Airflow gives up on its deferral."""
    sensor = stage.sensor(_started(stage, *steps), timeout=600, **arguments)
    stage.defer(sensor)
    stage.clock.advance(1200)
    stage.airflow.expire_deferral()
    return sensor


@sensor_row(modes=("deferrable",))
def nobody_has_watched_a_run_that_is_over(stage: Stage) -> None:
    sensor = _unwatched(stage, *chain(("train", completes(300))))
    assert stage.attempt(sensor).state == "success"


@sensor_row(modes=("deferrable",))
def nobody_has_watched_a_run_that_goes_on(stage: Stage) -> None:
    sensor = _unwatched(stage, *chain(("train", endless())))
    assert isinstance(stage.attempt(sensor).error, AirflowSensorTimeout)


@sensor_row(modes=("deferrable",))
def nobody_has_watched_and_that_skips(stage: Stage) -> None:
    sensor = _unwatched(stage, *chain(("train", endless())), soft_fail=True)
    assert stage.attempt(sensor).state == "skipped"


@sensor_row(differs=_AIRFLOWS_WORDS)
def sensor_time_out_that_skips(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())))
    assert stage.attempt(stage.sensor(run_id, timeout=600, soft_fail=True)).state == "skipped"


@sensor_row(differs=_AIRFLOWS_WORDS)
def sensor_time_out_that_never_fails(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())))
    assert stage.attempt(stage.sensor(run_id, timeout=600, never_fail=True)).state == "skipped"


@sensor_row(differs=_AIRFLOWS_WORDS)
def failure_that_skips(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", fails())))
    result = stage.attempt(stage.sensor(run_id, soft_fail=True))
    assert result.state == "skipped"
    assert isinstance(result.error, AirflowSkipException | None)


@sensor_row(differs=_AIRFLOWS_WORDS)
def failure_that_never_fails(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", fails())))
    assert stage.attempt(stage.sensor(run_id, never_fail=True)).state == "skipped"


@sensor_row(differs=_AIRFLOWS_WORDS)
def lost_service_that_skips(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())))
    stage.outage(40, 4000, status=503)
    assert stage.attempt(stage.sensor(run_id, soft_fail=True)).state == "skipped"


@sensor_row()
def lost_service(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())))
    stage.outage(40, 4000, status=503)
    result = stage.attempt(stage.sensor(run_id))
    assert result.state == "failed"
    assert isinstance(result.error, MLWorkflowsError)
    assert "could not be read any more" in str(result.error)


@sensor_row()
def service_lost_for_a_moment(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", completes(300))))
    stage.outage(40, 130, status=503)
    assert stage.attempt(stage.sensor(run_id)).state == "success"


@sensor_row()
def throttled_sensor(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", completes(900))))
    stage.outage(40, 500, status=429)
    assert stage.attempt(stage.sensor(run_id)).state == "success"
    assert stage.log.count("Polling is being throttled") == 1


@sensor_row(profiles=("usual",), differs=("error",))
def silent_failure(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", completes(900))))
    stage.outage(40, 500, status=503)
    assert stage.attempt(stage.sensor(run_id, silent_fail=True)).state == "success"


@sensor_row()
def unknown_status(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())))
    stage.at(40, lambda: stage.service.show_status(run_id, stage.service.unknown_status))
    result = stage.attempt(stage.sensor(run_id, poke_interval=120.0))
    assert isinstance(result.error, UnknownStatusError)
    assert stage.log.count("It counts neither as success") == 1


@sensor_row(differs=_AIRFLOWS_WORDS)
def no_such_run(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())))
    stage.service.delete(run_id)
    result = stage.attempt(stage.sensor(run_id))
    assert result.state == "failed"
    assert isinstance(result.error, RunNotFoundError)
    assert stage.deferrals == 0


@sensor_row(differs=_AIRFLOWS_WORDS)
def run_deleted(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", endless())))
    stage.at(100, lambda: stage.service.delete(run_id))
    assert isinstance(stage.attempt(stage.sensor(run_id)).error, RunNotFoundError)


@sensor_row("gates")
def waiting_run(stage: Stage) -> None:
    run_id = _started(stage, *chain(("label", held())))
    stage.at(1000, lambda: stage.service.continue_elsewhere(run_id, "label", {}))
    assert stage.attempt(stage.sensor(run_id)).state == "success"
    assert stage.log.count("The run waits for a person at label") == 1


@sensor_row("gates")
def waiting_run_is_failure(stage: Stage) -> None:
    run_id = _started(stage, *chain(("label", held())))
    assert isinstance(stage.attempt(stage.sensor(run_id, on_waiting="fail")).error, RunWaitingError)


@sensor_row()
def step_success(stage: Stage) -> None:
    run_id = _started(stage, *chain(("prepare", completes(300)), ("train", endless())))
    result = stage.attempt(stage.sensor(run_id, "prepare"))
    assert result.state == "success"
    assert result.xcoms["return_value"] == run_id
    assert result.xcoms["step"]["state"] == "succeeded"
    assert stage.service.shown(run_id) == "running"


@sensor_row()
def step_that_comes_later(stage: Stage) -> None:
    run_id = _started(stage, *chain(("prepare", completes(300)), ("train", completes(300)), ("deploy", endless())))
    result = stage.attempt(stage.sensor(run_id, "train"))
    assert result.state == "success"
    assert result.xcoms["step"]["name"] == "train"


@sensor_row()
def step_failure(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", fails(300, "no space left"))))
    result = stage.attempt(stage.sensor(run_id, "train"))
    assert result.state == "failed"
    assert isinstance(result.error, RunFailedError)
    assert "Step train" in str(result.error)
    assert "no space left" in str(result.error)


@sensor_row()
def step_whose_newest_attempt_counts(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", (fails(), completes(300)))))
    stage.clock.advance(100)
    stage.service.repair_elsewhere(run_id, "train")
    result = stage.attempt(stage.sensor(run_id, "train"))
    assert result.state == "success"
    assert result.xcoms["step"]["attempt"] == stage.service.repaired_attempt


@sensor_row()
def step_that_was_never_reached(stage: Stage) -> None:
    run_id = _started(stage, *chain(("prepare", fails()), ("train", completes())))
    result = stage.attempt(stage.sensor(run_id, "train"))
    assert isinstance(result.error, RunFailedError)
    assert "did not run" in str(result.error)


@sensor_row()
def step_that_was_never_reached_skips(stage: Stage) -> None:
    run_id = _started(stage, *chain(("prepare", fails()), ("train", completes())))
    assert stage.attempt(stage.sensor(run_id, "train", skip_on_missing=True)).state == "skipped"


@sensor_row()
def step_that_does_not_exist(stage: Stage) -> None:
    run_id = _started(stage, *chain(("train", completes())))
    result = stage.attempt(stage.sensor(run_id, "tune"))
    assert isinstance(result.error, RunFailedError)
    assert "Its steps are: train" in str(result.error)


@sensor_row("branches")
def step_off_the_branch(stage: Stage) -> None:
    run_id = _started(stage, PlannedStep("tune", (completes(),), off_branch=True), *chain(("train", completes(300))))
    assert stage.attempt(stage.sensor(run_id, "tune")).state == "success"


@sensor_row("branches")
def step_off_the_branch_skips(stage: Stage) -> None:
    run_id = _started(stage, PlannedStep("tune", (completes(),), off_branch=True), *chain(("train", completes(300))))
    assert stage.attempt(stage.sensor(run_id, "tune", skip_on_missing=True)).state == "skipped"
