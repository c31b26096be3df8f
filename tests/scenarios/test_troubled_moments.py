"""What goes wrong at moments in which nobody waits for the run: taking it up, running it again, ending with it."""

from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_mlworkflows.exceptions import RunFailedError, RunStoppedError, RunTimeoutError
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.operators.handling import RunHandler
from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from tests.scenarios.aom import AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.moments import NOT_FOUND
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, completes, endless, fails, held
from tests.scenarios.rows_attempts import lose_worker
from tests.scenarios.service import Counts, ServiceUnderTest

if TYPE_CHECKING:
    from tests.scenarios.stage import Mode, SetStage, Stage

BOTH = pytest.mark.parametrize("mode", ["sync", "deferrable"])
STOPPABLE = pytest.mark.parametrize("service", [ModelArtsUnderTest, PaiFlowUnderTest, AomUnderTest])


@contextmanager
def at_the_first_look_after_an_action(act: Callable[[], object]) -> Iterator[None]:
    """Do something when an action has been sent, and before its effect is looked for."""
    settled = RunHandler.settled

    def disturbed(handler: RunHandler, *args: Any, **kwargs: Any) -> Any:
        patch.undo()
        act()
        return settled(handler, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunHandler, "settled", disturbed)
        yield


def clear_while_the_event_is_handled(stage: Stage, operator: Any) -> None:
    """Let the task be cleared while a worker takes it up again after its trigger's event, which Airflow keeps."""
    stage.defer(operator)
    asyncio.run(stage._live())
    stage.airflow.on_call("GET", "mlworkflows_watch", lambda call: stage.airflow.clear())
    stage._leg(operator)
    assert stage.airflow.ti.next_method == "execute_complete"


class TestAnotherTaskIsCleared:
    """The number of clears is the Dag run's: it says nothing of a task that has ended because of its run."""

    @BOTH
    @STOPPABLE
    @pytest.mark.parametrize("moment", ["during", "after"])
    def test_a_run_whose_time_was_up_is_not_started_again(
        self, set_stage: SetStage, mode: Mode, service: type[ServiceUnderTest], moment: str
    ) -> None:
        stage = set_stage(mode, service=service)
        stage.plan(*chain(("train", endless())))
        operator = stage.starter(retries=1, timeout=600)
        if moment == "during":
            stage.at(50, stage.airflow.clear_other_task)
        assert isinstance(stage.attempt(operator).error, RunTimeoutError)
        stage.clock.advance(100)
        if moment == "after":
            stage.airflow.clear_other_task()
        assert isinstance(stage.attempt(operator).error, RunStoppedError)
        assert stage.counts == Counts(starts=1, stops=1)

    @BOTH
    def test_what_a_person_stopped_stays_stopped(self, set_stage: SetStage, mode: Mode) -> None:
        stage = set_stage(mode)
        stage.plan(*chain(("train", endless())))
        operator = stage.starter(retries=1)
        stage.at(100, lambda: stage.service.stop_elsewhere(stage.run_id))
        assert isinstance(stage.attempt(operator).error, RunStoppedError)
        stage.airflow.clear_other_task()
        assert isinstance(stage.attempt(operator).error, RunStoppedError)
        assert stage.counts == Counts(starts=1)

    def test_a_note_that_is_not_kept_hides_no_error(self, set_stage: SetStage) -> None:
        stage = set_stage()
        stage.plan(*chain(("train", fails())))
        gone = httpx.Response(404, json={"detail": "Task Instance not found"})
        stage.at(30, lambda: stage.airflow.on_call("PUT", "/store/ti/", lambda call: gone))
        assert isinstance(stage.attempt(stage.starter(retries=1)).error, RunFailedError)
        assert "was not kept" in stage.log


