"""Runs a deferred trigger in Airflow's own trigger runner, one turn of its loop at a time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs.triggerer_job_runner import TriggerDetails, TriggerRunner
from airflow.triggers.base import BaseTaskEndEvent, BaseTrigger, TriggerEvent

from tests.harness import task_log
from tests.harness.results import TriggerResult
from tests.harness.supervision import (
    TriggererComms,
    TriggererSupervisor,
    line,
    make_triggerer_supervisor,
    process_state,
    serving,
    supervisor_comms,
)
from tests.harness.task_instance import Deferral, InvalidTransitionError, TaskInstanceRecord

if TYPE_CHECKING:
    from tests.harness.execution_api import ExecutionApi

# A shielded ``on_kill`` may take a moment; one that hangs must not hang the tests.
_PATIENCE_AT_STOP = 2.0

# Seconds after which a trigger is taken to hang; nothing here waits for a clock.
DEFAULT_PATIENCE = 30.0

_trigger_ids = itertools.count(1)


class TriggerLoadError(Exception):
    """The triggerer could not build the trigger from what the worker stored."""


class TriggerSurvivedError(Exception):
    """The trigger went on after it was cancelled, which would hold up a stopping triggerer."""


class _Runner(TriggerRunner):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.instances: dict[int, BaseTrigger] = {}
        self.has_started = asyncio.Event()

    async def run_trigger(self, trigger_id: int, trigger: BaseTrigger, *args: Any, **kwargs: Any) -> None:
        self.instances[trigger_id] = trigger
        run = trigger.run

        def announced_run() -> AsyncIterator[TriggerEvent]:
            del trigger.__dict__["run"]
            self.has_started.set()
            return run()

        trigger.__dict__["run"] = announced_run
        await super().run_trigger(trigger_id, trigger, *args, **kwargs)


@dataclass
class RunningTrigger:
    """A trigger that runs in the current event loop.

    Attributes:
        deferral: the row it was built from.
        log: what it has logged so far.
    """

    deferral: Deferral
    log: task_log.TaskLog
    _id: int
    _runner: _Runner
    _supervisor: TriggererSupervisor
    _task: asyncio.Task[Any] = field(init=False)

    @property
    def trigger(self) -> BaseTrigger:
        """The trigger object that the triggerer built."""
        return self._runner.instances[self._id]

    @property
    def is_done(self) -> bool:
        """Whether the trigger's coroutine has ended, ``on_kill`` and ``cleanup`` included."""
        return self._task.done()

    async def tick(self, times: int = 1) -> None:
        """Take what the triggerer does once a second, this many times.

        It reports events, collects finished triggers, and cancels each revoked trigger again for as long as
        its coroutine lives, ``on_kill`` included.
        """
        for _ in range(times):
            finished = await self._runner.cleanup_finished_triggers()
            await self._runner.sync_state_to_supervisor(finished)
            await self._runner.create_triggers()  # type: ignore[no-untyped-call]
            await self._runner.cancel_triggers()  # type: ignore[no-untyped-call]
            await asyncio.sleep(0)

    async def revoke(self) -> None:
        """Take the trigger's row away from this triggerer, and cancel the trigger.

        That follows a person's mark or clear, and equally a move to another triggerer: Airflow 3.3 tells
        the trigger the same in both cases. What the task instance's state is then, the server decides.
        """
        self._supervisor.cancelling_triggers.add(self._id)
        await self.tick()

    async def shut_down(self) -> None:
        """Cancel the trigger as a stopping triggerer does, and wait for its clean-up."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def wait_until_done(self, patience: float = DEFAULT_PATIENCE) -> None:
        """Wait until the trigger's coroutine has ended, without any further turn of the triggerer."""
        done, _ = await asyncio.wait({self._task}, timeout=patience)
        if not done:
            raise TimeoutError(f"the trigger still runs after {patience} s")

    async def wait_until_logged(self, text: str, patience: float = DEFAULT_PATIENCE) -> None:
        """Wait until the trigger has logged ``text``, to revoke it at a known place.

        Airflow tells a person's kill from a shutdown by the message of the cancellation. Code that awaits in
        a thread, as the look-up of a connection does, may lose that message, and then nothing is killed.
        """
        async with asyncio.timeout(patience):
            while text not in self.log.unmasked:
                if self.is_done:
                    raise AssertionError(f"the trigger ended without logging {text!r}: {self.log.masked()}")
                await asyncio.wait({self._task}, timeout=0.001)

    async def result(self, patience: float = DEFAULT_PATIENCE) -> TriggerResult:
        """Wait for the trigger's first event, or its end without one.

        Raises:
            TimeoutError: neither came within ``patience`` seconds.
        """
        async with asyncio.timeout(patience):
            while not self._runner.events and not self._task.done():
                await asyncio.wait({self._task}, timeout=0.005)
            await self.tick()
        outcome = self._outcome()
        return replace(outcome, log=self.log.masked(), unmasked_log=self.log.unmasked)

    def _outcome(self) -> TriggerResult:
        if not self._supervisor.events:
            failures = [lines for number, lines in self._supervisor.failed_triggers if number == self._id]
            return TriggerResult(failure=(failures[0] if failures else None) or [])
        event = self._supervisor.events[0].event
        if isinstance(event, BaseTaskEndEvent):
            return TriggerResult(ended_task_as=str(event.task_instance_state), xcoms=event.xcoms or {})
        return TriggerResult(payload=event.payload)


