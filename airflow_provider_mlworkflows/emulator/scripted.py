"""A status that follows a script; the base of every emulated run and step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Phase:
    """A status and how long it lasts.

    Attributes:
        status: Any literal, also one the service does not know.
        seconds: Duration before scaling; ``None`` lasts until something else happens.
    """

    status: str
    seconds: float | None = None


def phases(*items: tuple[str, float] | str) -> tuple[Phase, ...]:
    """Build phases from ``("running", 5)`` pairs; a bare status lasts until something happens."""
    return tuple(Phase(item) if isinstance(item, str) else Phase(*item) for item in items)


Listener = Callable[[datetime, str, str], None]


class Track:
    """A status that changes at times fixed by a script, never by when somebody looks.

    Args:
        status: First status.
        at: When it began.
        scaled: Turns scripted seconds into a duration.
        changed: Called with time, old and new status after each change.
    """

    def __init__(self, status: str, at: datetime, scaled: Callable[[float], timedelta], changed: Listener) -> None:
        self.status = status
        self.since = at
        self._scaled = scaled
        self._changed = changed
        self._left: list[Phase] = []
        self._due: datetime | None = None

    @property
    def due(self) -> datetime | None:
        """When the next scripted change happens, if one does by itself."""
        return self._due

    @property
    def has_more(self) -> bool:
        """Whether the script goes on after the present phase."""
        return bool(self._left)

    def play(self, script: Sequence[Phase], at: datetime) -> None:
        """Enter the first phase of a script at ``at``; the rest follows."""
        self._left = list(script)
        self.proceed(at)

    def jump(self, status: str, at: datetime) -> None:
        """Enter a status at ``at`` and drop the rest of the script."""
        self.play([Phase(status)], at)

    def proceed(self, at: datetime) -> None:
        """Enter the next phase at ``at``, whether or not the present one is over."""
        if not self._left:
            self._due = None
            return
        phase = self._left.pop(0)
        before, self.status, self.since = self.status, phase.status, at
        timed = phase.seconds is not None and self._left
        self._due = at + self._scaled(phase.seconds or 0) if timed else None
        if before != self.status:
            self._changed(at, before, self.status)
