"""Airflow's supervisors without their child processes: real sockets, frames and request handlers.

What a task or a trigger sends is encoded, decoded and answered exactly as in production; only the process
boundary is a thread.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
from collections.abc import Callable, Iterator
from socket import SHUT_RD, socket, socketpair
from typing import TYPE_CHECKING, Any
from uuid import UUID

import attrs
import psutil
import structlog
from airflow.jobs.triggerer_job_runner import TriggerCommsDecoder, TriggerRunnerSupervisor
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CommsDecoder
from airflow.sdk.execution_time.supervisor import (
    ActivitySubprocess,
    PsutilTracker,
    WatchedSubprocess,
    length_prefixed_frame_reader,
)

if TYPE_CHECKING:
    from airflow.sdk.api.client import Client


@attrs.define(kw_only=True)
class TaskSupervisor(ActivitySubprocess):
    """Supervises a task that runs in this process."""

    def _check_subprocess_exit(self, raise_on_timeout: bool = False, expect_signal: int | None = None) -> int | None:
        return None

    def kill(self, *args: Any, **kwargs: Any) -> None:
        """Kill nobody: the supervised process is the one that runs the tests."""

    def finish(self, exit_code: int, *, terminated_by_server: bool) -> None:
        """Report the task's end the way the supervisor does once its child is gone."""
        self._exit_code = exit_code
        if not terminated_by_server:
            self.update_task_state_if_needed()  # type: ignore[no-untyped-call]


@attrs.define(kw_only=True)
class ProcessSupervisor(ActivitySubprocess):
    """Supervises a task in a forked process, and tells its process id before the task starts."""

    on_birth: Callable[[int], None]

    def _on_child_started(self, *args: Any, **kwargs: Any) -> None:
        self.on_birth(self.pid)
        super()._on_child_started(*args, **kwargs)

    def _service_subprocess(
        self, max_wait_time: float, raise_on_timeout: bool = False, expect_signal: int | None = None
    ) -> int | None:
        # A child that closes its sockets a moment before it exits would go unnoticed for seconds.
        exit_code: int | None = super()._service_subprocess(min(max_wait_time, 0.05), raise_on_timeout, expect_signal)
        return exit_code


@attrs.define(kw_only=True)
class TriggererSupervisor(TriggerRunnerSupervisor):
    """Supervises triggers that run in this process."""

    api: Client

    def make_client(self) -> Client:
        return self.api

    def _check_subprocess_exit(self, raise_on_timeout: bool = False, expect_signal: int | None = None) -> int | None:
        return None

    def kill(self, *args: Any, **kwargs: Any) -> None:
        """Kill nobody: the supervised process is the one that runs the tests."""


_thread = threading.local()


class SupervisorHasNoSupervisorError(RuntimeError):
    """The supervisor's thread found the task's end of the line, which its process would not have."""


def _refuse_supervisor() -> None:
    if getattr(_thread, "is_supervisor", False):
        raise SupervisorHasNoSupervisorError


class TaskComms(CommsDecoder[Any, Any]):
    """The task's end of the line, which tells when the task starts to say something."""

    before_send: Callable[[], None] = staticmethod(lambda: None)

    def send(self, msg: Any) -> Any:
        _refuse_supervisor()
        self.before_send()
        return super().send(msg)

    async def asend(self, msg: Any) -> Any:
        self.before_send()
        return await super().asend(msg)


class TriggererComms(TriggerCommsDecoder):
    """The triggerer's end of the line, which tells when a trigger starts to say something."""

    before_send: Callable[[], None] = staticmethod(lambda: None)

    def send(self, msg: Any) -> Any:
        _refuse_supervisor()
        return super().send(msg)

    async def asend(self, msg: Any) -> Any:
        self.before_send()
        return await super().asend(msg)


def make_task_supervisor(ti_id: UUID, client: Client, stdin: socket) -> TaskSupervisor:
    """Build the supervisor of one task instance, with ``stdin`` as its line to the task."""
    return TaskSupervisor(
        id=ti_id,
        pid=os.getpid(),
        stdin=stdin,
        process=PsutilTracker(psutil.Process()),
        process_log=structlog.get_logger(logger_name="task").bind(),
        client=client,
    )


def make_triggerer_supervisor(client: Client, stdin: socket) -> TriggererSupervisor:
    """Build the supervisor of a triggerer, with ``stdin`` as its line to the triggers."""
    return TriggererSupervisor(
        id=UUID(int=0),
        pid=os.getpid(),
        stdin=stdin,
        process=PsutilTracker(psutil.Process()),
        process_log=structlog.get_logger(logger_name="triggerer").bind(),
        capacity=10,
        api=client,
    )


@contextlib.contextmanager
def serving(supervisor: WatchedSubprocess) -> Iterator[None]:
    """Answer the supervised side's requests in a thread until its end of the line is closed."""
    log = structlog.get_logger(logger_name="supervisor")
    requests = supervisor.stdin
    supervisor._open_sockets[requests] = "requests"
    supervisor.selector.register(
        requests,
        selectors.EVENT_READ,
        length_prefixed_frame_reader(supervisor.handle_requests(log), on_close=supervisor._on_socket_closed),
    )

    def serve() -> None:
        _thread.is_supervisor = True
        while supervisor._open_sockets:
            supervisor._service_subprocess(1.0)

    thread = threading.Thread(target=serve, name="airflow-supervisor", daemon=True)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            requests.shutdown(SHUT_RD)
        thread.join()
        supervisor.selector.close()


@contextlib.contextmanager
def line() -> Iterator[tuple[socket, socket]]:
    """Open a line and yield the supervisor's end and the supervised end; both are closed afterwards."""
    supervisor_end, supervised_end = socketpair()
    try:
        yield supervisor_end, supervised_end
    finally:
        supervised_end.close()
        supervisor_end.close()


@contextlib.contextmanager
def supervisor_comms(comms: CommsDecoder[Any, Any]) -> Iterator[None]:
    """Make ``comms`` what hooks, XComs and state stores talk through."""
    before = getattr(task_runner, "SUPERVISOR_COMMS", None)
    task_runner.SUPERVISOR_COMMS = comms
    try:
        yield
    finally:
        if before is None:
            del task_runner.SUPERVISOR_COMMS
        else:
            task_runner.SUPERVISOR_COMMS = before


@contextlib.contextmanager
def process_state() -> Iterator[None]:
    """Give a leg the blank state a process of its own would have, and put this process's back afterwards."""
    from airflow.sdk._shared.secrets_masker import reset_secrets_masker

    before = dict(os.environ)
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"
    reset_secrets_masker()
    try:
        yield
    finally:
        structlog.contextvars.clear_contextvars()
        os.environ.clear()
        os.environ.update(before)
