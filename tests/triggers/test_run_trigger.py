"""The trigger in Airflow's own trigger runner, against the emulator, in a time that nobody has to wait for."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.serde import deserialize, serialize

from airflow_provider_mlworkflows.clouds.http import close_clients
from airflow_provider_mlworkflows.emulator import FaultRule, StepDefinition, WorkflowDefinition, never_ends
from airflow_provider_mlworkflows.emulator.modelarts.ready import FAILS_AT_STEP_3, PLAIN_CHAIN, WAITS_FOR_INPUTS
from airflow_provider_mlworkflows.exceptions import BadRequestError
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from airflow_provider_mlworkflows.runs import RunRef
from airflow_provider_mlworkflows.triggers.hub import RunHub
from airflow_provider_mlworkflows.triggers.modelarts import ModelArtsExecutionTrigger
from tests.harness.state_answers import StatesAnswer
from tests.support import READ, Bench

if TYPE_CHECKING:
    from tests.harness.execution_api import ApiCall
    from tests.harness.results import TaskResult
    from tests.harness.triggerer import RunningTrigger

EVENT_LIMIT = 2048


@pytest.fixture(autouse=True)
async def _clean_loop() -> AsyncIterator[None]:
    yield
    await close_clients()


@pytest.fixture
def long(modelarts: Bench) -> str:
    """Id of a workflow whose runs do not end by themselves."""
    definition = WorkflowDefinition("long-run", [StepDefinition("train", attempts=(never_ends(),))])
    return modelarts.emulator.modelarts.add_workflow(definition).workflow_id


def operator(workflow_id: str, **arguments: Any) -> ModelArtsStartWorkflowOperator:
    settings = {"task_id": "train", "deferrable": True, "poll_interval": 10.0, **arguments}
    return ModelArtsStartWorkflowOperator(workflow_id=workflow_id, **settings)


def defer(modelarts: Bench, workflow_id: str, **arguments: Any) -> TaskResult:
    result = modelarts.airflow.run(operator(workflow_id, **arguments))
    assert result.state == "deferred", result.log
    return result


def settled(modelarts: Bench) -> str:
    """State of the only execution, once whatever was under way has ended."""
    modelarts.clock.advance(30)
    (execution,) = modelarts.emulator.modelarts.executions.values()
    return execution.status


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other threads too
            await asyncio.sleep(0.001)


async def polling_or_done(modelarts: Bench, running: RunningTrigger, *, reads: int = 1) -> None:
    """Wait until the trigger has read its run so many times, or is done."""
    enough = modelarts.emulator.journal.count(READ) + reads
    await until(lambda: modelarts.emulator.journal.count(READ) >= enough or running.is_done)


async def polling(modelarts: Bench, running: RunningTrigger) -> None:
    """Wait until the trigger has read its run."""
    await polling_or_done(modelarts, running)
    assert not running.is_done


class TestSerialization:
    @pytest.mark.parametrize(
        "watch",
        [
            {},
            {"step_name": "train", "report_waiting": True, "poll_interval": 5.5},
            {"answerable": '["deploy", "评估"]', "approvable": '["label"]', "memory": '{"seen":{"训练":"running"}}'},
            {"cancel_on_kill": False, "durable": False, "huawei_conn_id": "other", "region": "r-1", "project_id": "p"},
        ],
    )
    def test_survives_the_way_through_the_database(self, watch: dict[str, Any]) -> None:
        trigger = ModelArtsExecutionTrigger(workflow_id="w", run_id="r", deadline=1.5, **watch)
        classpath, arguments = trigger.serialize()
        stored = json.loads(json.dumps(serialize(arguments)))
        received: Any = deserialize(stored)
        assert received == arguments
        assert classpath == "airflow_provider_mlworkflows.triggers.modelarts.ModelArtsExecutionTrigger"
        again = ModelArtsExecutionTrigger(**received)
        assert again.serialize() == (classpath, arguments)
        assert (again.ref, again.rules) == (RunRef("w", "r"), trigger.rules)

    def test_arguments_are_flat(self) -> None:
        _, arguments = ModelArtsExecutionTrigger(workflow_id="w", run_id="r", deadline=1.5).serialize()
        assert {type(value) for value in arguments.values()} <= {str, int, float, bool, type(None)}

    def test_no_argument_is_forgotten(self) -> None:
        names = {"workflow_id", "run_id", "deadline", "poll_interval", "step_name", "report_waiting", "answerable"}
        names |= {
            "approvable",
            "stream_logs",
            "cancel_on_kill",
            "durable",
            "memory",
            "try_number",
            "huawei_conn_id",
            "region",
            "project_id",
        }
        _, arguments = ModelArtsExecutionTrigger(workflow_id="w", run_id="r", deadline=1.5).serialize()
        assert set(arguments) == names

    def test_building_one_touches_nothing(self, modelarts: Bench) -> None:
        ModelArtsExecutionTrigger(workflow_id="w", run_id="r", deadline=0.0, huawei_conn_id="not there")
        assert modelarts.requests == []


class TestEvent:
    def test_of_a_run_that_is_over(self, modelarts: Bench) -> None:
        result = defer(modelarts, PLAIN_CHAIN)
        outcome = modelarts.airflow.run_trigger()
        assert outcome.payload["verdict"] == "over"
        assert outcome.payload["run_id"] == result.xcoms["run_id"]
        assert outcome.payload["workflow_id"] == PLAIN_CHAIN
        assert {type(value) for value in outcome.payload.values()} <= {str, int, float}
        assert len(json.dumps(outcome.payload)) <= EVENT_LIMIT

    def test_of_a_run_that_waits(self, modelarts: Bench) -> None:
        defer(modelarts, WAITS_FOR_INPUTS, on_waiting="fail")
        assert modelarts.airflow.run_trigger().payload["verdict"] == "waiting"

    def test_of_a_run_that_was_deleted(self, modelarts: Bench, long: str) -> None:
        result = defer(modelarts, long)
        modelarts.emulator.modelarts.delete_execution(result.xcoms["run_id"])
        payload = modelarts.airflow.run_trigger().payload
        assert payload["verdict"] == "gone"
        assert "ModelArts.7511" in payload["message"]

    @pytest.mark.parametrize("text", ["x" * 5000, "失败" * 5000, '"\\\n' * 5000])
    def test_is_small_whatever_a_service_says(
        self, modelarts: Bench, long: str, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        defer(modelarts, long)

        def refuse(hook: ModelArtsHook, request: Any) -> Any:
            raise BadRequestError(text)

        monkeypatch.setattr(ModelArtsHook, "asend", refuse)
        payload = modelarts.airflow.run_trigger().payload
        assert payload["verdict"] == "error"
        assert payload["message"]
        assert len(json.dumps(payload)) <= EVENT_LIMIT

    def test_resumes_the_task(self, modelarts: Bench) -> None:
        result = modelarts.airflow.run_to_end(operator(PLAIN_CHAIN))
        assert result.state == "success", result.log
        assert result.xcoms["return_value"] == result.xcoms["run_id"]
        assert modelarts.starts == 1


def was_read_at(modelarts: Bench, moment: float) -> bool:
    """Whether the run was read at a moment, give or take what a clock's reading may be off."""
    return any(abs(entry.time.timestamp() - moment) < 0.01 for entry in modelarts.emulator.journal.find(READ))