class TestRerun:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 503])
    def test_that_was_answered_is_not_sent_again_because_a_read_fails(self, set_stage: SetStage, status: int) -> None:
        stage = set_stage(profile="late")
        stage.plan(*chain(("train", (fails(), completes(60), endless()))))
        run_id = stage.service.start_elsewhere(stage.workflow)
        stage.clock.advance(200)
        operator = stage.actor(run_id, "rerun", retries=1)
        with at_the_first_look_after_an_action(lambda: stage.service.fault("read", status=status)):
            result = stage.attempt(operator)
        assert result.state == "success", stage.log
        assert stage.counts == Counts(repairs=1)

    def test_that_cannot_be_followed_for_long_is_known_to_the_next_attempt(self, set_stage: SetStage) -> None:
        stage = set_stage(profile="late")
        stage.plan(*chain(("train", (fails(), completes(900), endless()))))
        run_id = stage.service.start_elsewhere(stage.workflow)
        stage.clock.advance(200)
        operator = stage.actor(run_id, "rerun", retries=1)
        with at_the_first_look_after_an_action(lambda: stage.outage(0, 300, status=503)):
            assert stage.attempt(operator).state == "up_for_retry"
        stage.clock.advance(300)
        assert stage.attempt(operator).state == "success"
        assert stage.counts == Counts(repairs=1)


class TestRepair:
    def test_that_is_not_seen_for_a_moment_is_followed(self, set_stage: SetStage) -> None:
        stage = set_stage(profile="late")
        stage.plan(*chain(("train", (fails(), completes(300)))))
        operator = stage.starter(retries=1)
        stage.attempt(operator)
        with at_the_first_look_after_an_action(lambda: stage.service.fault("read", **NOT_FOUND)):
            assert stage.attempt(operator).state == "success"
        assert stage.counts == Counts(starts=1, repairs=1)

    @pytest.mark.parametrize("profile", ["usual", "late"])
    def test_during_which_the_execution_timeout_strikes_is_stopped(
        self, set_stage: SetStage, monkeypatch: pytest.MonkeyPatch, profile: str
    ) -> None:
        stage = set_stage(profile=profile)
        stage.plan(*chain(("train", (fails(), endless()))))
        operator = stage.starter(retries=1, execution_timeout=timedelta(hours=1))
        stage.attempt(operator)
        repair = ModelArtsStartWorkflowOperator.repair_run

        def slow(self: ModelArtsStartWorkflowOperator, run: Any) -> None:
            repair(self, run)
            signal.raise_signal(signal.SIGALRM)

        monkeypatch.setattr(ModelArtsStartWorkflowOperator, "repair_run", slow)
        stage.attempt(operator)
        stage.clock.advance(100)
        assert stage.service.shown(stage.run_id) == "stopped"


class TestTakingUp:
    @BOTH
    @STOPPABLE
    @pytest.mark.parametrize("trouble", [{"status": 503}, {"status": 401}, {"action": "reset"}])
    def test_outlasts_reads_that_fail(
        self, set_stage: SetStage, mode: Mode, service: type[ServiceUnderTest], trouble: dict[str, Any]
    ) -> None:
        stage = set_stage(mode, service=service)
        stage.plan(*chain(("train", completes(3000))))
        operator = stage.starter(retries=1)
        lose_worker(stage, operator)
        stage.clock.advance(100)
        stage.outage(0, 45, **trouble)
        assert stage.attempt(operator).state == "success", stage.log
        assert stage.counts == Counts(starts=1)

    def test_gives_up_reads_that_fail_for_long(self, set_stage: SetStage) -> None:
        stage = set_stage()
        stage.plan(*chain(("train", completes(3000))))
        operator = stage.starter(retries=2)
        lose_worker(stage, operator)
        stage.outage(0, 2000, status=503)
        assert stage.attempt(operator).state == "up_for_retry"
        stage.clock.advance(2000)
        assert stage.attempt(operator).state == "success"
        assert stage.counts == Counts(starts=1)