@contextlib.asynccontextmanager
async def running_trigger(api: ExecutionApi) -> AsyncIterator[RunningTrigger]:
    """Build the task instance's trigger from its stored form and run it until the block ends.

    Raises:
        InvalidTransitionError: the task instance is not deferred.
        TriggerLoadError: the trigger's class cannot be imported or does not take the stored arguments.
    """
    deferral = api.record.deferral
    if deferral is None:
        raise InvalidTransitionError(f"a task instance that is {api.record.state!r} has no trigger")
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(task_log.captured())
        stack.enter_context(process_state())
        supervisor_end, triggerer_end = stack.enter_context(line())
        supervisor = make_triggerer_supervisor(api.client(), supervisor_end)
        stack.enter_context(serving(supervisor))
        reader, writer = await asyncio.open_connection(sock=triggerer_end)
        comms = TriggererComms(socket=triggerer_end, async_reader=reader, async_writer=writer)
        comms.before_send = lambda: api.states_answer.break_silence()
        stack.enter_context(supervisor_comms(comms))
        runner = _Runner()
        runner.comms_decoder = comms
        running = RunningTrigger(deferral, log, next(_trigger_ids), runner, supervisor)
        await comms.start_reader()
        try:
            running._task = await _launch(running, api.record)
            yield running
        finally:
            try:
                await _stop(runner, comms)
            finally:
                api.states_answer.break_silence()
                writer.close()


async def _launch(running: RunningTrigger, record: TaskInstanceRecord) -> asyncio.Task[Any]:
    deferral = running.deferral
    running._supervisor.creating_triggers.append(
        RunTrigger(
            id=running._id,
            classpath=deferral.classpath,
            encrypted_kwargs=deferral.stored_kwargs,
            ti=_ti_for_triggerer(record),
            timeout_after=deferral.expires_at,
        )
    )
    await running.tick()
    if running._runner.failed_triggers:
        _, error = running._runner.failed_triggers[0]
        raise TriggerLoadError(deferral.classpath) from error
    # A trigger cancelled before its first step gets no chance to kill anything; no person is that quick.
    await running._runner.has_started.wait()
    return running._runner.triggers[running._id]["task"]


async def _stop(runner: _Runner, comms: TriggererComms) -> None:
    details: list[TriggerDetails] = list(runner.triggers.values())
    tasks: list[asyncio.Task[Any]] = [trigger["task"] for trigger in details]
    if comms._reader_task is not None:
        tasks.append(comms._reader_task)
    for task in tasks:
        task.cancel()
    _, surviving = await asyncio.wait(tasks, timeout=_PATIENCE_AT_STOP)
    if surviving:
        raise TriggerSurvivedError(f"still running {_PATIENCE_AT_STOP} s after being cancelled: {surviving}")


def _ti_for_triggerer(record: TaskInstanceRecord) -> TaskInstanceDTO:
    return TaskInstanceDTO(
        id=record.id,
        task_id=record.task_id,
        dag_id=record.dag_id,
        run_id=record.run_id,
        try_number=record.try_number,
        map_index=record.map_index,
        dag_version_id=record.dag_version_id,
        pool_slots=1,
        priority_weight=1,
    )
