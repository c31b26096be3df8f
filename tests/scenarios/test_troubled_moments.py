"""What goes wrong at moments in which nobody waits for the run: taking it up, running it again, ending with it."""

from __future__ import annotations

import asyncio
import math
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest

from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    RunFailedError,
    RunStoppedError,
    RunTimeoutError,
    RunWaitingError,
    ServerError,
)
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from airflow_provider_mlworkflows.watching import REFUSED_PAUSES
from tests.scenarios.aom import AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.moments import NOT_FOUND, at_the_first_look_after_an_action
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import PlannedStep, chain, completes, endless, fails, held
from tests.scenarios.rows_attempts import lose_worker
from tests.scenarios.service import Counts, ServiceUnderTest

if TYPE_CHECKING:
    from tests.scenarios.stage import Mode, SetStage, Stage

BOTH = pytest.mark.parametrize("mode", ["sync", "deferrable"])
STOPPABLE = pytest.mark.parametrize("service", [ModelArtsUnderTest, PaiFlowUnderTest, AomUnderTest])


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

    def test_what_a_person_stopped_stays_stopped_though_it_could_not_be_read(self, set_stage: SetStage) -> None:
        stage = set_stage()
        stage.plan(*chain(("train", endless())))
        operator = stage.starter(retries=3)
        stage.at(100, lambda: stage.service.stop_elsewhere(stage.run_id))
        assert isinstance(stage.attempt(operator).error, RunStoppedError)
        stage.outage(0, 400, status=503)
        assert isinstance(stage.attempt(operator).error, ServerError)
        stage.clock.advance(400)
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

    @STOPPABLE
    def test_that_does_not_show_yet_is_stopped_if_the_task_is_marked(
        self, set_stage: SetStage, service: type[ServiceUnderTest]
    ) -> None:
        stage = set_stage(profile="late", service=service)
        stage.plan(*chain(("train", (fails(), endless()))))
        operator = stage.starter(retries=1)
        stage.attempt(operator)
        with at_the_first_look_after_an_action(lambda: stage.airflow.mark("failed")):
            stage.attempt(operator)
        stage.clock.advance(300)
        assert stage.service.shown(stage.run_id) == "stopped"

    @STOPPABLE
    @pytest.mark.parametrize("retries", [1, 2])
    def test_whose_answer_was_lost_is_stopped_if_the_task_is_marked_meanwhile(
        self, set_stage: SetStage, service: type[ServiceUnderTest], retries: int
    ) -> None:
        stage = set_stage(profile="late", service=service)
        stage.plan(*chain(("train", (fails(), endless()))))
        operator = stage.starter(retries=retries)
        stage.attempt(operator)
        stage.service.fault("repair", when="after", action="reset")
        stage.at(1, lambda: stage.mark("failed"))
        stage.attempt(operator)
        stage.clock.advance(300)
        assert stage.service.shown(stage.run_id) == "stopped"

    def test_for_which_the_credentials_are_refused_asks_four_times(self, set_stage: SetStage) -> None:
        stage = set_stage(profile="late")
        stage.plan(*chain(("train", (fails(), endless()))))
        operator = stage.starter(retries=1)
        stage.attempt(operator)
        with at_the_first_look_after_an_action(lambda: stage.outage(0, 5000, status=401)):
            began = stage.clock.time()
            assert isinstance(stage.attempt(operator).error, AuthenticationError)
        assert stage.clock.time() - began <= sum(REFUSED_PAUSES) + 10
        assert stage.log.count("could not be read; reading it again") == len(REFUSED_PAUSES)