class TestAClearWhileTheEventIsHandled:
    """Airflow then hands the old event to the new attempt."""

    def test_sensor_looks_at_the_new_run(self, set_stage: SetStage) -> None:
        stage = set_stage("deferrable")
        stage.plan(*chain(("train", completes())))
        first = stage.service.start_elsewhere(stage.workflow)
        clear_while_the_event_is_handled(stage, stage.sensor(first))
        stage.plan(*chain(("train", completes(5000))))
        second = stage.service.start_elsewhere(stage.workflow)
        assert stage._leg(stage.sensor(second)).state == "deferred"

    def test_start_that_keeps_no_record_starts_another(self, set_stage: SetStage) -> None:
        stage = set_stage("deferrable")
        stage.plan(*chain(("train", completes())))
        operator = stage.starter(durable=False)
        clear_while_the_event_is_handled(stage, operator)
        stage._to_end(operator, stage._leg(operator))
        assert stage.counts.starts == 2

    def test_stop_stops_the_new_run(self, set_stage: SetStage) -> None:
        stage = set_stage("deferrable")
        stage.plan(*chain(("train", endless())))
        first = stage.service.start_elsewhere(stage.workflow)
        stage.clock.advance(200)
        clear_while_the_event_is_handled(stage, stage.actor(first, "stop"))
        second = stage.service.start_elsewhere(stage.workflow)
        stage.clock.advance(200)
        operator = stage.actor(second, "stop")
        stage._to_end(operator, stage._leg(operator))
        assert stage.service.shown(second) == "stopped"

    def test_step_action_acts_on_the_new_run(self, set_stage: SetStage) -> None:
        stage = set_stage("deferrable")
        stage.plan(*chain(("train", (fails(), completes()))))
        first = stage.service.start_elsewhere(stage.workflow)
        stage.clock.advance(200)
        clear_while_the_event_is_handled(stage, stage.step_actor(first, "train", "retry"))
        second = stage.service.start_elsewhere(stage.workflow)
        stage.clock.advance(200)
        operator = stage.step_actor(second, "train", "retry")
        stage._to_end(operator, stage._leg(operator))
        assert stage.counts == Counts(repairs=2)


class TestTheDeadline:
    @BOTH
    def test_in_an_outage_is_not_the_end_of_a_run_that_was_in_time(self, set_stage: SetStage, mode: Mode) -> None:
        stage = set_stage(mode)
        stage.plan(*chain(("train", completes(580))))
        stage.outage(575, 630, status=503)
        assert stage.attempt(stage.starter(timeout=600)).state == "success", stage.log
        assert stage.counts == Counts(starts=1)

    def test_is_one_all_the_same_for_a_run_that_nobody_may_stop(self, set_stage: SetStage) -> None:
        stage = set_stage()
        stage.plan(*chain(("train", endless())))
        result = stage.attempt(stage.starter(timeout=600, cancel_on_timeout=False))
        assert "It goes on, because cancel_on_timeout is False." in str(result.error)
        assert stage.counts == Counts(starts=1)


class TestContinuing:
    @BOTH
    @pytest.mark.parametrize(("status", "times"), [(503, 1), (429, 8)])
    def test_that_fails_just_now_is_tried_again(self, set_stage: SetStage, mode: Mode, status: int, times: int) -> None:
        stage = set_stage(mode)
        stage.plan(*chain(("label", held()), ("train", completes())))
        stage.service.fault("repair", status=status, times=times)
        result = stage.attempt(stage.starter(on_waiting="continue", approve_steps=["label"]))
        assert result.state == "success", stage.log
        assert stage.counts == Counts(starts=1, continues=1)

    @BOTH
    def test_that_took_effect_without_an_answer_is_no_failure(self, set_stage: SetStage, mode: Mode) -> None:
        stage = set_stage(mode, "late")
        stage.plan(*chain(("label", held()), ("train", completes())))
        stage.service.fault("repair", when="after", status=503, action="status")
        result = stage.attempt(stage.starter(on_waiting="continue", approve_steps=["label"]))
        assert result.state == "success", stage.log
        assert stage.counts.continues == 1


def test_numbers_that_are_no_json_do_not_fail_a_run_that_succeeded(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = set_stage()
    stage.plan(*chain(("train", completes(60))))
    diverged = {"train": {"loss": [1.5, math.nan, math.inf]}}
    monkeypatch.setattr(ModelArtsHook, "get_metrics", lambda hook, run: diverged)
    result = stage.attempt(stage.starter(fetch_metrics=True))
    assert result.state == "success", stage.log
    assert result.xcoms["metrics"] == {"train": {"loss": [1.5, "nan", "inf"]}}


def test_event_that_tells_nothing_leaves_the_run_to_the_worker(set_stage: SetStage) -> None:
    stage = set_stage("deferrable")
    stage.plan(*chain(("train", completes(300))))
    operator = stage.starter()
    stage.defer(operator)
    stage.airflow.ti.submit_event({"verdict": "of another version"})
    assert stage._leg(operator).state == "success", stage.log
    assert stage.counts == Counts(starts=1)
