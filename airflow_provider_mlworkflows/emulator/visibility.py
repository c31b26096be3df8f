"""What readers see of runs: for a while the state before an action, and new ones not yet in lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_mlworkflows.emulator.clock import RunClock
    from airflow_provider_mlworkflows.emulator.switches import Switches

T = TypeVar("T")


@dataclass(slots=True)
class _Stale(Generic[T]):
    view: T
    reads_left: int


class Visibility(Generic[T]):
    """Views that outlive an action, by the id of their run.

    Args:
        switches: The open points.
    """

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._stale: dict[str, _Stale[T]] = {}

    def keep(self, run_id: str, view: T) -> None:
        """Let the next reads show ``view``, that before an action."""
        if self._switches.visibility_delay > 0:
            self._stale[run_id] = _Stale(view, self._switches.visibility_delay)

    def kept(self, run_id: str) -> T | None:
        """Return the view before an action if readers still see it."""
        stale = self._stale.get(run_id)
        return None if stale is None else stale.view

    def count_read(self, run_id: str) -> None:
        """Count a read; after the last one the view is gone."""
        stale = self._stale.get(run_id)
        if stale is not None:
            stale.reads_left -= 1
            if stale.reads_left <= 0:
                del self._stale[run_id]

    def forget(self, run_id: str) -> None:
        """Forget a run's view."""
        self._stale.pop(run_id, None)

    def is_listed(self, created_at: datetime, clock: RunClock) -> bool:
        """Whether lists show a run yet."""
        lag = self._switches.list_lag
        return lag <= 0 or clock.now() - created_at >= timedelta(seconds=lag)
