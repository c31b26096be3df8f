"""One task instance and the Airflow around it, without a database.

The worker side is Airflow's own task runner and triggerer: templates, XComs, extra links, callbacks, retry
policies, connections, masking, serialisation and signal handlers are the real ones. The server side is
`ExecutionApi`, which answers from memory. A test moves the task instance the way the scheduler, the
triggerer and people do::

    server = FakeAirflow(connections={"cloud": {"conn_type": "generic", "host": "http://..."}})
    result = server.run(operator)            # first attempt, up to success, failure or deferral
    outcome = server.run_trigger()           # the deferred trigger, up to its event
    result = server.resume(operator, outcome.payload)
    server.clear()
    result = server.run(operator)            # a new attempt after a clear
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.harness import task_log
from tests.harness.execution_api import ApiCall, ExecutionApi, Intercept, Interception
from tests.harness.results import TaskResult, TriggerResult
from tests.harness.task_instance import (
    ExecutorReport,
    InvalidTransitionError,
    MarkedState,
    TaskInstanceRecord,
)
from tests.harness.triggerer import DEFAULT_PATIENCE, RunningTrigger, running_trigger
from tests.harness.worker import Worker
from tests.harness.xcom_table import XComAddress

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from airflow.sdk.types import Operator
    from airflow.triggers.base import TriggerEvent

    from tests.harness.state_answers import StatesAnswer

# More legs than this and a task goes round in circles.
MOST_LEGS = 100

_CONNECTION_FIELDS = ("conn_type", "host", "port", "login", "password", "schema", "extra")


class UnservedCallError(AssertionError):
    """The code under test called a route of the Execution API that the harness does not serve."""


class FakeAirflow:
    """The server side of one task instance, and the means to run it.

    Args:
        connections: connection id to a URI, or to a mapping with ``conn_type`` and optionally ``host``,
            ``port``, ``login``, ``password``, ``schema`` and ``extra`` (a mapping or JSON text).
        variables: Airflow variables.
        dag_id: id given to the DAG of an operator that has none.
        run_id: id of the DAG run.
        map_index: index of a mapped task instance, or -1.
        conf: configuration of the DAG run.
        clock: the server's time; sensors in reschedule mode measure from what it said.
    """

    def __init__(
        self,
        connections: Mapping[str, str | Mapping[str, Any]] | None = None,
        *,
        variables: Mapping[str, str] | None = None,
        dag_id: str = "pipeline",
        run_id: str = "manual__2026-01-01T00:00:00+00:00",
        map_index: int = -1,
        conf: dict[str, Any] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.api = ExecutionApi(
            record=TaskInstanceRecord(dag_id=dag_id, task_id="", run_id=run_id, map_index=map_index),
            connections={},
            variables=dict(variables or {}),
            run=_dag_run(dag_id, run_id, conf, clock()),
            clock=clock,
        )
        self._worker = Worker()
        self._executor_reports: ExecutorReport = "success"
        for conn_id, connection in (connections or {}).items():
            self.set_connection(conn_id, connection)

    @property
    def ti(self) -> TaskInstanceRecord:
        """The row of the task instance."""
        return self.api.record

    @property
    def state(self) -> str | None:
        """The state of the task instance."""
        return self.ti.state

    @property
    def clear_number(self) -> int:
        """How often tasks of the run have been cleared."""
        return int(self.api.run["clear_number"])

    @property
    def state_store(self) -> dict[str, Any]:
        """The task state store; a test may write to it."""
        return self.api.state_store

    @property
    def xcoms(self) -> dict[str, Any]:
        """The XComs of the task instance, decoded."""
        return self.api.xcoms.values_of(self.ti)

    @property
    def calls(self) -> list[ApiCall]:
        """Every request to the Execution API so far."""
        return self.api.calls

    def calls_to(self, method: str, path_part: str) -> list[ApiCall]:
        """Return the requests with this method whose path contains ``path_part``."""
        return [call for call in self.calls if call.method == method and path_part in call.path]

    def set_connection(self, conn_id: str, connection: str | Mapping[str, Any]) -> None:
        """Define a connection, or change it between two legs."""
        self.api.connections[conn_id] = _connection_body(conn_id, connection)

    def set_xcom(self, key: str, value: Any, *, task_id: str | None = None, map_index: int = -1) -> None:
        """Store an XCom as if another task (or this one) had pushed it."""
        from airflow.sdk.serde import serialize

        at = XComAddress(self.ti.dag_id, self.ti.run_id, task_id or self.ti.task_id, map_index, key)
        self.api.xcoms.rows[at] = serialize(value)

    def answer_states(self, answer: StatesAnswer) -> None:
        """Decide what ``get_task_states`` is told from now on."""
        self.api.states_answer = answer

    def on_call(self, method: str, path_part: str, action: Interception, *, times: int = 1) -> None:
        """Do something when a request arrives, before it takes effect.

        Args:
            method: HTTP method of the request.
            path_part: text that its path contains.
            action: called with the request, on the supervisor's thread. A response that it returns, or an
                exception of httpx that it raises, takes the place of the server's answer.
            times: for how many requests.
        """
        self.api.intercepts.append(Intercept(method, path_part, action, times))

    def run(self, operator: Operator, *, in_process: bool = False) -> TaskResult:
        """Schedule the task and run it on a worker, for one leg.

        The leg is a first attempt, the next attempt after a retry or clear, the next poke of a
        rescheduled sensor, or, after an event, the operator's next method.

        Args:
            operator: the operator, which an earlier leg leaves unchanged.
            in_process: run it in a forked process under Airflow's own supervisor, which can be killed.
                What the operator changes in memory then stays there, and the result has no ``error``.

        Raises:
            InvalidTransitionError: Airflow would not run the task in its present state.
            UnservedCallError: a route of the Execution API is missing here.
        """
        self._adopt(operator)
        self.ti.schedule(operator.retries or 0)
        start = self._worker.run_in_process if in_process else self._worker.run_here
        with task_log.captured() as log:
            leg = start(operator, self.api)
            masked = log.masked()
        if self.state == "restarting":
            self.ti.executor_reported(self._executor_reports)
        if self.api.unserved:
            raise UnservedCallError(f"not served: {self.api.unserved}")
        return TaskResult(
            state=self.ti.state,
            worker_state=leg.worker_state,
            error=leg.error,
            xcoms=self.xcoms,
            deferral=self.ti.deferral,
            log=masked,
            unmasked_log=log.unmasked,
            log_levels=frozenset(log.levels),
            rendered_fields=self.ti.rendered_fields,
            task=leg.task,
            reschedule_date=self.ti.reschedule_date,
            retry_delay=self.ti.retry_delay,
            form=self.api.hitl_detail,
            exit_code=leg.exit_code,
        )

    def resume(self, operator: Operator, event: TriggerEvent | Any) -> TaskResult:
        """Resume the deferred task with an event (or its payload) and run the next method."""
        from airflow.triggers.base import TriggerEvent

        self.ti.submit_event(event.payload if isinstance(event, TriggerEvent) else event)
        return self.run(operator)

    def answer_form(
        self, operator: Operator, chosen_options: list[str], params_input: dict[str, Any] | None = None
    ) -> TaskResult:
        """Answer the form that the task put up, and run its next method."""
        if self.api.hitl_detail is None:
            raise InvalidTransitionError("the task put up no form")
        answer: dict[str, Any] = {"chosen_options": chosen_options, "params_input": params_input or {}}
        now = self.api.clock()
        self.api.hitl_detail["response"] = {
            **answer,
            "response_received": True,
            "responded_at": now.isoformat(),
        }
        self.ti.submit_event({**answer, "responded_at": now, "responded_by_user": None, "timedout": False})
        return self.run(operator)

    def fail_trigger(self, traceback: list[str] | None = None) -> None:
        """Let the trigger die; the next `run` fails the task."""
        self.ti.submit_failure("Trigger failure", traceback)

    def expire_deferral(self) -> None:
        """Let the deferral's time-out pass; the next `run` fails the task."""
        self.ti.submit_failure("Trigger timeout")

    def retry(self) -> None:
        """Check that an automatic retry is due; the next `run` is that attempt."""
        if self.state != "up_for_retry":
            raise InvalidTransitionError(f"a task instance that is {self.state!r} is not up for retry")

    def lose_worker(self) -> None:
        """Let the scheduler notice that the worker is gone: retry if one is left, else failure."""
        self.ti.lose_worker()

    def mark(self, state: MarkedState) -> None:
        """Set the state as a person does. A running task is told by SIGTERM, as after its next heartbeat."""
        was_here = self._worker.runs_here
        self.ti.mark(state)
        if was_here:
            self.terminate()

    def clear(self, *, executor_reports: ExecutorReport = "success") -> None:
        """Clear the task as a person does; ``max_tries`` and ``clear_number`` grow.

        Args:
            executor_reports: how the executor reports the end of a task that was running. After "failed"
                ``max_tries`` stays as it was. A running task is told by SIGTERM, as after its next
                heartbeat, and gets its new ``max_tries`` when its leg is over.
        """
        was_here = self._worker.runs_here
        self.ti.clear()
        self.clear_other_task()
        self._executor_reports = executor_reports
        if was_here:
            self.terminate()

    def clear_other_task(self) -> None:
        """Clear another task of the run: only ``clear_number`` grows."""
        self.api.run["clear_number"] += 1

    def terminate(self) -> None:
        """Send SIGTERM to the running task, as a redeploy does. May be called from any thread."""
        self._worker.send_signal(signal.SIGTERM)

    def kill_worker(self) -> None:
        """Send SIGKILL to the running task, which needs a process of its own."""
        self._worker.send_signal(signal.SIGKILL)

    def start_trigger(self) -> contextlib.AbstractAsyncContextManager[RunningTrigger]:
        """Start the deferred trigger in the running event loop, as the triggerer does."""
        return running_trigger(self.api)

    def run_trigger(self, *, patience: float = DEFAULT_PATIENCE) -> TriggerResult:
        """Run the deferred trigger to its event in an event loop of its own.

        Raises:
            TimeoutError: nothing came within ``patience`` seconds.
        """

        async def live() -> TriggerResult:
            async with self.start_trigger() as trigger:
                return await trigger.result(patience)

        return _run_in_own_loop(live())

    def run_to_end(self, operator: Operator) -> TaskResult:
        """Run the task, its triggers and its reschedules until it has ended or needs a retry or a person."""
        result = self.run(operator)
        for _ in range(MOST_LEGS):
            if result.state == "deferred":
                outcome = self.run_trigger()
                if outcome.failure is not None:
                    self.fail_trigger(outcome.failure)
                elif outcome.ended_task_as is not None:
                    return self._end_without_worker(outcome, result)
                else:
                    self.ti.submit_event(outcome.payload)
            elif result.state != "up_for_reschedule":
                return result
            result = self.run(operator)
        raise AssertionError(f"the task has not ended after {MOST_LEGS} legs")

    def _end_without_worker(self, outcome: TriggerResult, result: TaskResult) -> TaskResult:
        self.ti.deferral = None
        self.ti.finish(str(outcome.ended_task_as))
        for key, value in outcome.xcoms.items():
            self.set_xcom(key, value, map_index=self.ti.map_index)
        return replace(result, state=self.state, deferral=None, xcoms=self.xcoms)

    def _adopt(self, operator: Operator) -> None:
        if not operator.has_dag():
            _dag_for(self.ti.dag_id).add_task(operator)
        if self.ti.task_id == "":
            self.ti.task_id = operator.task_id
            self.ti.dag_id = self.api.run["dag_id"] = operator.dag_id
        if (self.ti.dag_id, self.ti.task_id) != (operator.dag_id, operator.task_id):
            raise ValueError(f"this server holds {self.ti.dag_id}.{self.ti.task_id}, not {operator}")


