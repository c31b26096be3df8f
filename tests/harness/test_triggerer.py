"""The trigger half of the task-runner harness, proved on dummies."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.harness.dummies import CountdownTrigger, EndlessTrigger, RunOperator
from tests.harness.task_instance import InvalidTransitionError
from tests.harness.task_runner import FakeAirflow
from tests.harness.triggerer import RunningTrigger, TriggerLoadError, TriggerSurvivedError


@pytest.fixture
def server() -> FakeAirflow:
    return FakeAirflow(connections={"cloud": "generic://ak:correct-horse-battery@cloud.invalid"})


def countdown(running: RunningTrigger) -> CountdownTrigger:
    assert isinstance(running.trigger, CountdownTrigger)
    return running.trigger


async def asked_for_states(trigger: CountdownTrigger) -> None:
    await asyncio.wait_for(trigger.has_asked.wait(), 10)


async def test_revoked_trigger_is_killed_and_cancelled_again_each_second(server: FakeAirflow) -> None:
    server.run(RunOperator(task_id="start", trigger_class=EndlessTrigger))
    async with server.start_trigger() as running:
        await running.wait_until_logged("watching")
        trigger = countdown(running)
        server.mark("failed")
        await running.revoke()
        await asked_for_states(trigger)
        await running.tick(3)
        assert trigger.kills == 1
        assert trigger.interruptions >= 1
        trigger.kill_may_end.set()
        await running.wait_until_done()
        assert trigger.cleanups == 1
    assert trigger.states_when_killed == {server.ti.run_id: {"start": "failed"}}


async def test_cleared_task_leaves_its_old_trigger_without_events_for_it(server: FakeAirflow) -> None:
    operator = RunOperator(task_id="start", trigger_class=EndlessTrigger, retries=1)
    server.run(operator)
    async with server.start_trigger() as running:
        await running.wait_until_logged("watching")
        trigger = countdown(running)
        trigger.kill_may_end.set()
        server.clear()
        assert server.run(operator).state == "deferred"
        await running.revoke()
        await running.wait_until_done()
    assert (trigger.kills, trigger.cleanups) == (1, 1)
    assert trigger.states_when_killed == {server.ti.run_id: {"start": "deferred"}}


async def test_triggerer_shutdown_cleans_up_without_on_kill(server: FakeAirflow) -> None:
    server.run(RunOperator(task_id="start", trigger_class=EndlessTrigger))
    async with server.start_trigger() as running:
        await running.wait_until_logged("watching")
        trigger = countdown(running)
        await running.shut_down()
        assert running.is_done
    assert (trigger.kills, trigger.cleanups) == (0, 1)


async def _leave_during_kill(server: FakeAirflow, seen: list[RunningTrigger]) -> None:
    async with server.start_trigger() as running:
        seen.append(running)
        await running.wait_until_logged("watching")
        await running.revoke()
        await asked_for_states(countdown(running))


async def test_trigger_that_outlives_its_cancellation_is_an_error(server: FakeAirflow) -> None:
    server.run(RunOperator(task_id="start", trigger_class=EndlessTrigger))
    seen: list[RunningTrigger] = []
    with pytest.raises(TriggerSurvivedError):
        await _leave_during_kill(server, seen)
    countdown(seen[0]).kill_may_end.set()
    await seen[0].wait_until_done()


def test_trigger_that_cannot_be_built_is_an_error(server: FakeAirflow) -> None:
    class Forgetful(CountdownTrigger):
        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "tests.harness.dummies.CountdownTrigger", {"conn_id": "cloud"}

    server.run(RunOperator(task_id="start", trigger_class=Forgetful))
    with pytest.raises(TriggerLoadError):
        server.run_trigger()


def test_trigger_of_a_task_that_is_not_deferred_is_an_error(server: FakeAirflow) -> None:
    server.run(RunOperator(task_id="start", wait=False))
    with pytest.raises(InvalidTransitionError):
        server.run_trigger()
