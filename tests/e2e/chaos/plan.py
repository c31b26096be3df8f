"""What a seed draws: for every task, what the service does to it and what people and machines do to it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MODES = ("sync", "deferrable")
LEAST_SECONDS, MOST_SECONDS = 50.0, 400.0
RUNS_PER_RESTART = 20


class Outcome(StrEnum):
    """How the remote run ends."""

    SUCCEEDS = "succeeds"
    FAILS = "fails"
    RECOVERS = "recovers"
    STOPPED = "stopped"


class Deed(StrEnum):
    """What is done to the task while its run goes on."""

    NOTHING = "nothing"
    CLEAR = "clear"
    MARK_FAILED = "mark failed"
    MARK_SUCCESS = "mark success"
    KILL_STARTING = "kill the worker that starts"
    KILL_WAITING = "kill the worker that waits"


MARKS: Mapping[Deed, str] = {Deed.MARK_FAILED: "failed", Deed.MARK_SUCCESS: "success"}
START_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "throttled": {"status": 429, "times": 2},
    "reset before": {"action": "reset", "when": "before"},
    "5xx before": {"status": 503, "when": "before"},
    "reset after": {"action": "reset", "when": "after"},
    "answer lost": {"action": "close", "when": "after"},
    "5xx after": {"status": 500, "when": "after"},
}
IN_DOUBT = frozenset({"reset before", "5xx before"})
"""Nothing was started, but the caller cannot know."""
SLOW_FAULTS = IN_DOUBT | {"reset after", "answer lost", "5xx after"}
"""Faults after which the provider may look for a run for 30 seconds."""
READ_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "5xx": {"status": 503},
    "reset": {"action": "reset"},
    "cut": {"action": "truncate"},
    "throttled": {"status": 429},
    "proxy page": {"action": "html", "status": 502},
}


@dataclass(frozen=True, slots=True)
class ServiceTraits:
    """What the plan has to know of a service.

    Attributes:
        name: Its name.
        stops: Whether its runs can be stopped.
        marks: Whether its runs carry a mark of whoever started them.
    """

    name: str
    stops: bool
    marks: bool


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One task.

    Attributes:
        number: From 0.
        service: Name of the service.
        mode: How the task waits.
        outcome: How its run ends.
        seconds: Scripted seconds that the run takes, or until somebody ends it.
        deed: What is done to the task.
        start_fault: Name of what goes wrong with the start.
        read_fault: Name of what goes wrong with reads.
        reads_struck: For how many reads.
        is_doubtful: Whether the start leaves a doubt that only a person can settle.
    """

    number: int
    service: str
    mode: str
    outcome: Outcome
    seconds: float
    deed: Deed
    start_fault: str
    read_fault: str
    reads_struck: int
    is_doubtful: bool

    @property
    def dag_id(self) -> str:
        """The Dag that has this service and mode."""
        return f"chaos_{self.service}_{self.mode}"

    @property
    def expected_state(self) -> str:
        """The state in which the task has to end."""
        if self.deed in MARKS:
            return MARKS[self.deed]
        fails = self.is_doubtful or self.outcome in (Outcome.FAILS, Outcome.STOPPED)
        return "failed" if fails else "success"

    @property
    def expected_runs(self) -> int:
        """How many runs the task has to start."""
        return 0 if self.is_doubtful else 2 if self.deed is Deed.CLEAR else 1

    @property
    def is_endless(self) -> bool:
        """Whether the run goes on until somebody ends it: what is done to it finds it alive on any machine."""
        return self.deed is not Deed.NOTHING or self.outcome is Outcome.STOPPED

    def __str__(self) -> str:
        faults = f"start {self.start_fault}, reads {self.read_fault} x{self.reads_struck}"
        return f"#{self.number} {self.service} {self.mode}, {self.outcome}, {self.deed}; {faults}"


@dataclass(frozen=True, slots=True)
class ChaosPlan:
    """All tasks, and after how many of them have ended the triggerer is restarted."""

    seed: int
    runs: tuple[PlannedRun, ...]
    restarts: tuple[int, ...]


def draw(seed: int, runs: int, services: Sequence[ServiceTraits]) -> ChaosPlan:
    """Draw a plan; the same arguments give the same plan."""
    chance = random.Random(seed)
    drawn = [_draw_run(chance, number, services[number % len(services)]) for number in range(runs)]
    restarts = max(1, runs // RUNS_PER_RESTART)
    after = tuple(round(runs * (each + 0.4) / restarts) for each in range(restarts))
    # What may look for a lost start for half a minute goes first, so that nobody waits for it alone at the end.
    return ChaosPlan(seed, tuple(sorted(drawn, key=lambda run: run.start_fault not in SLOW_FAULTS)), after)


def _draw_run(chance: random.Random, number: int, service: ServiceTraits) -> PlannedRun:
    mode = chance.choice(MODES)
    deed = _draw_deed(chance, mode)
    outcome = _draw_outcome(chance, service) if deed is Deed.NOTHING else Outcome.SUCCEEDS
    start_fault = "none"
    if deed is not Deed.KILL_STARTING and chance.random() < 0.4:
        start_fault = chance.choice(list(START_FAULTS))
    is_doubtful = not service.marks and start_fault in IN_DOUBT
    if is_doubtful:
        deed, outcome = Deed.NOTHING, Outcome.SUCCEEDS
    read_fault = chance.choice(list(READ_FAULTS)) if chance.random() < 0.5 else "none"
    return PlannedRun(
        number=number,
        service=service.name,
        mode=mode,
        outcome=outcome,
        seconds=round(chance.uniform(LEAST_SECONDS, MOST_SECONDS)),
        deed=deed,
        start_fault=start_fault,
        read_fault=read_fault,
        reads_struck=chance.randint(1, 4),
        is_doubtful=is_doubtful,
    )


def _draw_deed(chance: random.Random, mode: str) -> Deed:
    if chance.random() < 0.4:
        return Deed.NOTHING
    # A deferred task has no worker to be killed while it waits.
    deeds = [deed for deed in Deed if deed is not Deed.NOTHING and (mode == "sync" or deed is not Deed.KILL_WAITING)]
    return chance.choice(deeds)


def _draw_outcome(chance: random.Random, service: ServiceTraits) -> Outcome:
    outcomes = [outcome for outcome in Outcome if service.stops or outcome is not Outcome.STOPPED]
    return chance.choice([*outcomes, Outcome.SUCCEEDS])
