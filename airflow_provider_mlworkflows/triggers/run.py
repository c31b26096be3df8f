"""The one trigger: it waits for a run, or for one of its steps, and says in its event why the waiting ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Clock
from airflow_provider_mlworkflows.exceptions import (
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    StopImpossibleError,
    is_to_be_stopped_again,
)
from airflow_provider_mlworkflows.runs import Run, RunRef
from airflow_provider_mlworkflows.task_states import TAKEN_UP, TaskKey
from airflow_provider_mlworkflows.triggers.hub import RunHub
from airflow_provider_mlworkflows.watching import (
    LOOKS_IN_VAIN,
    MEMORY_KEY,
    Memory,
    RunWatch,
    Verdict,
    WatchEvent,
    WatchRules,
    untold_step,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.services import Service

T = TypeVar("T")

RUN_ID_KEY = "run_id"
KILL_SECONDS = 25.0
"""Airflow gives ``on_kill`` 30 seconds by default."""
ASK_AGAIN_SECONDS = 2.0
STOP_ATTEMPTS = 10
"""More than there is time for, if a service only says that it fails."""
MESSAGE_LENGTH = 1000
"""Characters of JSON, in which one letter may take twelve."""


class RunTrigger(BaseTrigger):
    """Waits until a run or one of its steps ends, waits for a person, or its time is up.

    Its event carries ids, the verdict and a message; whoever gets it reads the run anew.

    :param workflow_id: the workflow that it is a run of.
    :param run_id: the run.
    :param deadline: seconds since the epoch at which to stop waiting.
    :param poll_interval: seconds between two reads.
    :param step_name: follow this step instead of the whole run.
    :param report_waiting: end the waiting when the run waits for a person.
    :param answerable: end the waiting when one of these steps waits for inputs; names in a JSON list.
    :param approvable: end the waiting when one of these steps is held by a person; names in a JSON list.
    :param stream_logs: show the steps' own log lines in the task's log.
    :param cancel_on_kill: stop the run when a person fails, clears or finishes the task.
    :param durable: whether a later attempt of the task takes up or stops this run itself.
    :param memory: what the worker has seen and logged already, as `Memory` writes it.
    :param try_number: of the attempt of the task that waits; 0 if it is not known.
    """

    service: ClassVar[Service]
    clock: ClassVar[Clock] = SYSTEM_CLOCK

    def __init__(
        self,
        *,
        workflow_id: str,
        run_id: str,
        deadline: float,
        poll_interval: float = 30.0,
        step_name: str | None = None,
        report_waiting: bool = False,
        answerable: str = "[]",
        approvable: str = "[]",
        stream_logs: bool = False,
        cancel_on_kill: bool = True,
        durable: bool = True,
        memory: str = "",
        try_number: int = 0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.step_name = step_name
        self.report_waiting = report_waiting
        self.answerable = answerable
        self.approvable = approvable
        self.stream_logs = stream_logs
        self.cancel_on_kill = cancel_on_kill
        self.durable = durable
        self.memory = memory
        self.try_number = try_number
        self._finished = False

    @property
    def ref(self) -> RunRef:
        """The run."""
        return RunRef(self.workflow_id, self.run_id)

    @property
    def rules(self) -> WatchRules:
        """When to stop waiting."""
        return WatchRules(
            self.deadline,
            report_waiting=self.report_waiting,
            answerable=tuple(json.loads(self.answerable)),
            approvable=tuple(json.loads(self.approvable)),
            step_name=self.step_name,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, all of them JSON scalars."""
        watch = {
            **self.rules.payload(),
            "workflow_id": self.workflow_id,
            "run_id": self.run_id,
            "poll_interval": self.poll_interval,
            "stream_logs": self.stream_logs,
            "cancel_on_kill": self.cancel_on_kill,
            "durable": self.durable,
            "memory": self.memory,
            "try_number": self.try_number,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", {**self.service.scope_of(self), **watch}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and yield the one event."""
        watch = RunWatch(self.rules, self.log, Memory.load(await self._stored_memory() or self.memory))
        hub = RunHub.shared(self.service, self, self.clock)
        verdict: Verdict | None = None
        needs_steps = self.step_name is not None or self.stream_logs
        async with hub.watching(
            self.ref,
            interval=self.poll_interval,
            until=self.deadline,
            needs_steps=needs_steps,
            heeds_waiting=self.report_waiting,
        ) as watcher:
            while verdict is None:
                reading = await watcher.reading()
                if isinstance(reading, Run):
                    reading = untold_step(reading, self.step_name) or reading
                if isinstance(reading, Run):
                    verdict = self._judged(reading, watch)
                    await self._stream_log(hub, reading, watch)
                else:
                    verdict = watch.see_error(reading, self.clock.time())
                await self._store_memory(watch.memory.dump())
        # From here on a cancellation finds nothing to stop: the worker has the run.
        self._finished = True
        message = _shortened(str(watch.last_error or ""))
        event = WatchEvent(self.ref, verdict, self.deadline, message, self.step_name, self.try_number)
        yield TriggerEvent(event.payload())

    def _judged(self, run: Run, watch: RunWatch) -> Verdict | None:
        """What a read means; the worker, which reads the run anew, raises what cannot be judged."""
        try:
            return watch.see(run, self.clock.time())
        except InvalidInputError as error:
            watch.last_error = error
            return Verdict.UNCLEAR

    async def _stream_log(self, hub: RunHub, run: Run, watch: RunWatch) -> None:
        if self.stream_logs:
            watch.show_log(await hub.new_log(run, watch.memory.cursor))

    async def on_kill(self) -> None:
        """Stop the run after a person has failed, cleared or finished the task.

        Airflow cancels this method again every second, so the work is in a task of its own.
        """
        if self._finished or not self.cancel_on_kill:
            return
        work = asyncio.create_task(self._stop_unless_taken_up())
        give_up = time.monotonic() + KILL_SECONDS
        while not work.done() and time.monotonic() < give_up:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({work}, timeout=1.0)
        if not work.done():
            self.log.error("Run %s could not be stopped in time and may go on.", self.ref)
        elif (error := work.exception()) is not None:
            self.log.error("Run %s could not be stopped and may go on: %s", self.ref, error)

    async def _stop_unless_taken_up(self) -> None:
        hook = self.service.hook(self.service.scope_of(self), clock=self.clock)
        missed = 0
        for attempt in range(1, STOP_ATTEMPTS + 1):
            if await self._is_taken_up_for_sure():
                self.log.info("Run %s is watched elsewhere; it goes on.", self.ref)
                return
            try:
                stopped = await hook.stop_run.aio(self.ref, force=missed >= LOOKS_IN_VAIN)
            except StopImpossibleError as fact:
                self.log.warning("The task was ended from outside. %s", fact)
                return
            except MLWorkflowsError as error:
                if attempt == STOP_ATTEMPTS or not is_to_be_stopped_again(error):
                    raise
                missed += isinstance(error, NotFoundError)
                self.log.warning("Run %s could not be stopped yet; trying again. %s", self.ref, error)
                await self.clock.asleep(ASK_AGAIN_SECONDS)
            else:
                self.log.info("Run %s %s.", self.ref, "is being stopped" if stopped else "was over already")
                return

    async def _is_taken_up_for_sure(self) -> bool:
        """`_is_taken_up`, asked again while Airflow does not answer: guessing wrong costs a run or leaks one."""
        while True:
            try:
                return await self._is_taken_up()
            except Exception as error:  # whatever keeps Airflow from answering
                self.log.warning("Airflow did not say what became of the task; asking again. %s", error)
                await self.clock.asleep(ASK_AGAIN_SECONDS)

    async def _is_taken_up(self) -> bool:
        """Whether the task still waits for this very run: then the trigger was moved, not killed."""
        if self.task_instance is None:
            return False
        key = TaskKey.of(self.task_instance)
        state = await key.astate()
        if state != "deferred" and not (self.durable and state in TAKEN_UP):
            return False
        return bool(await key.axcom(RUN_ID_KEY) == self.run_id)

    async def _stored_memory(self) -> object:
        """What an earlier life of this trigger has logged."""
        if self.task_instance is None:
            return None
        try:
            return await _undisturbed(TaskKey.of(self.task_instance).axcom(MEMORY_KEY))
        except Exception as error:  # whatever keeps an XCom backend from answering: the run matters more
            self.log.warning("What was seen of the run before is not known; lines may show twice. %s", error)
            return None

    async def _store_memory(self, memory: str) -> None:
        if memory == self.memory:
            return
        if self.task_instance is not None:
            try:
                await _undisturbed(TaskKey.of(self.task_instance).aset_xcom(MEMORY_KEY, memory))
            except Exception as error:  # whatever keeps an XCom backend from taking it
                self.log.warning("Airflow did not keep what was seen; trying again at the next reading. %s", error)
                return
        self.memory = memory


async def _undisturbed(call: Coroutine[Any, Any, T]) -> T:
    """Await a call to Airflow that goes on if the trigger is cancelled.

    Cut off in the middle it would leave an answer on the line for the next caller, and the message by which
    Airflow recognises a kill would be lost on the way.
    """
    return await asyncio.shield(asyncio.create_task(call))


def _shortened(message: str) -> str:
    """As much of a message as keeps the event small."""
    while (excess := len(json.dumps(message)) - MESSAGE_LENGTH) > 0:
        message = message[: -max(1, excess // 12)]
    return message
