"""People and redeploys that end tasks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_provider_mlworkflows.exceptions import RunInterruptedError
from airflow_provider_mlworkflows.watching import MEMORY_KEY
from tests.harness.state_answers import StatesAnswer
from tests.scenarios.plan import chain, completes, endless
from tests.scenarios.service import Counts
from tests.scenarios.table import operator_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness.execution_api import ApiCall
    from tests.scenarios.stage import Stage

# A killed trigger leaves no worker behind that could tell anything.
_QUIET = ("error", "xcoms", "step_ends")


@operator_row("stop", differs=_QUIET)
def marked_failed(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, lambda: stage.mark("failed"))
    stage.attempt(stage.starter(retries=1))
    assert stage.airflow.state == "failed"
    assert stage.counts == Counts(starts=1, stops=1)


def _with_a_stop_that(name: str, **fault: Any) -> Callable[[Stage], None]:
    def row(stage: Stage) -> None:
        stage.plan(*chain(("train", endless())))
        stage.service.fault("stop", **fault)
        stage.at(100, lambda: stage.mark("failed"))
        stage.attempt(stage.starter(retries=1))
        assert stage.airflow.state == "failed"
        assert stage.counts.starts == 1
        assert stage.counts.stops == 1
        assert stage.counts.idle_stops <= 6  # those that went wrong, or came before the run showed the one that did not
        if stage.mode == "deferrable":  # a worker has no time to wait until the run shows it
            assert "could not be stopped and may go on" not in stage.log

    row.__name__ = f"marked_failed_with_a_stop_that_{name}"
    return row


STOP_FAULTS: dict[str, dict[str, Any]] = {
    "fails_once": {"status": 503},
    "fails_twice": {"status": 503, "times": 2},
    "is_reset_before_its_effect": {"action": "reset"},
    "is_reset_after_its_effect": {"action": "reset", "when": "after"},
    "fails_after_its_effect": {"status": 503, "when": "after"},
    "is_throttled": {"status": 429},
    "is_refused_once": {"status": 400},
    "finds_nothing_once": {"status": 404},
}
for _name, _fault in STOP_FAULTS.items():
    operator_row("stop", differs=(*_QUIET, "counts"))(_with_a_stop_that(_name, **_fault))


READ_FAULTS: dict[str, dict[str, Any]] = {
    "finds_nothing": {"status": 404},
    "is_refused": {"status": 400},
    "fails": {"status": 503},
    "is_answered_in_pieces": {"action": "truncate"},
}


def _with_a_look_that(name: str, **fault: Any) -> Callable[[Stage], None]:
    def row(stage: Stage) -> None:
        def mark() -> None:
            stage.service.fault("read", **fault)
            stage.mark("failed")

        stage.plan(*chain(("train", endless())))
        stage.at(100, mark)
        stage.attempt(stage.starter(retries=1))
        assert stage.airflow.state == "failed"
        assert stage.counts == Counts(starts=1, stops=1)

    row.__name__ = f"marked_failed_with_a_look_that_{name}"
    return row


for _name, _fault in READ_FAULTS.items():
    operator_row("stop", differs=_QUIET)(_with_a_look_that(_name, **_fault))


@operator_row("stop", modes=("deferrable",))
def marked_failed_before_a_heartbeat_could_tell(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.airflow.on_call("POST", MEMORY_KEY, lambda call: stage.airflow.ti.mark("failed"))
    stage.attempt(stage.starter())
    assert stage.airflow.state == "failed"
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row("stop", differs=_QUIET)
def marked_success(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, lambda: stage.mark("success"))
    stage.attempt(stage.starter())
    assert stage.airflow.state == "success"
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row(differs=_QUIET)
def marked_failed_but_nothing_is_to_be_stopped(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, lambda: stage.mark("failed"))
    stage.attempt(stage.starter(cancel_on_kill=False))
    assert stage.airflow.state == "failed"
    assert stage.service.shown(stage.run_id) == "running"
    assert stage.counts == Counts(starts=1)


@operator_row(differs=_QUIET)
def marked_failed_while_the_service_is_down(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.outage(95, 4000, status=503)
    stage.at(100, lambda: stage.mark("failed"))
    stage.attempt(stage.starter())
    assert stage.airflow.state == "failed"
    assert "could not be stopped and may go on" in stage.log
    assert stage.run_id in stage.log
    assert stage.counts == Counts(starts=1)


@operator_row("stop", differs=("error", "xcoms", "counts"))
def cleared_while_waiting(stage: Stage) -> None:
    stage.plan(*chain(("train", (endless(),))))
    operator = stage.starter(retries=1, timeout=600)
    stage.at(100, stage.clear)
    stage.attempt(operator)
    assert stage.airflow.state is None
    first = stage.run_id
    stage.attempt(operator)
    assert stage.run_id != first
    assert stage.service.shown(first) == "stopped"
    assert (stage.counts.starts, stage.counts.stops) == (2, 2)
    assert stage.counts.idle_stops <= 1


@operator_row("stop", "stopped repair", differs=("error", "xcoms"))
def cleared_while_waiting_to_be_repaired(stage: Stage) -> None:
    stage.plan(*chain(("train", (endless(), completes()))))
    operator = stage.starter(retries=1, on_clear="repair")
    stage.at(100, stage.clear)
    stage.attempt(operator)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1, stops=1, repairs=1)


@operator_row("stop", modes=("sync",))
def cleared_while_running_with_the_same_number_of_tries(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1, timeout=600)
    stage.at(100, lambda: stage.airflow.clear(executor_reports="failed"))
    stage.attempt(operator)
    assert (stage.airflow.state, stage.airflow.ti.max_tries) == ("up_for_retry", 1)
    first = stage.run_id
    stage.attempt(operator)
    assert stage.run_id != first
    assert stage.counts == Counts(starts=2, stops=2)


@operator_row("stop", modes=("deferrable",))
def cleared_while_deferred_and_running_again_at_once(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    operator = stage.starter(retries=1)
    stage.defer(operator)
    first = stage.run_id

    async def clear() -> None:
        async with stage.airflow.start_trigger() as running:
            stage.airflow.clear()
            # The new attempt starts before the triggerer hears of the clear.
            assert stage.airflow.run(operator).state == "deferred"
            await stage.revoke(running)

    asyncio.run(clear())
    assert stage.run_id != first
    assert stage.service.shown(stage.run_id) in {"init", "running"}
    assert stage.counts.starts == 2
    assert stage.counts.stops == 1
    assert stage.counts.idle_stops <= 1


@operator_row(differs=("step_ends",))
def redeployed(stage: Stage) -> None:
    stage.plan(*chain(("prepare", completes()), ("train", completes(600))))
    stage.at(200, stage.shut_down)
    operator = stage.starter(retries=1)
    if stage.attempt(operator).state == "up_for_retry":
        assert isinstance(stage.result.error, RunInterruptedError)
        assert stage.result.xcoms["run_url"] in str(stage.result.error)
        stage.attempt(operator)
    assert stage.result.state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row("stop", modes=("sync",))
def redeployed_without_a_retry_left(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, stage.shut_down)
    assert stage.attempt(stage.starter()).state == "failed"
    assert isinstance(stage.result.error, RunInterruptedError)
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row(modes=("sync",))
def redeployed_while_airflow_does_not_answer(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(600))))
    stage.airflow.answer_states(StatesAnswer.silence())
    stage.at(100, stage.shut_down)
    operator = stage.starter(retries=1)
    assert stage.attempt(operator).state == "up_for_retry"
    assert isinstance(stage.result.error, RunInterruptedError)
    stage.airflow.answer_states(StatesAnswer.truth())
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row(modes=("sync",), profiles=("usual",))
def redeployed_while_airflow_answers_with_an_error(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(600))))
    stage.airflow.answer_states(StatesAnswer.error())
    stage.at(100, stage.shut_down)
    operator = stage.starter(retries=1)
    assert stage.attempt(operator).state == "up_for_retry"
    assert isinstance(stage.result.error, RunInterruptedError)
    stage.airflow.answer_states(StatesAnswer.truth())
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row("stop", modes=("sync",), profiles=("usual",))
def task_removed_while_waiting(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.airflow.answer_states(StatesAnswer.unknown_instance())
    stage.at(100, stage.shut_down)
    stage.attempt(stage.starter(retries=1))
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row(differs=_QUIET)
def trigger_moved_to_another_triggerer(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(600))))
    operator = stage.starter(retries=1)
    if stage.mode == "deferrable":
        stage.at(100, stage.move_trigger)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row(differs=("error", "xcoms"))
def marked_failed_before_the_start_call(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))

    def mark(call: ApiCall) -> None:
        stage.airflow.mark("failed")

    stage.airflow.on_call("PUT", "/store/ti/", mark)
    stage.attempt(stage.starter(retries=1))
    assert stage.airflow.state == "failed"
    assert stage.counts == Counts()


@operator_row(differs=("error", "xcoms"))
def marked_failed_while_the_start_is_throttled(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.service.fault("start", status=429)
    stage.at(0.001, lambda: stage.mark("failed"))
    stage.attempt(stage.starter(retries=1))
    assert stage.airflow.state == "failed"
    assert stage.counts == Counts()


@operator_row("stop", differs=("error", "xcoms"))
def marked_failed_as_the_start_is_answered(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))

    def mark(call: ApiCall) -> None:
        stage.airflow.mark("failed")

    stage.airflow.on_call("PUT", "/store/ti/", lambda call: None)
    stage.airflow.on_call("PUT", "/store/ti/", mark)
    stage.attempt(stage.starter(retries=1))
    assert stage.airflow.state == "failed"
    assert stage.deferrals == 0
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row()
def redeployed_before_the_start_call(stage: Stage) -> None:
    stage.plan(*chain(("train", completes(600))))

    def shut_down(call: ApiCall) -> None:
        stage.airflow.terminate()

    stage.airflow.on_call("PUT", "/store/ti/", shut_down)
    operator = stage.starter(retries=1)
    assert stage.attempt(operator).state == "up_for_retry"
    assert isinstance(stage.result.error, RunInterruptedError)
    assert stage.attempt(operator).state == "success"
    assert stage.counts == Counts(starts=1)


@operator_row("stop", modes=("sync",))
def execution_timeout(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, stage.use_up_execution_timeout)
    result = stage.attempt(stage.starter(execution_timeout=timedelta(hours=1)))
    assert result.state == "failed"
    assert isinstance(result.error, AirflowTaskTimeout)
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row(modes=("sync",), profiles=("usual",))
def execution_timeout_that_stops_nothing(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, stage.use_up_execution_timeout)
    result = stage.attempt(stage.starter(execution_timeout=timedelta(hours=1), cancel_on_timeout=False))
    assert isinstance(result.error, AirflowTaskTimeout)
    assert stage.counts == Counts(starts=1)
