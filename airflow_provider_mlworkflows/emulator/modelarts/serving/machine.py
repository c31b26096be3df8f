"""The life of one service, computed from its own clock and the actions upon it.

What no document tells: a batch may be started again once it is finished; a stopped service keeps its deployments;
stopping what stops already changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.machine import IllegalAction
from airflow_provider_mlworkflows.emulator.scripted import Phase, Track

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.clock import RunClock
    from airflow_provider_mlworkflows.emulator.modelarts.serving.deployments import Deployment

GONE = "deleted"
UNWELL = frozenset({"failed", "concerning"})
NOT_STARTED_FROM = frozenset({"pending", "waiting", "deploying", "running", "concerning", "stopping", "deleting"})
NOT_CHANGED_IN = frozenset({"deploying", "stopping", "deleting"})
NOT_STOPPED_FROM = frozenset({"stopped", "finished", "deleting"})
SECONDS = {"DAYS": 86400.0, "HOURS": 3600.0, "MINUTES": 60.0}


class Service:
    """One service, of either version of the API.

    Args:
        body: Body of the create call.
        deployments: What its first, second, ... deployment does; the last one repeats.
        clock: The service's own clock.
        scaled: Turns scripted seconds into a duration.
        stop_seconds: Tells how long stopping and deleting take.
    """

    def __init__(
        self,
        body: Mapping[str, Any],
        deployments: Sequence[Deployment],
        *,
        clock: RunClock,
        scaled: Callable[[float], timedelta],
        stop_seconds: Callable[[], float],
    ) -> None:
        self.service_id = str(uuid.uuid4())
        self.body = dict(body)
        self.clock = clock
        self.published_at = clock.now()
        self.updated_at = self.published_at
        self.runs_since: datetime | None = None
        self.due_at: datetime | None = None
        self.error_msg = ""
        self.count = 0
        self._scaled = scaled
        self._stop_seconds = stop_seconds
        self._deployments = tuple(deployments)
        self.track = Track("", self.published_at, scaled, self._changed)
        self._deploy(self.published_at)
        self.advance()

    @property
    def name(self) -> str:
        """Its name, in whichever version."""
        return str(self.body.get("service_name") or self.body.get("name"))

    @property
    def workspace_id(self) -> str:
        """The workspace it is in."""
        return str(self.body.get("workspace_id") or "0")

    @property
    def status(self) -> str:
        """Present status."""
        return self.track.status

    @property
    def is_gone(self) -> bool:
        """Whether it has been deleted."""
        return self.status == GONE

    def advance(self) -> datetime:
        """Make every change that is due by the service's own clock; return that clock's time."""
        now = self.clock.now()
        while self.track.due is not None and self.track.due <= now:
            self.track.proceed(self.track.due)
        return now

    def progress(self, now: datetime) -> int:
        """Return how far the present deployment is, in percent."""
        if self.status != "deploying" or self.track.due is None:
            return 0 if self.status in {"pending", "waiting", "deploying"} else 100
        whole = self.track.due - self.track.since
        return int(100 * (now - self.track.since) / whole) if whole else 100

    def force(self, status: str, error_msg: str) -> None:
        """Put it into a status, in which it stays until an action changes it."""
        self.track.jump(status, self.advance())
        self.error_msg = error_msg

    def start(self) -> None:
        """Deploy it again.

        Raises:
            IllegalAction: It runs, or does what must end first.
        """
        now = self._checked(NOT_STARTED_FROM)
        self._deploy(now)

    def stop(self) -> None:
        """Stop it.

        Raises:
            IllegalAction: Nothing of it runs.
        """
        now = self._checked(NOT_STOPPED_FROM)
        if self.status != "stopping":
            self.track.play([Phase("stopping", self._stop_seconds()), Phase("stopped")], now)

    def change(self, fields: Mapping[str, Any]) -> bool:
        """Take over fields of an update; return whether that deploys the service anew.

        Raises:
            IllegalAction: Its models cannot be changed now.
        """
        now = self._checked(NOT_CHANGED_IN) if "config" in fields else self.advance()
        self.body.update(fields)
        if "config" in fields:
            self.updated_at = now
            self._deploy(now)
            return True
        if "schedule" in fields and self.status == "running":
            self.runs_since = now
            self.track.play(self._until_stopped(Phase("running")), now)
            self._set_due(now)
        return False

    def delete(self) -> None:
        """Begin to delete it; deleting it once more changes nothing."""
        now = self.advance()
        if self.status != "deleting":
            self.track.play([Phase("deleting", self._stop_seconds()), Phase(GONE)], now)

    def _checked(self, forbidden: frozenset[str]) -> datetime:
        now = self.advance()
        if self.status in forbidden:
            raise IllegalAction(f"service {self.service_id} is {self.status}")
        return now

    def _deploy(self, at: datetime) -> None:
        deployment = self._deployments[min(self.count, len(self._deployments) - 1)]
        self.count += 1
        self.error_msg = deployment.error_msg
        *first, last = deployment.script
        self.track.play([*first, *self._until_stopped(last)], at)

    def _until_stopped(self, phase: Phase) -> list[Phase]:
        """Return the last phase of a deployment, and what comes after it if the service stops by itself."""
        seconds = self._auto_stop_seconds()
        if phase.status != "running" or seconds is None:
            return [phase]
        return [replace(phase, seconds=seconds), Phase("stopping", self._stop_seconds()), Phase("stopped")]

    def _auto_stop_seconds(self) -> float | None:
        stops = [SECONDS[each["time_unit"]] * each["duration"] for each in self.body.get("schedule") or []]
        return min(stops, default=None)

    def _set_due(self, at: datetime) -> None:
        seconds = self._auto_stop_seconds()
        self.due_at = None if seconds is None else at + self._scaled(seconds)

    def _changed(self, at: datetime, before: str, after: str) -> None:
        if after == "running":
            self.runs_since = at
            self._set_due(at)
        elif after != "concerning":
            self.due_at = None
