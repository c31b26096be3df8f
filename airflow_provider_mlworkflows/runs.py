"""The words every layer above the clouds speaks: a run, its steps and the state they are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Self
from zlib import crc32

from airflow_provider_mlworkflows.exceptions import InvalidInputError, MLWorkflowsError

MOST_CANDIDATES = 10
"""Steps that the error about an ambiguous name tells of."""


class RunState(StrEnum):
    """What a run or a step is doing, in one vocabulary for all services."""

    ACTIVE = "active"
    """Queued, starting or running."""
    STOPPING = "stopping"
    """Told to stop, not yet over."""
    WAITING = "waiting"
    """Held up until a person or another program acts."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    """Ended by a stop request."""
    SKIPPED = "skipped"
    """Never ran. Normal for a step of a branch not taken, a failure for a whole run."""
    UNKNOWN = "unknown"
    """A literal this provider has never seen; neither success nor failure."""

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more happens unless somebody acts on the run."""
        return self in _TERMINAL


_TERMINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.STOPPED, RunState.SKIPPED})


class RunRef(NamedTuple):
    """Which run: the workflow it is a run of, and its own id.

    ``workflow_id`` is whatever the service files runs under: a workflow, a pipeline, a graph.
    """

    workflow_id: str
    run_id: str

    def __str__(self) -> str:
        return f"{self.workflow_id}/{self.run_id}" if self.workflow_id else self.run_id


@dataclass(frozen=True, slots=True)
class Step:
    """One step (node, state) of a run.

    ``status`` is the service's own literal, ``attempt`` counts from 1, ``error`` is "" unless it failed.
    ``is_gate`` marks a wait that a person is meant to end: inputs alone are no reason to pass it. ``short_names`` are
    what else it is called, such as the last part of a path; other steps of the run may be called the same.
    ``earlier_ids`` are those of its earlier attempts, oldest first, where each attempt has an id of its own.
    """

    id: str
    name: str
    state: RunState
    status: str
    kind: str = ""
    attempt: int = 1
    started_at: datetime | None = None
    updated_at: datetime | None = None
    duration: float | None = None
    error: str = ""
    is_gate: bool = False
    short_names: tuple[str, ...] = ()
    earlier_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewLog:
    """Log lines of a run's steps that were not known before.

    ``lines`` are pairs of step name and line, ``cursor`` is how many lines of each step are known now, by step id.
    ``missed`` is what has kept others from being read.
    """

    lines: tuple[tuple[str, str], ...]
    cursor: Mapping[str, int]
    missed: MLWorkflowsError | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the service showed it at one moment.

    ``status`` is the service's own literal, ``url`` its page in the cloud console. ``has_steps`` is False if the
    run was read in a way that does not show all steps, such as from a list. ``held`` is True if the run has failed, but
    the service keeps it until somebody acts on it. ``unread`` is what has kept its steps, or what it has put out, from
    being read.
    """

    ref: RunRef
    state: RunState
    status: str
    steps: tuple[Step, ...] = ()
    name: str = ""
    url: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    message: str = ""
    outputs: Mapping[str, object] = field(default_factory=dict)
    has_steps: bool = True
    held: bool = False
    unread: MLWorkflowsError | None = None
    _fingerprint: int | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def unseen(cls, ref: RunRef, url: str = "") -> Self:
        """A run of which nothing is known just now."""
        return cls(ref, RunState.UNKNOWN, "not to be read", url=url)

    @property
    def is_over(self) -> bool:
        """Whether it has ended and nothing is left to be stopped."""
        return self.state.is_terminal and not self.held

    def step(self, name: str) -> Step | None:
        """The newest attempt of a step, by name, id or short name; None if the run has not come to it yet.

        :raises InvalidInputError: if several steps have this short name.
        """
        found = [step for step in self.steps if name in (step.name, step.id)] or self._called(name)
        return max(found, key=lambda step: step.attempt, default=None)

    def _called(self, short_name: str) -> list[Step]:
        found = [step for step in self.steps if short_name in step.short_names]
        names = list(dict.fromkeys(step.name for step in found))
        if len(names) > 1:
            told = ", ".join(names[:MOST_CANDIDATES])
            more = f" and {len(names) - MOST_CANDIDATES} more" if len(names) > MOST_CANDIDATES else ""
            raise InvalidInputError(
                f"Several steps of run {self.ref} are called {short_name!r}: {told}{more}. "
                "Give the whole name of the one that is meant, or its id."
            )
        return found

    @property
    def failed_steps(self) -> tuple[Step, ...]:
        """The steps that failed."""
        return tuple(step for step in self.steps if step.state is RunState.FAILED)

    @property
    def waiting_steps(self) -> tuple[Step, ...]:
        """The steps that wait for a person."""
        return tuple(step for step in self.steps if step.state is RunState.WAITING)

    @property
    def fingerprint(self) -> int:
        """Differs between two reads if the service showed a change between them; the same in every process."""
        if self._fingerprint is None:
            steps = tuple(
                (step.id or step.name, step.status, step.attempt, str(step.updated_at)) for step in self.steps
            )
            found = _crc_of(self.status, self.state, steps) if steps else _bare_crc(self.status, self.state)
            # Found once: a run that a list shows unchanged is the same object at each read.
            object.__setattr__(self, "_fingerprint", found)
            return found
        return self._fingerprint


def _crc_of(status: str, state: RunState, steps: tuple[tuple[object, ...], ...] = ()) -> int:
    return crc32(repr((status, state.value, *steps)).encode())


# Of a thousand watched runs most show the same few words and no steps.
_bare_crc = lru_cache(_crc_of)