class TestTakingUp:
    @STOPPABLE
    @pytest.mark.parametrize("status", [503, 429, 401])
    def test_of_a_run_that_cannot_be_read_ends_with_a_stop_if_the_task_is_marked(
        self, set_stage: SetStage, service: type[ServiceUnderTest], status: int
    ) -> None:
        stage = set_stage(service=service)
        stage.plan(*chain(("train", endless())))
        operator = stage.starter(retries=1)
        lose_worker(stage, operator)
        stage.outage(0, 500, status=status)
        stage.at(20, lambda: stage.mark("failed"))
        stage.attempt(operator)
        stage.clock.advance(1000)
        assert stage.service.shown(stage.run_id) == "stopped"

    @BOTH
    def test_of_a_run_whose_reads_are_throttled_for_hours_keeps_its_deadline(
        self, set_stage: SetStage, mode: Mode
    ) -> None:
        stage = set_stage(mode)
        stage.plan(*chain(("train", endless())))
        operator = stage.starter(retries=1, timeout=6 * 3600)
        lose_worker(stage, operator)
        stage.outage(0, 7 * 3600, status=429)
        began = stage.clock.time()
        assert isinstance(stage.attempt(operator).error, RunTimeoutError)
        assert stage.clock.time() - began < 7 * 3600

    @BOTH
    @pytest.mark.parametrize(("status", "seconds", "poll_interval"), [(429, 1100, 30), (503, 1000, 240)])
    def test_of_a_failed_run_that_cannot_be_read_for_long_repairs_it(
        self, set_stage: SetStage, mode: Mode, status: int, seconds: float, poll_interval: float
    ) -> None:
        stage = set_stage(mode)
        stage.plan(*chain(("train", (fails(), completes()))))
        operator = stage.starter(retries=1, poll_interval=poll_interval)
        stage.attempt(operator)
        stage.outage(0, seconds, status=status)
        result = stage.attempt(operator)
        assert result.state == "success", stage.log
        assert result.xcoms["run_url"]
        assert stage.counts == Counts(starts=1, repairs=1)

    def test_of_a_cleared_task_does_not_take_what_cannot_be_read_for_going_on(self, set_stage: SetStage) -> None:
        stage = set_stage()
        stage.plan(*chain(("train", completes())))
        operator = stage.starter(on_clear="repair")
        assert stage.attempt(operator).state == "success"
        stage.airflow.clear()
        stage.outage(0, 1400, status=429)
        assert stage.attempt(operator).state == "success"
        assert stage.counts == Counts(starts=2)

    @pytest.mark.parametrize("reports", ["failed", "success"])
    def test_during_which_the_task_is_cleared_is_not_the_end_of_the_attempt_before(
        self, set_stage: SetStage, reports: Literal["failed", "success"]
    ) -> None:
        stage = set_stage()
        stage.plan(*chain(("label", held()), ("train", endless())))
        operator = stage.starter(retries=3, on_waiting="fail")
        assert isinstance(stage.attempt(operator).error, RunWaitingError)
        stage.clock.advance(300)
        unseen = stage.service.fault("read", times=None, **NOT_FOUND)

        def clear() -> None:
            stage.emulator.faults.remove(unseen)
            stage.airflow.clear(executor_reports=reports)

        stage.at(10, clear)
        stage.attempt(operator)
        stage.clock.advance(100)
        stage.attempt(operator)
        assert stage.counts.starts == 2

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
    @pytest.mark.parametrize(("status", "times"), [(503, 1), (503, 10), (429, 12)])
    def test_that_fails_just_now_is_tried_again(self, set_stage: SetStage, mode: Mode, status: int, times: int) -> None:
        stage = set_stage(mode)
        stage.plan(*chain(("label", held()), ("train", completes())))
        stage.service.fault("repair", status=status, times=times)
        result = stage.attempt(stage.starter(on_waiting="continue", approve_steps=["label"]))
        assert result.state == "success", stage.log
        assert stage.counts == Counts(starts=1, continues=1)

    @BOTH
    def test_that_fails_for_long_fails_the_task(self, set_stage: SetStage, mode: Mode) -> None:
        stage = set_stage(mode)
        stage.plan(*chain(("label", held()), ("train", endless())))
        stage.service.fault("repair", status=503, times=None)
        began = stage.clock.time()
        result = stage.attempt(stage.starter(on_waiting="continue", approve_steps=["label"], poll_interval=5))
        assert isinstance(result.error, ServerError)
        assert stage.clock.time() - began < 600
        assert stage.deferrals <= 1

    @BOTH
    @pytest.mark.parametrize("poll_interval", [5, 30])
    def test_of_the_second_of_two_steps_is_tried_again(
        self, set_stage: SetStage, mode: Mode, poll_interval: float
    ) -> None:
        stage = set_stage(mode, "late")
        stage.plan(PlannedStep("first", (held(),)), PlannedStep("second", (held(),)))
        stage.service.fault("repair", status=503, nth=2, times=1)
        operator = stage.starter(on_waiting="continue", approve_steps=["first", "second"], poll_interval=poll_interval)
        assert stage.attempt(operator).state == "success", stage.log
        assert stage.counts == Counts(starts=1, continues=2)

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
