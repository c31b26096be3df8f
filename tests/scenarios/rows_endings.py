"""How runs end by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.exceptions import RunFailedError, RunStoppedError, RunTimeoutError
from tests.scenarios.plan import PlannedStep, chain, completes, endless, fails
from tests.scenarios.service import Counts
from tests.scenarios.table import operator_row

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from tests.scenarios.stage import Stage


@operator_row()
def success(stage: Stage) -> None:
    stage.plan(*chain(("prepare", completes()), ("train", completes(600))))
    result = stage.attempt(stage.starter())
    assert result.state == "success"
    assert result.xcoms["return_value"] == result.xcoms["run_id"] == stage.run_id
    assert result.xcoms["run_url"] in stage.logs[0]
    assert result.xcoms["run"]["state"] == "succeeded"
    assert [(step["name"], step["state"]) for step in result.xcoms["steps"]] == [
        ("prepare", "succeeded"),
        ("train", "succeeded"),
    ]
    # A step takes two seconds before it works.
    assert [step["duration"] for step in result.xcoms["steps"]] == [62, 602]
    assert [line.split(":")[0] for line in stage.observed().step_ends] == ["prepare", "train"]
    assert stage.counts == Counts(starts=1)


@operator_row("failure logs")
def failure(stage: Stage) -> None:
    stage.plan(*chain(("prepare", completes()), ("train", fails(600, "loss is not a number"))))
    result = stage.attempt(stage.starter())
    assert result.state == "failed"
    assert isinstance(result.error, RunFailedError)
    assert result.error.failed_steps == ("train",)
    assert result.error.ref is not None
    assert result.error.ref.run_id == stage.run_id
    text = str(result.error)
    assert "failed at train" in text
    assert "loss is not a number" in text
    assert result.xcoms["run_url"] in text
    assert "Last log lines of step train" in text
    assert "train step 600 done" in text
    assert text in result.log
    assert stage.counts == Counts(starts=1)


@operator_row("branches")
def skipped_branch(stage: Stage) -> None:
    stage.plan(
        PlannedStep("tune", (completes(),), off_branch=True), *chain(("prepare", completes()), ("train", completes()))
    )
    result = stage.attempt(stage.starter())
    assert result.state == "success"
    assert {step["name"]: step["state"] for step in result.xcoms["steps"]}["tune"] == "skipped"
    assert stage.counts == Counts(starts=1)


@operator_row("stop")
def stopped_by_others(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, lambda: stage.service.stop_elsewhere(stage.run_id))
    result = stage.attempt(stage.starter())
    assert result.state == "failed"
    assert isinstance(result.error, RunStoppedError)
    assert stage.counts == Counts(starts=1)


@operator_row("stop")
def time_out(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    began = stage.clock.time()
    result = stage.attempt(stage.starter(timeout=600))
    assert result.state == "failed"
    assert isinstance(result.error, RunTimeoutError)
    assert "(600 s allowed)" in str(result.error)
    assert 600 <= (elapsed := stage.clock.time() - began) <= 601, elapsed
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row()
def time_out_that_stops_nothing(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    result = stage.attempt(stage.starter(timeout=600, cancel_on_timeout=False))
    assert isinstance(result.error, RunTimeoutError)
    assert "goes on" in str(result.error)
    assert stage.service.shown(stage.run_id) == "running"
    assert stage.counts == Counts(starts=1)


@operator_row()
def finished_just_before_the_deadline(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(596.5))))
    result = stage.attempt(stage.starter(timeout=600, poll_interval=70))
    assert result.state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row()
def finished_at_the_first_read(stage: Stage) -> None:
    stage.plan()
    result = stage.attempt(stage.starter())
    assert result.state == "success"
    if stage.emulator.switches.status_on_create:
        assert stage.deferrals == 0
    assert result.xcoms["return_value"] == stage.run_id
    assert stage.counts == Counts(starts=1)


@operator_row()
def nobody_waits(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    began = stage.clock.time()
    result = stage.attempt(stage.starter(wait_for_completion=False))
    assert result.state == "success"
    assert result.xcoms["return_value"] == result.xcoms["run_id"] == stage.run_id
    assert (stage.deferrals, stage.clock.time()) == (0, began)
    assert stage.counts == Counts(starts=1)


@operator_row(modes=("deferrable",), profiles=("usual",))
def backstop_comes_after_the_deadline(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    operator = stage.starter(timeout=600)
    stage.defer(operator)
    assert stage.result.deferral is not None
    assert stage.result.deferral.timeout is not None
    assert 600 + 300 <= stage.result.deferral.timeout.total_seconds() <= 600 + 600
    assert stage.go_on(operator).state == "success"


def _unwatched(stage: Stage, **arguments: Any) -> StartOperator:
    """Defer a task that no triggerer takes up until Airflow gives up on its deferral."""
    operator = stage.starter(timeout=600, **arguments)
    stage.defer(operator)
    stage.clock.advance(1200)
    stage.airflow.expire_deferral()
    return operator


@operator_row("stop", modes=("deferrable",), profiles=("usual",))
def nobody_has_watched_until_the_deadline(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = _unwatched(stage)
    assert stage.attempt(operator).state == "failed"
    assert isinstance(stage.result.error, RunTimeoutError)
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row(modes=("deferrable",), profiles=("usual",))
def nobody_has_watched_until_the_end(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    operator = _unwatched(stage)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row("stop", modes=("deferrable",), profiles=("usual",))
def nobody_has_watched_a_run_without_a_record(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = _unwatched(stage, durable=False)
    assert isinstance(stage.attempt(operator).error, RunTimeoutError)
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row(modes=("deferrable",), profiles=("usual",))
def nobody_has_watched_a_run_without_a_record_that_may_go_on(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = _unwatched(stage, durable=False, cancel_on_timeout=False)
    assert isinstance(stage.attempt(operator).error, RunTimeoutError)
    assert stage.counts == Counts(starts=1)


@operator_row(modes=("deferrable",), profiles=("usual",))
def nobody_has_watched_until_the_end_of_a_run_without_a_record(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    assert stage.attempt(_unwatched(stage, durable=False)).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row(modes=("deferrable",), profiles=("usual",))
def trigger_fails_and_leaves_a_run_without_a_record(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter(durable=False, retries=1)
    stage.defer(operator)
    stage.airflow.fail_trigger(["Traceback: it is broken"])
    assert stage.go_on_after_failure(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row("stop", modes=("deferrable",), profiles=("usual",))
def cleared_after_nobody_has_watched(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = _unwatched(stage)
    stage.outage(0, 30, status=503)
    stage.at(1, stage.clear)
    stage.attempt(operator)
    assert stage.airflow.state is None
    stage.clock.advance(60)
    stage.attempt(operator)
    assert stage.counts.starts == 2
    assert stage.service.shown(stage.runs[0]) == "stopped"
