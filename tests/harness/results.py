"""What one leg of a task, or one life of a trigger, came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from tests.harness.task_instance import Deferral


@dataclass(frozen=True)
class TaskResult:
    """The outcome of one leg of a task: from the worker's start to success, failure, deferral and so on.

    Attributes:
        state: state of the task instance on the server: success, failed, skipped, deferred, up_for_retry,
            up_for_reschedule, awaiting_input; or what a person set it to meanwhile.
        worker_state: the state the worker meant to report; None if its process died before.
        error: what the task raised; None if it ended well, or if it ran in a process of its own.
        xcoms: all XComs of the task instance, decoded, extra links included.
        deferral: the trigger the task waits for, or None.
        log: the task log, secrets masked.
        unmasked_log: the same before masking; a secret in here relied on the masker.
        log_levels: levels that occur in the log.
        rendered_fields: rendered template fields as the UI shows them.
        task: the operator as it was after the leg; None if it ran in a process of its own.
        reschedule_date: when a rescheduled sensor wants to run again.
        retry_delay: delay chosen by a retry policy, or None.
        form: the form put up for a person, or None.
        exit_code: exit code of the task's process; negative for a signal; None if it had none of its own.
    """

    state: str | None
    worker_state: str | None
    error: BaseException | None
    xcoms: dict[str, Any]
    deferral: Deferral | None
    log: str = field(repr=False)
    unmasked_log: str = field(repr=False)
    log_levels: frozenset[str]
    rendered_fields: dict[str, Any]
    task: BaseOperator | None = None
    reschedule_date: datetime | None = None
    retry_delay: timedelta | None = None
    form: dict[str, Any] | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class TriggerResult:
    """What became of a trigger.

    Attributes:
        payload: payload of its event; None if there was none.
        failure: traceback lines of a trigger that died or ended without an event, else None.
        ended_task_as: state in which a task-ending event leaves the task without a worker, else None.
        log: the trigger's log, secrets masked.
        unmasked_log: the same before masking.
    """

    payload: Any = None
    failure: list[str] | None = None
    ended_task_as: str | None = None
    xcoms: dict[str, Any] = field(default_factory=dict)
    log: str = field(default="", repr=False)
    unmasked_log: str = field(default="", repr=False)
