"""The life of one step of an execution."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.definitions import Attempt, default_attempt
from airflow_provider_mlworkflows.emulator.scripted import Phase, Track

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_provider_mlworkflows.emulator.modelarts.machine import Execution

DONE = frozenset({"completed", "skipped"})
BROKEN = frozenset({"failed", "create_failed", "timeout"})
RETRIABLE = BROKEN | {"stopped"}
AT_REST = DONE | RETRIABLE | {"init"}
PAUSED = frozenset({"wait_inputs", "hold"})
TIMED = frozenset({"pending", "creating", "created", "running"})


class StepRun:
    """One step of one execution."""

    def __init__(
        self, execution: Execution, definition: dict[str, Any], step_uuid: str, attempts: Sequence[Attempt]
    ) -> None:
        self.uuid = str(uuid.uuid4())
        self.step_uuid = step_uuid
        self.definition = definition
        self.name: str = definition["name"]
        self.type: str = definition.get("type") or "job"
        self.created_at = execution.created_at
        self.started_at: datetime | None = None
        self.working_since: datetime | None = None
        self.instance: str | None = None
        self.attempt = 0
        self.cached = False
        self.skipped_by_branch = False
        self.result: bool | None = None
        self.events: list[tuple[datetime, str, str]] = []
        self._execution = execution
        self._attempts = tuple(attempts) or (default_attempt(self.type),)
        self.track = Track("init", self.created_at, execution.scaled, self._changed)

    @property
    def status(self) -> str:
        """Present status."""
        return self.track.status

    @property
    def depend_steps(self) -> list[str]:
        """Names of the steps before this one."""
        return list(self.definition.get("depend_steps") or [])

    @property
    def script(self) -> Attempt:
        """What the present attempt does."""
        return self._attempts[min(max(self.attempt, 1), len(self._attempts)) - 1]

    @property
    def deadline(self) -> datetime | None:
        """When the step times out, while it works."""
        minutes = (self.definition.get("policy") or {}).get("max_execution_minutes")
        if not minutes or self.started_at is None or self.status not in TIMED:
            return None
        return self.started_at + self._execution.scaled(float(minutes) * 60)

    @property
    def due(self) -> datetime | None:
        """When the step changes next by itself."""
        return min((time for time in (self.track.due, self.deadline) if time is not None), default=None)

    def move(self, at: datetime) -> None:
        """Make the change that is due at ``at``."""
        if self.track.due is not None and self.track.due <= at:
            self.track.proceed(at)
        else:
            self.track.jump("timeout", at)

    def begin(self, at: datetime) -> None:
        """Start the next attempt."""
        self.attempt += 1
        self.started_at = at
        self.working_since = None
        self.instance = None
        self.result = None
        self.track.play(self.script.script, at)

    def reset(self, at: datetime) -> None:
        """Go back to ``init``."""
        self.cached = False
        self.skipped_by_branch = False
        self.result = None
        self.started_at = None
        self.track.jump("init", at)

    def stop(self, at: datetime, seconds: float) -> None:
        """Go to ``stopped`` by way of ``stopping``."""
        self.track.play([Phase("stopping", seconds), Phase("stopped")], at)

    def _changed(self, at: datetime, before: str, after: str) -> None:
        self.events.append((at, before, after))
        if after == "created" or (after == "running" and self.instance is None):
            self.instance = str(uuid.uuid4())
        if after == "running" and self.working_since is None:
            self.working_since = at
        self._execution.step_changed(self, at, before, after)
