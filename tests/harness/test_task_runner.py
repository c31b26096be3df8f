"""The task-runner harness, proved on dummies against what Airflow's source does."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from airflow.sdk import DAG, Context
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowRuntimeError,
    TaskDeferralError,
    TaskDeferralTimeout,
)

from tests.harness.dummies import (
    BrokenTrigger,
    CountdownTrigger,
    CountingSensor,
    FormOperator,
    RunOperator,
    WaitingOperator,
)
from tests.harness.state_answers import StatesAnswer
from tests.harness.task_instance import InvalidTransitionError
from tests.harness.task_runner import FakeAirflow, UnservedCallError
from tests.harness.worker import NoTaskRunningError

PASSWORD = "correct-horse-battery"
CONNECTIONS: dict[str, dict[str, Any]] = {
    "cloud": {"conn_type": "generic", "host": "cloud.invalid", "password": PASSWORD, "extra": {"region": "r"}}
}


@pytest.fixture
def server() -> FakeAirflow:
    return FakeAirflow(connections=CONNECTIONS)


def test_synchronous_task_renders_templates_and_publishes_links(server: FakeAirflow) -> None:
    result = server.run(RunOperator(task_id="start", name="{{ run_id }}/{{ ti.try_number }}", wait=False))
    assert result.state == result.worker_state == "success"
    assert result.error is None
    assert result.rendered_fields == {"name": f"{server.ti.run_id}/1"}
    assert result.xcoms == {
        "return_value": "run-1",
        "run_url": "cloud.invalid/run-1",
        "_link_RunLink": "cloud.invalid/run-1",
    }
    assert server.state_store == {"run_id": "run-1"}


def test_log_is_masked_and_the_unmasked_log_is_not(server: FakeAirflow) -> None:
    result = server.run(RunOperator(task_id="start", wait=False))
    assert "signing with ***" in result.log
    assert PASSWORD not in result.log
    assert f"signing with {PASSWORD}" in result.unmasked_log
    assert result.log_levels == {"info"}


def test_masker_starts_blank_in_each_leg(server: FakeAirflow) -> None:
    server.run(RunOperator(task_id="start", wait=False))
    other = FakeAirflow().run(RunOperator(task_id="other", name=PASSWORD, conn_id="missing"))
    assert other.rendered_fields == {"name": PASSWORD}


def test_missing_connection_fails_the_task() -> None:
    result = FakeAirflow().run(RunOperator(task_id="start", wait=False))
    assert result.state == "failed"
    assert isinstance(result.error, AirflowException)
    assert "cloud" in str(result.error)
    assert "Task failed with exception" in result.log


def test_deferral_shows_what_reaches_the_triggerer(server: FakeAirflow) -> None:
    result = server.run(RunOperator(task_id="start"))
    assert result.state == "deferred"
    assert result.deferral is not None
    assert result.deferral.classpath == "tests.harness.dummies.CountdownTrigger"
    assert result.deferral.kwargs == {"conn_id": "cloud", "turns": 3, "endless": False}
    assert result.deferral.next_method == "execute_complete"
    assert result.xcoms["_link_RunLink"] == "cloud.invalid/run-1"


def test_arguments_that_serde_refuses_fail_as_in_production(server: FakeAirflow) -> None:
    class Opaque(CountdownTrigger):
        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "tests.harness.dummies.CountdownTrigger", {"turns": object()}

    result = server.run(RunOperator(task_id="start", trigger_class=Opaque))
    assert result.state == "failed"
    assert isinstance(result.error, TypeError)


def test_trigger_resolves_connections_and_resumes_the_task(server: FakeAirflow) -> None:
    operator = RunOperator(task_id="start")
    server.run(operator)
    outcome = server.run_trigger()
    assert outcome.payload == {"host": "cloud.invalid", "task": "start"}
    assert "watching cloud.invalid with ***" in outcome.log
    result = server.resume(operator, outcome.payload)
    assert result.state == "success"
    assert result.xcoms["return_value"] == {**outcome.payload, "kept": 1, "run_id": "run-1"}
    assert server.ti.try_number == 1


def test_resumed_leg_keeps_xcoms_and_a_fresh_attempt_clears_them(server: FakeAirflow) -> None:
    operator = RunOperator(task_id="start", retries=1)
    server.run(operator)
    server.set_xcom("early", 1)
    assert server.resume(operator, {}).xcoms["early"] == 1
    server.clear()
    assert "early" not in server.run(operator).xcoms


def test_run_to_end_goes_through_the_trigger(server: FakeAirflow) -> None:
    result = server.run_to_end(RunOperator(task_id="start"))
    assert result.state == "success"
    assert result.xcoms["return_value"]["task"] == "start"


async def test_run_to_end_works_inside_an_event_loop(server: FakeAirflow) -> None:
    assert server.run_to_end(RunOperator(task_id="start")).state == "success"


def test_broken_trigger_fails_the_task_on_the_worker(server: FakeAirflow) -> None:
    result = server.run_to_end(RunOperator(task_id="start", trigger_class=BrokenTrigger))
    assert result.state == "failed"
    assert isinstance(result.error, TaskDeferralError)
    assert "the trigger broke" in result.log


def test_expired_deferral_fails_the_task(server: FakeAirflow) -> None:
    operator = RunOperator(task_id="start")
    server.run(operator)
    server.expire_deferral()
    assert isinstance(server.run(operator).error, TaskDeferralTimeout)


def test_retry_keeps_max_tries_and_the_state_store(server: FakeAirflow) -> None:
    operator = RunOperator(task_id="start", wait=False, retries=2, failures=1)
    first_id = server.ti.id
    result = server.run(operator)
    assert result.state == "up_for_retry"
    server.retry()
    assert server.ti.id != first_id
    result = server.run(operator)
    assert result.state == "success"
    assert (server.ti.try_number, server.ti.max_tries, server.clear_number) == (2, 2, 0)
    assert result.xcoms["return_value"] == "run-1"


def test_last_attempt_fails_for_good(server: FakeAirflow) -> None:
    operator = RunOperator(task_id="start", wait=False, retries=1, failures=9)
    assert server.run(operator).state == "up_for_retry"
    assert server.run(operator).state == "failed"
    with pytest.raises(InvalidTransitionError):
        server.retry()
    with pytest.raises(InvalidTransitionError):
        server.run(operator)


def test_clear_raises_max_tries_and_keeps_the_state_store(server: FakeAirflow) -> None:
    operator = RunOperator(task_id="start", wait=False, retries=2)
    server.run(operator)
    server.clear()
    assert server.state is None
    server.run(operator)
    assert (server.ti.try_number, server.ti.max_tries, server.clear_number) == (2, 3, 1)
    assert server.state_store == {"run_id": "run-1"}


def test_clear_of_another_task_moves_only_the_clear_number(server: FakeAirflow) -> None:
    operator = RunOperator(task_id="start", wait=False, retries=1, failures=1)
    server.run(operator)
    server.clear_other_task()
    server.run(operator)
    assert (server.ti.max_tries, server.clear_number) == (1, 1)


def test_rescheduled_sensor_runs_again_until_it_succeeds(server: FakeAirflow) -> None:
    sensor = CountingSensor(task_id="wait", succeed_at=3, mode="reschedule", poke_interval=60)
    result = server.run(sensor)
    assert result.state == "up_for_reschedule"
    assert result.reschedule_date is not None
    assert result.reschedule_date > datetime.now(UTC)
    assert server.run_to_end(sensor).state == "success"
    assert server.ti.try_number == 1


def test_rescheduled_sensor_times_out_from_its_first_reschedule() -> None:
    server = FakeAirflow(clock=lambda: datetime.now(UTC) - timedelta(hours=2))
    sensor = CountingSensor(task_id="wait", succeed_at=9, mode="reschedule", timeout=3600, retries=3)
    assert server.run(sensor).state == "up_for_reschedule"
    result = server.run(sensor)
    assert result.state == "failed"
    assert "timed out" in str(result.error)


def test_mapped_instance_keeps_its_own_xcoms(server: FakeAirflow) -> None:
    mapped = FakeAirflow(connections=CONNECTIONS, map_index=4)
    result = mapped.run(RunOperator(task_id="start", wait=False))
    assert {at.map_index for at in mapped.api.xcoms.rows} == {4}
    assert result.xcoms["_link_RunLink"] == "cloud.invalid/run-1"


def test_mapped_operator_is_expanded_for_its_index() -> None:
    server = FakeAirflow(connections=CONNECTIONS, map_index=1)
    with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        operator = RunOperator.partial(task_id="start", wait=False).expand(name=["a", "b"])
    result = server.run(operator)
    assert (result.state, result.rendered_fields) == ("success", {"name": "b"})


def test_task_cleared_in_its_resumed_leg_starts_in_the_next_method_again(server: FakeAirflow) -> None:
    class Slow(RunOperator):
        def execute_complete(self, context: Context, event: dict[str, Any], kept: int = 0) -> dict[str, Any]:
            if server.ti.try_number == 1:
                server.clear()
            return event

    operator = Slow(task_id="start", retries=1)
    server.run(operator)
    assert server.resume(operator, {"attempt": 1}).state is None
    assert server.run(operator).xcoms["return_value"] == {"attempt": 1}
    assert (server.ti.try_number, server.ti.max_tries) == (2, 2)


def test_form_is_put_up_and_its_answer_resumes_the_task() -> None:
    server = FakeAirflow()
    operator = FormOperator(task_id="ask")
    result = server.run(operator)
    assert result.state == "awaiting_input"
    assert result.form is not None
    assert result.form["subject"] == "Go on?"
    done = server.answer_form(operator, ["yes"], {"rate": 2})
    assert done.state == "success"
    assert done.xcoms["return_value"] == [["yes"], {"rate": 2}]


def _when_waiting(action: Any) -> threading.Thread:
    WaitingOperator.started.clear()

    def act() -> None:
        if WaitingOperator.started.wait(20):
            action()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_sigterm_reaches_on_kill_and_the_task_is_still_running(server: FakeAirflow) -> None:
    thread = _when_waiting(server.terminate)
    result = server.run(WaitingOperator(task_id="wait", retries=1))
    thread.join()
    assert f"killed while Airflow says {{'{server.ti.run_id}': {{'wait': 'running'}}}}" in result.log
    assert result.state == "up_for_retry"


def test_mark_failed_kills_the_task_and_its_last_word_is_refused(server: FakeAirflow) -> None:
    thread = _when_waiting(lambda: server.mark("failed"))
    result = server.run(WaitingOperator(task_id="wait", retries=1))
    thread.join()
    assert "{'wait': 'failed'}" in result.log
    assert (result.state, result.worker_state) == ("failed", "up_for_retry")


@pytest.mark.parametrize(("executor_reports", "max_tries"), [("success", 2), ("failed", 1)])
def test_clear_while_running_shows_restarting(server: FakeAirflow, executor_reports: Any, max_tries: int) -> None:
    thread = _when_waiting(lambda: server.clear(executor_reports=executor_reports))
    operator = WaitingOperator(task_id="wait", retries=1)
    result = server.run(operator)
    thread.join()
    assert "{'wait': 'restarting'}" in result.log
    assert server.state_store == {"run_id": "run-1"}
    _when_waiting(server.terminate)
    server.run(operator)
    assert (server.ti.try_number, server.ti.max_tries, server.clear_number) == (2, max_tries, 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (StatesAnswer.of("success"), "'success'"),
        (StatesAnswer.of(None), "None"),
        (StatesAnswer.unknown_instance(), "Airflow says {}"),
    ],
)
def test_states_may_be_answered_differently(server: FakeAirflow, answer: StatesAnswer, words: str) -> None:
    server.answer_states(answer)
    thread = _when_waiting(server.terminate)
    assert words in server.run(WaitingOperator(task_id="wait")).log
    thread.join()


@pytest.mark.parametrize("answer", [StatesAnswer.error(), StatesAnswer.error(404)])
def test_states_error_reaches_the_task(server: FakeAirflow, answer: StatesAnswer) -> None:
    server.answer_states(answer)
    thread = _when_waiting(server.terminate)
    assert isinstance(server.run(WaitingOperator(task_id="wait")).error, AirflowRuntimeError)
    thread.join()


def test_silence_ends_when_the_task_says_something_else(server: FakeAirflow) -> None:
    server.answer_states(StatesAnswer.silence())
    thread = _when_waiting(server.terminate)
    began = time.monotonic()
    result = server.run(WaitingOperator(task_id="wait", give_up_asking=True))
    thread.join()
    assert "no answer" in str(result.error)
    assert result.state == "failed"
    assert time.monotonic() - began < 4


def test_signal_without_a_task_is_an_error(server: FakeAirflow) -> None:
    with pytest.raises(NoTaskRunningError):
        server.terminate()


def test_call_may_be_replaced_by_a_fault(server: FakeAirflow) -> None:
    server.on_call("PUT", "/store/ti/", lambda call: httpx.Response(503, json={"detail": "down"}))
    result = server.run(RunOperator(task_id="start", wait=False, retries=1))
    assert result.state == "up_for_retry"
    assert isinstance(result.error, AirflowRuntimeError)
    assert server.run(RunOperator(task_id="start", wait=False, retries=1)).state == "success"
    assert len(server.calls_to("PUT", "/store/ti/")) == 2


def test_unserved_route_is_loud(server: FakeAirflow) -> None:
    class Curious(RunOperator):
        def execute(self, context: Any) -> str:
            context["ti"].get_dr_count(dag_id="other")
            return ""

    with pytest.raises(UnservedCallError, match="dag-runs/count"):
        server.run(Curious(task_id="start"))


def test_operator_is_left_as_it_was(server: FakeAirflow) -> None:
    operator = RunOperator(task_id="start", name="{{ run_id }}", wait=False)
    server.run(operator)
    assert operator.name == "{{ run_id }}"


def test_killed_worker_leaves_the_task_running_until_airflow_notices(server: FakeAirflow) -> None:
    def kill(call: Any) -> None:
        server.kill_worker()

    server.on_call("POST", "/run_url", kill)
    operator = RunOperator(task_id="start", wait=False, retries=1)
    result = server.run(operator, in_process=True)
    assert (result.state, result.worker_state, result.exit_code) == ("running", None, -9)
    assert server.state_store == {"run_id": "run-1"}
    server.lose_worker()
    assert server.run(operator).xcoms["return_value"] == "run-1"
    assert server.ti.try_number == 2


def test_task_in_a_process_of_its_own_logs_and_succeeds(server: FakeAirflow) -> None:
    result = server.run(RunOperator(task_id="start", wait=False), in_process=True)
    assert (result.state, result.worker_state, result.exit_code) == ("success", "success", 0)
    assert "signing with ***" in result.log
    assert result.xcoms["_link_RunLink"] == "cloud.invalid/run-1"


def test_process_is_told_by_its_next_heartbeat(server: FakeAirflow) -> None:
    def mark_once_waiting(call: Any) -> None:
        threading.Timer(0.0, server.mark, ["failed"]).start()

    server.on_call("PUT", "/store/ti/", mark_once_waiting)
    result = server.run(WaitingOperator(task_id="wait", retries=1), in_process=True)
    assert result.state == "failed"
    assert "{'wait': 'failed'}" in result.log
