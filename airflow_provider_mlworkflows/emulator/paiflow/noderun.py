"""The life of one node of a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.paiflow.definitions import NodeAttempt, Output, succeeds
from airflow_provider_mlworkflows.emulator.paiflow.names import new_id
from airflow_provider_mlworkflows.emulator.scripted import Phase, Track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_mlworkflows.emulator.paiflow.plan import PlannedNode

READY = "ReadyToSchedule"
BROKEN = frozenset({"Failed", "Terminated"})
OVER = BROKEN | {"Succeeded", "Skipped"}
AT_REST = OVER | {READY, "Suspended"}


@dataclass(frozen=True, slots=True)
class Artifact:
    """An output that a node has left."""

    artifact_id: str
    output: Output
    name: str
    created_at: datetime
    node: NodeRun


@dataclass(slots=True)
class _Work:
    """An attempt that has begun to run."""

    script: NodeAttempt
    number: int
    begun_at: datetime
    ended_at: datetime | None = None


class NodeRun:
    """One node of one run; a sub-pipeline or a loop has nodes below.

    Args:
        plan: What the node is.
        scripts: Scripted attempts by node or step name.
        at: When the run was created.
        scaled: Turns scripted seconds into a duration.
        changed: Called with the node and the time after each change of its status.
        index: Number of the iteration that the node is part of, if it is part of a loop.
    """

    def __init__(
        self,
        plan: PlannedNode,
        scripts: Mapping[str, tuple[NodeAttempt, ...]],
        at: datetime,
        scaled: Callable[[float], timedelta],
        changed: Callable[[NodeRun, datetime], None],
        index: int | None = None,
    ) -> None:
        self.node_id = new_id("node")
        self.plan = plan
        self.index = index if plan.index is None else plan.index
        self.children = [NodeRun(child, scripts, at, scaled, changed, self.index) for child in plan.children]
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self.attempt = 0
        self.unwanted = False
        self.artifacts: list[Artifact] = []
        self._scripts = scripts.get(plan.name) or scripts.get(plan.step) or (succeeds(),)
        self._work: list[_Work] = []
        self._scaled = scaled
        self._report = changed
        self.track = Track(READY, at, scaled, self._changed)

    @property
    def name(self) -> str:
        """Name among its siblings."""
        return self.plan.name

    @property
    def status(self) -> str:
        """Present status."""
        return self.track.status

    @property
    def is_leaf(self) -> bool:
        """Whether the node works by itself."""
        return self.plan.kind == "Task"

    @property
    def script(self) -> NodeAttempt:
        """What the present attempt does."""
        return self._scripts[min(max(self.attempt, 1), len(self._scripts)) - 1]

    @property
    def message(self) -> str:
        """Why the node ended badly; empty if it did not."""
        return self.script.message if self.is_leaf and self.status in ("Failed", "Suspended") else ""

    def walk(self) -> Iterator[NodeRun]:
        """Yield the node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def begin(self, at: datetime) -> None:
        """Start the next attempt, or go on with what is below."""
        if not self.is_leaf:
            self.track.jump("Running", at)
            return
        self.attempt += 1
        self.started_at = None
        self.track.play(self.script.script, at)

    def skip(self, at: datetime, *, unwanted: bool) -> None:
        """Leave out the node and all below it that has not succeeded; ``unwanted`` if a condition says so."""
        for node in self.walk():
            if node.status != "Succeeded":
                node.unwanted = unwanted
                node.track.jump("Skipped", at)

    def reset(self, at: datetime) -> None:
        """Go back to the beginning, unless the node has succeeded."""
        if self.status == "Succeeded":
            return
        self.unwanted = False
        self.started_at = self.finished_at = None
        self.track.jump(READY, at)
        for child in self.children:
            child.reset(at)

    def terminate(self, at: datetime, seconds: float) -> None:
        """Go to ``Terminated`` by way of ``Terminating``."""
        self.track.play([Phase("Terminating", seconds), Phase("Terminated")], at)

    def lines(self, now: datetime) -> list[tuple[datetime, str]]:
        """Return all lines written until ``now``, oldest first, with their times."""
        written = []
        for work in self._work:
            for line in work.script.log:
                due = work.begun_at + self._scaled(line.seconds)
                if due <= min(now, work.ended_at or now):
                    text = line.text.replace("{node}", self.name).replace("{attempt}", str(work.number))
                    written.append((due, text))
        return written

    def _changed(self, at: datetime, before: str, after: str) -> None:
        if after not in AT_REST:
            self.finished_at = None
            self.started_at = self.started_at or at
        if after in OVER and after != "Skipped" and self.started_at is not None:
            self.finished_at = at
        if self.is_leaf:
            self._note_work(at, after)
        self._report(self, at)

    def _note_work(self, at: datetime, after: str) -> None:
        working = bool(self._work) and self._work[-1].ended_at is None
        if after == "Running" and not working:
            self._work.append(_Work(self.script, self.attempt, at))
        elif after in AT_REST and working:
            self._work[-1].ended_at = at
        if after == "Succeeded":
            index = self.index
            self.artifacts += [
                Artifact(new_id("artifact"), each, each.name if index is None else f"{each.name}_{index}", at, self)
                for each in self.script.outputs
            ]
