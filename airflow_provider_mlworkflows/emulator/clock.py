"""The emulator's time: moved by hand, by the machine's clock, or by reads."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

ClockMode = Literal["manual", "real", "per_read"]


class Clock:
    """Source of time for everything the emulator keeps.

    Args:
        mode: ``manual`` moves only through :meth:`advance`. ``real`` follows the machine's clock.
            ``per_read`` follows the machine's clock as well, but every run gets a clock of its own that
            moves by ``tick`` with each read of that run and by nothing else than :meth:`advance`.
        speed: Scripted durations are divided by this number. Time stamps stay those of the clock.
        tick: Seconds added by one read in mode ``per_read``.
        start: Time at which the clock begins, aware. Default: now.
        lock: The lock that guards the emulator's state.

    Raises:
        ValueError: Unknown mode, speed or tick not above zero, or ``start`` without time zone.
    """

    def __init__(
        self,
        mode: ClockMode = "real",
        *,
        speed: float = 1.0,
        tick: float = 5.0,
        start: datetime | None = None,
        lock: threading.RLock | None = None,
    ) -> None:
        if mode not in get_args(ClockMode):
            raise ValueError(f"clock mode must be one of {', '.join(get_args(ClockMode))}, not {mode!r}")
        if speed <= 0 or tick <= 0:
            raise ValueError("speed and tick must be above zero")
        if start is not None and start.tzinfo is None:
            raise ValueError("start needs a time zone")
        wall = datetime.now(UTC)
        self.mode: ClockMode = mode
        self.speed = speed
        self.tick = tick
        self.advanced = timedelta()
        self._start = start or wall
        self._lag = self._start - wall
        self._lock = lock or threading.RLock()

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""
        with self._lock:
            if self.mode == "manual":
                return (self._start + self.advanced).astimezone(UTC)
            return datetime.now(UTC) + self._lag + self.advanced

    def advance(self, seconds: float) -> datetime:
        """Move time forward by ``seconds`` and return the new time.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError("time moves forward only")
        with self._lock:
            self.advanced += timedelta(seconds=seconds)
            return self.now()

    def scaled(self, seconds: float) -> timedelta:
        """Return how long a scripted duration takes at this clock's speed."""
        return timedelta(seconds=seconds / self.speed)

    def fork(self) -> RunClock:
        """Return the clock of a run that begins now."""
        return RunClock(self)


class RunClock:
    """Time as one run sees it; differs from the emulator's clock in mode ``per_read`` only."""

    def __init__(self, parent: Clock) -> None:
        self._parent = parent
        self._origin = parent.now()
        self._advanced_at_origin = parent.advanced
        self.reads = 0

    def now(self) -> datetime:
        """Return the run's present time, aware."""
        if self._parent.mode != "per_read":
            return self._parent.now()
        by_reads = timedelta(seconds=self.reads * self._parent.tick)
        return self._origin + by_reads + (self._parent.advanced - self._advanced_at_origin)

    def read(self) -> None:
        """Note that the run was read."""
        self.reads += 1