class TestDeadline:
    def test_is_absolute(self, modelarts: Bench, long: str) -> None:
        deadline = modelarts.clock.time() + 3600
        defer(modelarts, long, timeout=3600)
        payload = modelarts.airflow.run_trigger().payload
        assert payload["verdict"] == "timeout"
        assert payload["deadline"] == pytest.approx(deadline, abs=1)
        assert was_read_at(modelarts, payload["deadline"])

    def test_does_not_begin_anew_in_another_triggerer(self, modelarts: Bench, long: str) -> None:
        deadline = modelarts.clock.time() + 3600
        defer(modelarts, long, timeout=3600)
        modelarts.clock.advance(3000)
        payload = modelarts.airflow.run_trigger().payload
        assert payload["verdict"] == "timeout"
        assert payload["deadline"] == pytest.approx(deadline, abs=1)
        assert was_read_at(modelarts, payload["deadline"])

    def test_that_is_past_still_gets_a_read(self, modelarts: Bench, long: str) -> None:
        defer(modelarts, long, timeout=3600)
        modelarts.clock.advance(7200)
        now = modelarts.clock.time()
        assert modelarts.airflow.run_trigger().payload["verdict"] == "timeout"
        assert was_read_at(modelarts, now)

    def test_finished_in_time_counts_even_if_it_is_seen_late(self, modelarts: Bench) -> None:
        result = defer(modelarts, PLAIN_CHAIN, timeout=3600)
        modelarts.clock.advance(7200)
        payload = modelarts.airflow.run_trigger().payload
        assert payload["verdict"] == "over"
        assert modelarts.airflow.resume(operator(PLAIN_CHAIN, timeout=3600), payload).state == "success"
        assert modelarts.stops == 0
        assert payload["run_id"] == result.xcoms["run_id"]

    def test_the_last_read_is_at_the_deadline_however_long_the_interval(self, modelarts: Bench) -> None:
        defer(modelarts, PLAIN_CHAIN, timeout=60, poll_interval=100_000.0)
        assert modelarts.airflow.run_trigger().payload["verdict"] == "over"

    def test_a_run_out_of_time_is_stopped_by_the_worker(self, modelarts: Bench, long: str) -> None:
        result = modelarts.airflow.run_to_end(operator(long, timeout=3600))
        assert result.state == "failed"
        assert type(result.error).__name__ == "RunTimeoutError"
        assert modelarts.stops == 1
        assert settled(modelarts) == "stopped"


