"""The life of one run, computed from its own clock and the actions upon it.

Changes carry the time at which the script puts them, whenever somebody looks. Transitions that no document
describes: a run that may start is ``Initialized`` and ``ReadyToSchedule`` for half a second each; a node whose every
predecessor was left out by a condition is left out too; a node after a broken one is skipped; independent nodes go
on beside a broken one; a run whose node is suspended is suspended once nothing else is active; a rerun keeps
what succeeded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.paiflow.names import new_id
from airflow_provider_mlworkflows.emulator.paiflow.noderun import AT_REST, BROKEN, OVER, READY, NodeRun
from airflow_provider_mlworkflows.emulator.paiflow.plan import PlannedNode
from airflow_provider_mlworkflows.emulator.scripted import Phase, Track, phases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_mlworkflows.emulator.clock import RunClock
    from airflow_provider_mlworkflows.emulator.paiflow.definitions import NodeAttempt
    from airflow_provider_mlworkflows.emulator.paiflow.manifest import Manifest

FINISHED = frozenset({"Succeeded", "Failed", "Terminated", "Skipped"})
RERUNNABLE = frozenset({"Failed", "Terminated", "Suspended", "Skipped"})
DELETABLE = frozenset({"Initialized", "Terminated", "Succeeded", "Failed"})
INITIALIZED = "Initialized"
BEGIN = phases((INITIALIZED, 0.5), (READY, 0.5), "Running")


class IllegalAction(Exception):
    """An action that the present state forbids."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node at one moment."""

    node: NodeRun
    status: str
    started_at: datetime | None
    finished_at: datetime | None
    children: tuple[NodeState, ...]


@dataclass(frozen=True, slots=True)
class RunState:
    """A run at one moment."""

    status: str
    message: str
    started_at: datetime | None
    finished_at: datetime | None
    modified_at: datetime
    root: NodeState


