"""What the metadata database knows of one task instance, and how Airflow 3.3 moves it between states.

Each transition names the part of Airflow that makes it; the rules are those of
``airflow.models.taskinstance`` (clear, retry), ``airflow.models.trigger`` (events and failures of triggers),
``airflow.jobs.scheduler_job_runner`` (time-outs, lost workers) and the Execution API's ``task_instances`` routes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from uuid6 import uuid7

MarkedState = Literal["success", "failed", "skipped"]
ExecutorReport = Literal["success", "failed"]


class InvalidTransitionError(Exception):
    """Airflow would not make this move from the state the task instance is in."""


@dataclass(frozen=True)
class Deferral:
    """A trigger row: what a deferring task hands to the triggerer.

    Attributes:
        classpath: import path of the trigger class.
        stored_kwargs: the trigger's arguments as stored, encoded by the worker.
        next_method: name of the operator method that the trigger's event resumes.
        next_kwargs: keyword arguments given to ``defer(kwargs=...)``, as stored.
        timeout: how long the task may stay deferred, or None.
        since: when the server recorded the deferral.
    """

    classpath: str
    stored_kwargs: str
    next_method: str
    next_kwargs: dict[str, Any]
    timeout: timedelta | None
    since: datetime

    @property
    def kwargs(self) -> dict[str, Any]:
        """The arguments with which the triggerer builds the trigger."""
        from airflow.models.trigger import Trigger
        from airflow.serialization.decoders import smart_decode_trigger_kwargs

        decoded = Trigger._decrypt_kwargs(self.stored_kwargs)
        return {name: smart_decode_trigger_kwargs(value) for name, value in decoded.items()}

    @property
    def expires_at(self) -> datetime | None:
        """When the scheduler gives the deferral up, or None."""
        return None if self.timeout is None else self.since + self.timeout


@dataclass
class TaskInstanceRecord:
    """The row of one task instance."""

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1
    id: UUID = field(default_factory=uuid7)
    dag_version_id: UUID = field(default_factory=uuid7)
    state: str | None = None
    try_number: int = 0
    max_tries: int = 0
    retries: int = 0
    start_date: datetime | None = None
    next_method: str | None = None
    next_kwargs: dict[str, Any] | None = None
    deferral: Deferral | None = None
    awaiting_input_timeout: timedelta | None = None
    reschedule_starts: list[datetime] = field(default_factory=list)
    reschedule_date: datetime | None = None
    retry_delay: timedelta | None = None
    retry_reason: str | None = None
    rendered_fields: dict[str, Any] = field(default_factory=dict)
    rendered_map_index: str | None = None
    archived_ids: set[UUID] = field(default_factory=set)

    @property
    def state_key(self) -> str:
        """The key of this task instance in an answer to ``get_task_states``."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}_{self.map_index}"

    @property
    def may_retry(self) -> bool:
        """Whether the worker is told that a failure leads to another attempt."""
        return self.max_tries != 0 and self.try_number <= self.max_tries

    def schedule(self, retries: int) -> None:
        """The scheduler queues the task; a new attempt counts, a resumed or rescheduled one does not."""
        if self.state not in (None, "up_for_retry", "up_for_reschedule", "scheduled"):
            raise InvalidTransitionError(f"a task instance that is {self.state!r} is not scheduled")
        if self.state in (None, "up_for_retry"):
            if self.try_number == 0:
                self.max_tries = retries
            self.try_number += 1
        self.retries = retries
        self.state = "queued"

    def start(self, when: datetime) -> None:
        """The worker reports that the task runs."""
        if not self.next_kwargs:
            self.start_date = when
        self.state = "running"
        self.retry_delay = None
        self.retry_reason = None

    def finish(self, state: str) -> None:
        """The worker reports a final state."""
        self.state = state
        self._forget_next_method()

    def fail_for_retry(self, delay: timedelta | None, reason: str | None) -> None:
        """The worker reports a failure after which Airflow tries again."""
        self._archive_attempt()
        self.retry_delay = delay
        self.retry_reason = reason
        self.state = "up_for_retry"
        self._forget_next_method()

    def defer(self, deferral: Deferral) -> None:
        """The worker reports that the task waits for a trigger."""
        self.deferral = deferral
        self.next_method = deferral.next_method
        self.next_kwargs = deferral.next_kwargs
        self.state = "deferred"

    def await_input(self, next_method: str, next_kwargs: dict[str, Any], timeout: timedelta | None) -> None:
        """The worker reports that the task waits for a person to answer its form."""
        self.next_method = next_method
        self.next_kwargs = next_kwargs
        self.awaiting_input_timeout = timeout
        self.state = "awaiting_input"

    def reschedule(self, when: datetime, until: datetime) -> None:
        """The worker reports that a sensor gives its slot up until ``until``."""
        self.reschedule_starts.append(when)
        self.reschedule_date = until
        self.state = "up_for_reschedule"
        self._forget_next_method()

    def submit_event(self, payload: Any) -> None:
        """The triggerer (or a person's answer) resumes the task with an event."""
        from airflow.sdk.serde import deserialize, serialize

        if self.state not in ("deferred", "awaiting_input"):
            raise InvalidTransitionError(f"a task instance that is {self.state!r} takes no event")
        decoded = deserialize(self.next_kwargs or {})
        if not isinstance(decoded, dict):
            raise InvalidTransitionError(f"stored next_kwargs are no mapping: {type(decoded).__name__}")
        self.next_kwargs = _through_json(serialize(decoded | {"event": payload}))
        self.deferral = None
        self.state = "scheduled"

    def submit_failure(self, reason: str, traceback: list[str] | None = None) -> None:
        """The triggerer reports a dead trigger, or the scheduler an expired deferral."""
        from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR

        if self.state != "deferred":
            raise InvalidTransitionError(f"a task instance that is {self.state!r} has no trigger")
        self.next_method = TRIGGER_FAIL_REPR
        self.next_kwargs = {"error": reason}
        if traceback is not None:
            self.next_kwargs["traceback"] = traceback
        self.deferral = None
        self.state = "scheduled"

    def lose_worker(self) -> None:
        """The scheduler finds a running task without heartbeats."""
        if self.state not in ("running", "restarting"):
            raise InvalidTransitionError(f"a task instance that is {self.state!r} has no worker to lose")
        if self.state == "running" and not self.may_retry:
            self.finish("failed")
            return
        if self.state == "running":
            self._archive_attempt()
        self.state = "up_for_retry"
        self._forget_next_method()

    def mark(self, state: MarkedState) -> None:
        """A person sets the state."""
        self.state = state
        self.deferral = None
        self._forget_next_method()

    def clear(self) -> None:
        """A person clears the task: a running one is stopped first, any other starts over."""
        self._archive_attempt()
        if self.state == "running":
            self.state = "restarting"
            return
        self.max_tries = self.try_number + self.retries
        self.state = None
        self.deferral = None
        self._forget_next_method()

    def executor_reported(self, report: ExecutorReport) -> None:
        """The scheduler hears of the end of a worker whose task was cleared while it ran.

        After "success" Airflow 3.3 keeps the next method: a task cleared during its resumed leg starts
        its new attempt in that method, with the old event. After "failed" it keeps ``max_tries``.
        """
        if self.state != "restarting":
            raise InvalidTransitionError(f"a task instance that is {self.state!r} was not cleared")
        if report == "success":
            self.max_tries = self.try_number + self.retries
            self.state = None
        else:
            self.state = "up_for_retry"
            self._forget_next_method()

    def _archive_attempt(self) -> None:
        self.archived_ids.add(self.id)
        self.id = uuid7()
        self.reschedule_starts.clear()

    def _forget_next_method(self) -> None:
        self.next_method = None
        self.next_kwargs = None


def _through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