class TestCancellation:
    async def test_comes_through_with_its_message(self, modelarts: Bench, long: str) -> None:
        trigger = ModelArtsExecutionTrigger(workflow_id=long, run_id="x", deadline=modelarts.clock.time() + 1e6)
        trigger.service = _Answerless()  # type: ignore[assignment,misc]
        events = trigger.run()
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel("the triggerer is stopping")
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await waiting
        assert cancelled.value.args == ("the triggerer is stopping",)

    async def test_a_shutdown_stops_nothing(self, modelarts: Bench, long: str) -> None:
        defer(modelarts, long)
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            await running.shut_down()
            assert running.is_done
        assert modelarts.stops == 0
        assert settled(modelarts) == "running"

    async def test_nor_does_a_clean_up_by_itself(self, modelarts: Bench, long: str) -> None:
        result = defer(modelarts, long)
        assert result.deferral is not None
        trigger = ModelArtsExecutionTrigger(**result.deferral.kwargs)
        await trigger.cleanup()
        assert modelarts.stops == 0

    async def test_a_shutdown_leaves_no_watcher(self, modelarts: Bench, long: str) -> None:
        defer(modelarts, long)
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            trigger = running.trigger
            assert isinstance(trigger, ModelArtsExecutionTrigger)
            hub = RunHub.shared(trigger.service, trigger, trigger.clock)
            await running.shut_down()
        assert hub._watchers == set()


class _Answerless:
    """A service whose reads never answer."""

    name = "silence"
    scope: Sequence[str] = ()

    def scope_of(self, owner: object) -> dict[str, Any]:
        return {}

    def hook(self, scope: Any, **options: Any) -> Any:
        class Hook:
            def batches(self, refs: Any) -> list[Any]:
                return [refs]

            class get_runs:
                @staticmethod
                async def aio(refs: Any) -> Any:
                    await asyncio.Event().wait()

        return Hook()