class PipelineRun:
    """One run of a pipeline.

    Args:
        pipeline_id: The stored pipeline; empty if the run brought a manifest of its own.
        manifest: What runs.
        inputs: Parameters and artifacts, values filled in.
        nodes: The nodes below the root.
        scripts: Scripted attempts by node or step name.
        fields: The fields of the create call.
        user_id: Who created it.
        clock: The run's own clock.
        scaled: Turns scripted seconds into a duration.
        status_script: Statuses to show instead of the computed one.
    """

    def __init__(
        self,
        *,
        pipeline_id: str,
        manifest: Manifest,
        inputs: dict[str, list[dict[str, Any]]],
        nodes: Sequence[PlannedNode],
        scripts: Mapping[str, tuple[NodeAttempt, ...]],
        fields: dict[str, Any],
        user_id: str,
        clock: RunClock,
        scaled: Callable[[float], timedelta],
        status_script: Sequence[Phase] = (),
    ) -> None:
        self.run_id = new_id("flow")
        self.pipeline_id = pipeline_id
        self.manifest = manifest
        self.inputs = inputs
        self.fields = fields
        self.name = str(
            fields.get("Name") or f"{manifest.metadata.get('name') or manifest.triple[1]}-{self.run_id[-6:]}"
        )
        self.user_id = user_id
        self.clock = clock
        self.scaled = scaled
        self.created_at = self.modified_at = clock.now()
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self.is_deleted = False
        self.forced_status: str | None = None
        self._stopping = False
        self._status_script = tuple(status_script)
        self._shown: Track | None = None
        metadata = {**manifest.metadata, "name": self.run_id}
        planned = PlannedNode(self.run_id, self.run_id, "Dag", metadata, {}, inputs, children=tuple(nodes))
        self.root = NodeRun(planned, scripts, self.created_at, scaled, self._node_changed)
        self._nodes = {node.node_id: node for node in self.root.walk()}
        self._lead = Track(INITIALIZED, self.created_at, scaled, self._lead_changed)

    @property
    def status(self) -> str:
        """Present status; forced or scripted, else what follows from the nodes."""
        if self.forced_status is not None:
            return self.forced_status
        return self._shown.status if self._shown is not None else self._computed_status()

    def node(self, node_id: str) -> NodeRun | None:
        """Return a node by its id."""
        return self._nodes.get(node_id)

    def node_named(self, name: str) -> NodeRun:
        """Return the first node of a name.

        Raises:
            KeyError: There is no such node.
        """
        for node in self._nodes.values():
            if node.name == name:
                return node
        raise KeyError(name)

    def advance(self) -> datetime:
        """Make every change that is due by the run's own clock; return that clock's time."""
        now = self.clock.now()
        while (due := self._next_due()) is not None and due <= now:
            self._move(due)
        return now

    def start(self) -> None:
        """Begin a run that was created to be started later.

        Raises:
            IllegalAction: The run has begun already.
        """
        now = self.advance()
        if self.status != INITIALIZED or self._lead.due is not None:
            raise IllegalAction(f"the run is {self.status}")
        self._take_over(now)
        if self._status_script:
            self._shown = Track(INITIALIZED, now, self.scaled, lambda *_: None)
            self._shown.play(self._status_script, now)
        self._lead.play(BEGIN, now)
        self.advance()

    def terminate(self, seconds: float) -> None:
        """Stop all active nodes; no other node begins.

        Raises:
            IllegalAction: The run is over or stops already.
        """
        now = self.advance()
        if self.status in FINISHED or self._stopping:
            raise IllegalAction(f"the run is {self.status}")
        self._take_over(now)
        self._stopping = True
        if self._lead.status != "Running":
            self._lead.jump("Terminated", now)
            self.root.skip(now, unwanted=False)
        for node in self._nodes.values():
            if node.is_leaf and node.status not in OVER | {READY}:
                node.terminate(now, seconds)
        self._settle(now)

    def rerun(self) -> None:
        """Run again what did not succeed.

        Raises:
            IllegalAction: The run is active or has succeeded.
        """
        now = self.advance()
        if self.status not in RERUNNABLE:
            raise IllegalAction(f"the run is {self.status}")
        self._take_over(now)
        self.root.reset(now)
        self._lead.play(BEGIN[1:], now)
        self.advance()

    def force(self, status: str | None, nodes: Mapping[str, str]) -> None:
        """Show a status and put nodes by name into statuses, whatever the scripts say.

        Raises:
            KeyError: There is no node of that name.
        """
        now = self.advance()
        for name, node_status in nodes.items():
            self.node_named(name).track.jump(node_status, now)
        self.forced_status = status
        self.modified_at = now
        self._settle(now)

    def state(self) -> RunState:
        """Return the run as it is now."""
        self.advance()
        status = self.status
        broken = [node for node in self._nodes.values() if node.message]
        message = "; ".join(f"node {node.name} {node.status.lower()}: {node.message}" for node in broken)
        shown = message if status in ("Failed", "Suspended") else ""
        return RunState(status, shown, self.started_at, self.finished_at, self.modified_at, self._root_state(status))

    def _root_state(self, status: str) -> NodeState:
        # The root stands for the run, so a forced or scripted status shows on it as well.
        own = READY if status == INITIALIZED else status
        below = tuple(_node_state(child) for child in self.root.children)
        return NodeState(self.root, own, self.started_at, self.finished_at, below)

    def _take_over(self, now: datetime) -> None:
        self.forced_status = None
        self._shown = None
        self._stopping = False
        self.finished_at = None
        self.modified_at = now

    def _next_due(self) -> datetime | None:
        times = [node.track.due for node in self._nodes.values()]
        times += [self._lead.due, self._shown.due if self._shown is not None else None]
        return min((time for time in times if time is not None), default=None)

    def _move(self, at: datetime) -> None:
        tracks = [self._lead, *(node.track for node in self._nodes.values())]
        if self._shown is not None:
            tracks.append(self._shown)
        for track in tracks:
            if track.due is not None and track.due <= at:
                track.proceed(at)
                self.modified_at = at
        self._settle(at)

    def _lead_changed(self, at: datetime, before: str, after: str) -> None:
        self.modified_at = at
        if after == "Running":
            self.started_at = self.started_at or at
            self.root.begin(at)

    def _node_changed(self, node: NodeRun, at: datetime) -> None:
        self.modified_at = at

    def _settle(self, at: datetime) -> None:
        """Begin every node that is ready, close every one that is done, and note the end."""
        if self._lead.status == "Running":
            self._settle_below(self.root, at)
        if self.status in FINISHED:
            self.finished_at = self.finished_at or at

    def _settle_below(self, parent: NodeRun, at: datetime) -> None:
        changed = True
        while changed:
            changed = False
            for child in parent.children:
                before = child.status
                if before == READY:
                    self._try_begin(child, parent, at)
                if not child.is_leaf and child.status not in OVER | {READY}:
                    self._settle_below(child, at)
                changed = changed or child.status != before
        parent.track.jump(self._outcome(parent), at)

    def _try_begin(self, node: NodeRun, parent: NodeRun, at: datetime) -> None:
        before = [other for other in parent.children if other.name in node.plan.depends_on]
        if self._stopping:
            node.skip(at, unwanted=False)
        elif any(other.status not in OVER for other in before):
            return
        elif any(other.status in BROKEN or (other.status == "Skipped" and not other.unwanted) for other in before):
            node.skip(at, unwanted=False)
        elif not node.plan.wanted or (before and all(other.unwanted for other in before)):
            node.skip(at, unwanted=True)
        elif not _is_full(parent):
            node.begin(at)

    def _outcome(self, parent: NodeRun) -> str:
        statuses = {child.status for child in parent.children}
        if statuses - AT_REST:
            return "Terminating" if self._stopping else "Running"
        if self._stopping:
            return "Terminated"
        for status in ("Suspended", "Failed", "Terminated"):
            if status in statuses:
                return status
        return "Running" if READY in statuses else "Succeeded"

    def _computed_status(self) -> str:
        return self.root.status if self._lead.status == "Running" else self._lead.status


def _is_full(parent: NodeRun) -> bool:
    limit = parent.plan.parallelism
    return limit is not None and sum(child.status not in AT_REST for child in parent.children) >= limit


def _node_state(node: NodeRun) -> NodeState:
    below = tuple(_node_state(child) for child in node.children)
    return NodeState(node, node.status, node.started_at, node.finished_at, below)