def _dag_for(dag_id: str) -> DAG:
    from airflow.sdk import DAG

    return DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC))


def _dag_run(dag_id: str, run_id: str, conf: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    moment = now.isoformat()
    return {
        "dag_id": dag_id,
        "run_id": run_id,
        "logical_date": moment,
        "data_interval_start": moment,
        "data_interval_end": moment,
        "run_after": moment,
        "start_date": moment,
        "end_date": None,
        "run_type": "manual",
        "state": "running",
        "conf": conf or {},
        "clear_number": 0,
        "consumed_asset_events": [],
        "partition_key": None,
    }


def _connection_body(conn_id: str, connection: str | Mapping[str, Any]) -> dict[str, Any]:
    from airflow.sdk import Connection

    if isinstance(connection, str):
        parsed = Connection.from_uri(connection, conn_id)
        connection = {name: getattr(parsed, name) for name in _CONNECTION_FIELDS}
    if unknown := set(connection) - set(_CONNECTION_FIELDS):
        raise ValueError(f"a connection has no {sorted(unknown)}")
    body = dict.fromkeys(_CONNECTION_FIELDS) | dict(connection) | {"conn_id": conn_id}
    if body["extra"] is not None and not isinstance(body["extra"], str):
        body["extra"] = json.dumps(body["extra"])
    return body


def _run_in_own_loop(work: Coroutine[Any, Any, TriggerResult]) -> TriggerResult:
    with ThreadPoolExecutor(1, thread_name_prefix="triggerer") as thread:
        return thread.submit(asyncio.run, work).result()