class TestKill:
    @pytest.mark.parametrize("state", ["failed", "success"])
    async def test_a_mark_stops_the_run(self, modelarts: Bench, long: str, state: Any) -> None:
        defer(modelarts, long)
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            modelarts.airflow.mark(state)
            await running.revoke()
            await running.wait_until_done()
            assert "is being stopped" in running.log.masked()
        assert modelarts.stops == 1
        assert settled(modelarts) == "stopped"

    async def test_is_cancelled_again_each_second_and_stops_all_the_same(self, modelarts: Bench, long: str) -> None:
        defer(modelarts, long)
        modelarts.emulator.faults.add(FaultRule(operation="CreateWorkflowExecutionsActions", action="delay", delay=0.2))
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            modelarts.airflow.mark("failed")
            await running.revoke()
            async with asyncio.timeout(20):
                while not modelarts.stops:
                    await running.tick()
        assert modelarts.stops == 1
        assert settled(modelarts) == "stopped"

    async def test_a_trigger_that_moved_leaves_the_run(self, modelarts: Bench, long: str) -> None:
        defer(modelarts, long)
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            await running.revoke()
            await running.wait_until_done()
            assert "watched elsewhere" in running.log.masked()
        assert modelarts.stops == 0
        assert settled(modelarts) == "running"

    @pytest.mark.parametrize("state", ["up_for_retry", "scheduled", "queued", "running"])
    async def test_a_trigger_whose_task_goes_on_elsewhere_leaves_the_run(
        self, modelarts: Bench, long: str, state: Any
    ) -> None:
        defer(modelarts, long)
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            modelarts.airflow.ti.state = state
            await running.revoke()
            await running.wait_until_done()
            assert "watched elsewhere" in running.log.masked()
        assert modelarts.stops == 0
        assert settled(modelarts) == "running"

    async def test_a_stop_that_is_late_does_not_hit_what_a_later_attempt_has_taken_up(
        self, modelarts: Bench, long: str
    ) -> None:
        defer(modelarts, long)
        refusal = FaultRule(operation="CreateWorkflowExecutionsActions", status=503, times=None)
        modelarts.emulator.faults.add(refusal)

        def take_up(call: ApiCall) -> None:
            modelarts.airflow.ti.state = "running"
            modelarts.emulator.faults.remove(refusal)

        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            modelarts.airflow.mark("failed")
            for happening in (lambda call: None, take_up):
                modelarts.airflow.on_call("GET", "/task-instances/states", happening)
            await running.revoke()
            await running.wait_until_done()
            assert "could not be stopped yet" in running.log.masked()
            assert "watched elsewhere" in running.log.masked()
        assert modelarts.stops == 0
        assert settled(modelarts) == "running"

    async def test_a_clear_stops_a_run_that_has_been_replaced(self, modelarts: Bench, long: str) -> None:
        task = operator(long, durable=False)
        first = modelarts.airflow.run(task).xcoms["run_id"]
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            modelarts.airflow.clear()
            second = modelarts.airflow.run(task).xcoms["run_id"]
            await running.revoke()
            await running.wait_until_done()
        modelarts.clock.advance(30)
        assert modelarts.emulator.modelarts.execution(first).status == "stopped"
        assert modelarts.emulator.modelarts.execution(second).status == "running"

    async def test_a_run_that_ended_meanwhile_is_left_alone(self, modelarts: Bench, long: str) -> None:
        defer(modelarts, long)
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            modelarts.airflow.mark("failed")
            (run_id,) = modelarts.emulator.modelarts.executions
            modelarts.emulator.modelarts.force_status(run_id, None, {"train": "completed"})
            await running.revoke()
            await running.wait_until_done()
        assert modelarts.stops == 0

    async def test_after_the_event_it_does_nothing(self, modelarts: Bench, long: str) -> None:
        defer(modelarts, long, timeout=600)
        async with modelarts.airflow.start_trigger() as running:
            assert (await running.result()).payload["verdict"] == "timeout"
            modelarts.airflow.mark("failed")
            await running.trigger.on_kill()
        assert modelarts.stops == 0

    async def test_not_if_told_not_to(self, modelarts: Bench, long: str) -> None:
        defer(modelarts, long, cancel_on_kill=False)
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            modelarts.airflow.mark("failed")
            await running.revoke()
            await running.wait_until_done()
        assert modelarts.stops == 0
        assert settled(modelarts) == "running"

    @pytest.mark.parametrize(("marked", "stops"), [("failed", 1), (None, 0)])
    async def test_without_an_answer_from_airflow_it_asks_again(
        self, modelarts: Bench, long: str, marked: Any, stops: int
    ) -> None:
        defer(modelarts, long)
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            modelarts.airflow.answer_states(StatesAnswer.error())
            if marked:
                modelarts.airflow.mark(marked)
            await running.revoke()
            await until(lambda: running.log.masked().count("asking again") >= 2)
            assert modelarts.stops == 0
            modelarts.airflow.answer_states(StatesAnswer.truth())
            await running.wait_until_done()
        assert modelarts.stops == stops

    async def test_a_refused_stop_is_told(self, modelarts: Bench, long: str) -> None:
        defer(modelarts, long)
        async with modelarts.airflow.start_trigger() as running:
            await polling(modelarts, running)
            modelarts.emulator.credentials.revoke("modelarts:workflow:execute")
            modelarts.airflow.mark("failed")
            await running.revoke()
            await running.wait_until_done()
            log = running.log.masked()
        assert "could not be stopped and may go on" in log
        assert "403" in log


STEP_LINE = re.compile(r"Step (\w+): (\w+)")


class TestLog:
    async def test_each_step_is_told_once_however_often_the_trigger_starts(self, modelarts: Bench) -> None:
        result = defer(modelarts, FAILS_AT_STEP_3)
        told = STEP_LINE.findall(result.log)
        verdict = None
        while verdict is None:
            modelarts.clock.advance(2)
            async with modelarts.airflow.start_trigger() as running:
                await polling_or_done(modelarts, running, reads=2)
                if running.is_done:
                    verdict = (await running.result()).payload["verdict"]
                else:
                    await running.shut_down()
                told += STEP_LINE.findall(running.log.masked())
        assert verdict == "over"
        assert len(told) == len(set(told)), told
        assert ("prepare", "completed") in told
        assert ("evaluate", "failed") in told

    def test_what_the_worker_told_the_trigger_does_not_repeat(self, modelarts: Bench) -> None:
        result = modelarts.airflow.run(operator(PLAIN_CHAIN))
        first = STEP_LINE.findall(result.log)
        outcome = modelarts.airflow.run_trigger()
        assert set(first).isdisjoint(STEP_LINE.findall(outcome.log))

    def test_an_outage_of_the_service_is_told_and_outlived(self, modelarts: Bench) -> None:
        defer(modelarts, PLAIN_CHAIN)
        modelarts.emulator.faults.add(FaultRule(operation=READ, times=5, status=503))
        outcome = modelarts.airflow.run_trigger()
        assert outcome.payload["verdict"] == "over"
        assert outcome.log.count("Could not read the run") == 5

    def test_a_longer_one_ends_the_waiting_and_leaves_the_run(self, modelarts: Bench, long: str) -> None:
        defer(modelarts, long)
        modelarts.emulator.faults.add(FaultRule(operation=READ, times=None, status=503))
        payload = modelarts.airflow.run_trigger().payload
        assert payload["verdict"] == "error"
        assert "503" in payload["message"]
        assert modelarts.stops == 0
