"""Small operators, sensors and triggers with which the harness proves itself."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink, BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowException, TaskAwaitingInput
from airflow.sdk.execution_time.hitl import upsert_hitl_detail
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey


class RunLink(BaseOperatorLink):
    """Shows the URL that the operator pushed."""

    name = "Run"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        return str(XCom.get_value(key="run_url", ti_key=ti_key) or "")


class CountdownTrigger(BaseTrigger):
    """Looks up a connection, lets the loop turn ``turns`` times, and reports what it saw."""

    def __init__(self, conn_id: str, turns: int, endless: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.turns = turns
        self.endless = endless
        self.kills = 0
        self.interruptions = 0
        self.cleanups = 0
        self.states_when_killed: dict[str, Any] | None = None
        self.kill_may_end = asyncio.Event()
        self.has_asked = asyncio.Event()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {"conn_id": self.conn_id, "turns": self.turns, "endless": self.endless}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        connection = await BaseHook.aget_connection(self.conn_id)
        self.log.info("watching %s with %s", connection.host, connection.password)
        while self.endless or self.turns > 0:
            await asyncio.sleep(0)
            self.turns -= 1
        yield TriggerEvent({"host": connection.host, "task": self.task_id})

    async def on_kill(self) -> None:
        self.kills += 1
        self.states_when_killed = await self.task_states()
        self.has_asked.set()
        while not self.kill_may_end.is_set():
            try:
                await self.kill_may_end.wait()
            except asyncio.CancelledError:
                self.interruptions += 1

    async def task_states(self) -> dict[str, Any]:
        ti = self.task_instance
        assert ti is not None
        ask = sync_to_async(RuntimeTaskInstance.get_task_states)
        return await ask(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id])

    async def cleanup(self) -> None:
        self.cleanups += 1


class EndlessTrigger(CountdownTrigger):
    """Never has an event."""

    def __init__(self, conn_id: str, turns: int, endless: bool = True) -> None:
        super().__init__(conn_id, turns, endless)


class PromptTrigger(EndlessTrigger):
    """Never has an event, and is done at once when it is killed."""

    async def on_kill(self) -> None:
        self.kills += 1


class BrokenTrigger(CountdownTrigger):
    """Dies before it has an event."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if self.turns >= 0:
            raise RuntimeError("the trigger broke")
        yield TriggerEvent({})


class RunOperator(BaseOperator):
    """Starts an imaginary run: remembers its id, pushes its URL, and defers unless told not to."""

    template_fields = ("name",)
    operator_extra_links = (RunLink(),)

    def __init__(
        self,
        *,
        name: str = "{{ run_id }}",
        conn_id: str = "cloud",
        wait: bool = True,
        trigger_class: type[CountdownTrigger] = CountdownTrigger,
        failures: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.conn_id = conn_id
        self.wait = wait
        self.trigger_class = trigger_class
        self.failures = failures

    def execute(self, context: Context) -> str:
        connection = BaseHook.get_connection(self.conn_id)
        ti = context["ti"]
        self.log.info("signing with %s", connection.password)
        store = context["task_state_store"]
        run_id = store.get("run_id") or f"run-{ti.try_number}"
        store.set("run_id", run_id)
        ti.xcom_push(key="run_url", value=f"{connection.host}/{run_id}")
        if ti.try_number <= self.failures:
            raise AirflowException(f"attempt {ti.try_number} failed")
        if self.wait:
            self.defer(
                trigger=self.trigger_class(self.conn_id, 3),
                method_name="execute_complete",
                kwargs={"kept": 1},
            )
        return str(run_id)

    def execute_complete(self, context: Context, event: dict[str, Any], kept: int = 0) -> dict[str, Any]:
        return {**event, "kept": kept, "run_id": context["task_state_store"].get("run_id")}


class WaitingOperator(BaseOperator):
    """Waits on the worker until it is killed, then asks Airflow for its own state."""

    started: ClassVar[threading.Event] = threading.Event()

    def __init__(self, *, give_up_asking: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.give_up_asking = give_up_asking
        # Unlike an Event's lock, this may be taken again by a signal handler that interrupts its holder.
        self.kills: SimpleQueue[bool] = SimpleQueue()

    def execute(self, context: Context) -> None:
        ti = context["ti"]
        context["task_state_store"].set("run_id", f"run-{ti.try_number}")
        type(self).started.set()
        self._wait_for_kill()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ti.get_task_states, dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id])
            if self.give_up_asking:
                wait({asked}, timeout=0.05)
                ti.xcom_push(key="gave_up", value=True)
                raise AirflowException(f"no answer: {asked.exception()}")
            self.log.info("killed while Airflow says %s", asked.result())
        raise AirflowException("killed")

    def _wait_for_kill(self) -> None:
        # Short waits: a signal that arrives just before a wait begins is handled only when the wait ends.
        for _ in range(1500):
            with contextlib.suppress(Empty):
                self.kills.get(timeout=0.02)
                return
        raise AirflowException("nobody killed the task")

    def on_kill(self) -> None:
        self.kills.put(True)


class FormOperator(BaseOperator):
    """Asks a person whether to go on."""

    def execute(self, context: Context) -> None:
        upsert_hitl_detail(ti_id=context["ti"].id, options=["yes", "no"], subject="Go on?")
        raise TaskAwaitingInput(method_name="go_on", timeout=timedelta(hours=1))

    def go_on(self, context: Context, event: dict[str, Any]) -> list[Any]:
        return [event["chosen_options"], event["params_input"]]


class CountingSensor(BaseSensorOperator):
    """Succeeds at the poke whose number it was given."""

    def __init__(self, *, succeed_at: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.succeed_at = succeed_at

    def poke(self, context: Context) -> bool:
        store = context["task_state_store"]
        pokes = int(str(store.get("pokes", 0))) + 1
        store.set("pokes", pokes)
        return pokes >= self.succeed_at
