"""What a run is going to do, in words that suit every service."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Ending(Enum):
    """How one attempt of a step ends."""

    COMPLETES = auto()
    FAILS = auto()
    HELD = auto()
    """Goes on only after a person let it, and completes then."""
    HELD_TWICE = auto()
    """The same, but holds once more after it was let go on."""
    ENDLESS = auto()


@dataclass(frozen=True, slots=True)
class Play:
    """One attempt of a step: how it ends, and after how many seconds."""

    ending: Ending
    seconds: float = 60.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of a workflow.

    Attributes:
        name: Its name.
        plays: What its first, second ... attempt does; the last one repeats.
        after: The step it follows, "" for none.
        needs: Name of an input that a person gives while the run waits for it, "" for none.
        off_branch: It lies on the branch that is not taken.
    """

    name: str
    plays: tuple[Play, ...]
    after: str = ""
    needs: str = ""
    off_branch: bool = False


def completes(seconds: float = 60.0) -> Play:
    return Play(Ending.COMPLETES, seconds)


def fails(seconds: float = 60.0, reason: str = "out of memory") -> Play:
    return Play(Ending.FAILS, seconds, reason)


def held() -> Play:
    return Play(Ending.HELD)


def held_twice() -> Play:
    return Play(Ending.HELD_TWICE)


def endless() -> Play:
    return Play(Ending.ENDLESS)


def chain(*steps: tuple[str, Play | tuple[Play, ...]]) -> tuple[PlannedStep, ...]:
    """Steps one after the other."""
    planned: list[PlannedStep] = []
    for name, plays in steps:
        before = planned[-1].name if planned else ""
        planned.append(PlannedStep(name, plays if isinstance(plays, tuple) else (plays,), before))
    return tuple(planned)
