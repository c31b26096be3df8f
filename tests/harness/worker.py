"""Runs one leg of a task through Airflow's task runner, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

import structlog
from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance, TaskInstanceState
from airflow.sdk.execution_time import supervisor as supervisor_module
from airflow.sdk.execution_time import task_runner

from tests.harness.supervision import (
    ProcessSupervisor,
    TaskComms,
    line,
    make_task_supervisor,
    process_state,
    serving,
    supervisor_comms,
)

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.execution_time.comms import StartupDetails
    from airflow.sdk.types import Operator

    from tests.harness.execution_api import ExecutionApi

_BUNDLE = BundleInfo(name="tests", version=None)


class NoTaskRunningError(RuntimeError):
    """A signal was meant for a task, and none is running."""


@dataclass(frozen=True)
class Leg:
    """What the worker itself knows at the end of one leg."""

    task: BaseOperator | None
    worker_state: str | None
    error: BaseException | None
    exit_code: int | None


@dataclass
class Worker:
    """Starts tasks and carries signals to the one that runs."""

    _pid: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the running task.

        Raises:
            NoTaskRunningError: no task is running.
        """
        with self._lock:
            if self._pid is None:
                raise NoTaskRunningError(f"{number.name} has nobody to go to")
            if self._pid != os.getpid():
                os.kill(self._pid, number)
            elif number is signal.SIGTERM:
                main = threading.main_thread().ident
                assert main is not None
                signal.pthread_kill(main, number)
            else:
                raise NoTaskRunningError(f"{number.name} needs a task in a process of its own")

    @property
    def runs_here(self) -> bool:
        """Whether a task is running in this process."""
        return self._pid == os.getpid()

    def run_here(self, task: Operator, api: ExecutionApi) -> Leg:
        """Run a leg on this process's main thread, where Airflow's SIGTERM handler has to be."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a task has to run on the main thread, where Airflow's signal handlers live")
        ti = _workload(api)
        with process_state(), line() as (supervisor_end, task_end):
            supervisor = make_task_supervisor(ti.id, api.client(), supervisor_end)
            comms = TaskComms(socket=task_end)
            comms.before_send = lambda: api.states_answer.break_silence()
            with serving(supervisor), supervisor_comms(comms), self._accepting_signals():
                try:
                    supervisor._on_child_started(
                        ti=ti, dag_rel_path="dag.py", bundle_info=_BUNDLE, sentry_integration=""
                    )
                    leg = _run_leg(task, task_runner.get_startup_details())
                finally:
                    api.states_answer.break_silence()
                    task_end.close()
            supervisor.finish(leg.exit_code or 0, terminated_by_server=api.record.state != "running")
        return Leg(leg.task, leg.worker_state, leg.error, exit_code=None)

    def run_in_process(self, task: Operator, api: ExecutionApi) -> Leg:
        """Run a leg in a forked process under Airflow's own supervisor, heartbeats and kill included."""

        def child() -> None:
            task_runner.parse = lambda what, log: _instance_of(what, task)
            task_runner.main()

        with process_state(), _impatient_heartbeats():
            try:
                supervisor = ProcessSupervisor.start(
                    what=_workload(api),
                    dag_rel_path="dag.py",
                    bundle_info=_BUNDLE,
                    client=api.client(),
                    target=child,
                    logger=structlog.get_logger(logger_name="task").bind(),
                    on_birth=self._accept_signals_for,
                )
                exit_code = supervisor.wait()
            finally:
                self._accept_signals_for(None)
        return Leg(None, supervisor._terminal_state, None, exit_code)

    @contextlib.contextmanager
    def _accepting_signals(self) -> Iterator[None]:
        before = signal.getsignal(signal.SIGTERM)
        self._accept_signals_for(os.getpid())
        try:
            yield
        finally:
            self._accept_signals_for(None)
            # A signal sent at the last moment must find a handler, or it ends the whole test run.
            signal.signal(signal.SIGTERM, _ignore)
            signal.signal(signal.SIGTERM, before)

    def _accept_signals_for(self, pid: int | None) -> None:
        with self._lock:
            self._pid = pid


def _ignore(number: int, frame: FrameType | None) -> None:
    return None


def _workload(api: ExecutionApi) -> TaskInstance:
    record = api.record
    return TaskInstance(
        id=record.id,
        task_id=record.task_id,
        dag_id=record.dag_id,
        run_id=record.run_id,
        try_number=record.try_number,
        map_index=record.map_index,
        dag_version_id=record.dag_version_id,
    )


def _instance_of(what: StartupDetails, task: Operator) -> task_runner.RuntimeTaskInstance:
    return task_runner.RuntimeTaskInstance.model_construct(
        **what.ti.model_dump(exclude_unset=True),
        task=task,  # type: ignore[arg-type]
        bundle_instance=_Bundle(),  # type: ignore[arg-type]
        _ti_context_from_server=what.ti_context,  # type: ignore[call-arg]
        max_tries=what.ti_context.max_tries,
        start_date=what.start_date,
        state=TaskInstanceState.RUNNING,
        sentry_integration=what.sentry_integration,
    )


class _Bundle:
    name = "tests"
    version = None


def _run_leg(task: Operator, what: StartupDetails) -> Leg:
    log = structlog.get_logger(logger_name="task")
    instance = _instance_of(what, task)
    context = instance.get_template_context()
    state, _, error = task_runner.run(instance, context, log)
    context["exception"] = error
    task_runner.finalize(instance, state, context, log, error)
    exit_code = 1 if instance._terminal_state_send_failed else 0
    return Leg(instance.task, state.value, error, exit_code)


@contextlib.contextmanager
def _impatient_heartbeats() -> Iterator[None]:
    """Send heartbeats twenty times a second, so that a kill need not wait for the next one."""
    patient = supervisor_module.MIN_HEARTBEAT_INTERVAL
    supervisor_module.MIN_HEARTBEAT_INTERVAL = 0.05  # type: ignore[assignment]
    try:
        yield
    finally:
        supervisor_module.MIN_HEARTBEAT_INTERVAL = patient
