"""The life of one execution, computed from its own clock and the actions upon it.

Changes carry the time at which the script puts them, whenever somebody looks. Transitions that no document
describes: nodes run one after the other; an execution waits a second in ``waitExecute``; approval comes before
that, or at a node of its own, where a refusal ends the execution; a failed node lets the execution stand, in
``pausing`` or in ``fail`` as its switch says; an action is taken only on the node at which the execution stands; a
terminated execution goes on by no action.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from airflow_provider_mlworkflows.emulator.aom.noderun import (
    APPROVAL_FAILED,
    BROKEN,
    CANCEL,
    CANCELING,
    EXECUTING,
    FAIL,
    OVER,
    PAUSING,
    SUCCESS,
    TIMEOUT,
    WAIT_APPROVAL,
    WAIT_EXECUTE,
    NodeRun,
    NodeState,
)
from airflow_provider_mlworkflows.emulator.scripted import Phase, Track, phases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from airflow_provider_mlworkflows.emulator.aom.definitions import NodeDefinition
    from airflow_provider_mlworkflows.emulator.clock import RunClock

FINISHED = frozenset({SUCCESS, FAIL, TIMEOUT, CANCEL, APPROVAL_FAILED})
STANDING = frozenset({FAIL, PAUSING})
_SHARED = frozenset({PAUSING, WAIT_APPROVAL, APPROVAL_FAILED})
BEGIN = phases((WAIT_EXECUTE, 1), EXECUTING)

Action = Literal["restart", "skip", "continue"]


class IllegalAction(ValueError):
    """An action that the present state forbids."""


@dataclass(frozen=True, slots=True)
class ExecutionState:
    """An execution at one moment."""

    status: str
    updated_at: datetime
    ended_at: datetime | None
    nodes: tuple[NodeState, ...]


class Execution:
    """One execution of a workflow.

    Args:
        workflow_id: The workflow.
        project_id: Its project.
        edited_at: When the workflow was changed last.
        nodes: Its nodes with their ids.
        created_by: Who started it.
        needs_approval: Whether it waits for approval first.
        approvers: Who may approve.
        clock: The execution's own clock.
        scaled: Turns scripted seconds into a duration.
        status_of_failure: Returns the status in which an execution stands at a failed node.
        status_script: Statuses to show instead of the computed one.
        execution_id: Its id. Default: a new one.
    """

    def __init__(
        self,
        *,
        workflow_id: str,
        project_id: str,
        edited_at: datetime,
        nodes: Sequence[tuple[str, NodeDefinition]],
        created_by: str,
        needs_approval: bool,
        approvers: Sequence[str],
        clock: RunClock,
        scaled: Callable[[float], timedelta],
        status_of_failure: Callable[[], str],
        status_script: Sequence[Phase] = (),
        execution_id: str | None = None,
    ) -> None:
        self.execution_id = execution_id or uuid4().hex
        self.workflow_id = workflow_id
        self.project_id = project_id
        self.edited_at = edited_at
        self.created_by = created_by
        self.approvers = list(approvers)
        self.record_id = uuid4().hex
        self.clock = clock
        self.created_at = self.updated_at = clock.now()
        self.ended_at: datetime | None = None
        self.forced_status: str | None = None
        self.nodes = [NodeRun(each, key, self.created_at, scaled, self._touch) for key, each in nodes]
        self._status_of_failure = status_of_failure
        first = WAIT_APPROVAL if needs_approval else WAIT_EXECUTE
        self._life = Track(first, self.created_at, scaled, lambda at, before, after: self._touch(at))
        if not needs_approval:
            self._life.play(BEGIN, self.created_at)
        self._shown = Track(first, self.created_at, scaled, lambda *_: None) if status_script else None
        if self._shown is not None:
            self._shown.play(status_script, self.created_at)
        self.advance()

    @property
    def status(self) -> str:
        """Present status; forced or scripted, else what follows from the nodes."""
        if self.forced_status is not None:
            return self.forced_status
        return self._shown.status if self._shown is not None else self._life.status

    @property
    def is_finished(self) -> bool:
        """Whether the execution is over, as far as its status says."""
        return self.status in FINISHED

    @property
    def current(self) -> NodeRun | None:
        """The node that has begun and is not passed yet, if there is one."""
        node = next((each for each in self.nodes if not each.is_passed), None)
        return node if node is not None and node.attempt else None

    @property
    def _is_at_nodes(self) -> bool:
        """Whether the status follows from the nodes."""
        at_approval = self._life.status == WAIT_APPROVAL and self.current is not None
        return at_approval or self._life.status in STANDING | {EXECUTING}

    def node(self, key: str) -> NodeRun:
        """Return a node by id or name.

        Raises:
            KeyError: There is no such node.
        """
        for node in self.nodes:
            if key in (node.node_id, node.name):
                return node
        raise KeyError(key)

    def advance(self) -> datetime:
        """Make every change that is due by the execution's own clock; return that clock's time."""
        now = self.clock.now()
        while (due := self._next_due()) is not None and due <= now:
            self._move(due)
        return now

    def state(self) -> ExecutionState:
        """Return the execution as it is now."""
        self.advance()
        attempts = tuple(attempt for node in self.nodes for attempt in node.states())
        return ExecutionState(self.status, self.updated_at, self.ended_at, attempts)

    def operate(self, action: Action, node_id: str) -> None:
        """Restart or skip the failed node, or continue after the pause node, at which the execution stands.

        Raises:
            IllegalAction: It stands at no such node.
        """
        now = self.advance()
        node = self.current if self._life.status in STANDING else None
        if node is None or node.node_id != node_id:
            raise IllegalAction(f"the execution is {self.status} and does not stand at node {node_id}")
        wanted = {PAUSING} if action == "continue" else BROKEN
        if node.status not in wanted:
            raise IllegalAction(f"node {node.name} is {node.status}")
        self._take_over(now)
        if action == "restart":
            node.begin(now)
        elif action == "skip":
            node.skip()
        else:
            node.proceed(now)
        self._settle(now)

    def terminate(self, seconds: float) -> None:
        """Go to ``cancel`` by way of ``canceling``.

        Raises:
            IllegalAction: The execution is over or being terminated already.
        """
        now = self.advance()
        if self.is_finished or self._life.status == CANCELING:
            raise IllegalAction(f"the execution is {self.status}")
        self._take_over(now)
        node = self.current
        if node is not None and node.status not in OVER:
            node.cancel(now, seconds)
        self._life.play(phases((CANCELING, seconds), CANCEL), now)

    def decide(self, *, approved: bool) -> None:
        """Approve or refuse an execution that waits for it, before it begins or at a node.

        Raises:
            IllegalAction: It does not wait for approval.
        """
        now = self.advance()
        if self._life.status != WAIT_APPROVAL:
            raise IllegalAction(f"the execution is {self.status}")
        self._take_over(now)
        node = self.current
        if node is None:
            self._life.play(BEGIN if approved else phases(APPROVAL_FAILED), now)
        elif approved:
            node.proceed(now)
        else:
            node.end(APPROVAL_FAILED, now)
        self._settle(now)

    def end_node(self, key: str | None, status: str, output: Any = None) -> None:  # any JSON value
        """End the current node now, whatever its script says.

        Args:
            key: Its id or name; ``None`` for whichever it is.
            status: ``success`` or ``fail``.
            output: What it reports; ``None`` for what its script says.

        Raises:
            KeyError: There is no such node.
            IllegalAction: It is not the current one.
        """
        now = self.advance()
        node = self.current
        if key is not None and self.node(key) is not node:
            raise IllegalAction(f"node {key} is {self.node(key).status} and not the current one")
        if node is None or not self._is_at_nodes:
            raise IllegalAction(f"the execution is {self.status} and has no node at work")
        self.ended_at = None
        node.end(status, now, output)
        self._settle(now)

    def force(self, status: str | None, nodes: Mapping[str, str]) -> None:
        """Show a status and put nodes into statuses, whatever the scripts say.

        Raises:
            KeyError: There is no such node.
        """
        now = self.advance()
        chosen = [(self.node(key), literal) for key, literal in nodes.items()]
        for node, literal in chosen:
            node.attempt = max(node.attempt, 1)
            node.end(literal, now)
        self.forced_status = status
        self.updated_at = now
        self._settle(now)

    def _take_over(self, now: datetime) -> None:
        self.forced_status = None
        self._shown = None
        self.ended_at = None
        self.updated_at = now

    def _touch(self, at: datetime) -> None:
        self.updated_at = at

    def _tracks(self) -> list[Track]:
        shown = [] if self._shown is None else [self._shown]
        return [self._life, *(node.track for node in self.nodes), *shown]

    def _next_due(self) -> datetime | None:
        return min((track.due for track in self._tracks() if track.due is not None), default=None)

    def _move(self, at: datetime) -> None:
        for track in self._tracks():
            if track.due is not None and track.due <= at:
                track.proceed(at)
                self.updated_at = at
        self._settle(at)

    def _settle(self, at: datetime) -> None:
        """Begin the next node if its turn has come, and note the end."""
        if self._is_at_nodes:
            self._life.jump(self._outcome(at), at)
        self.ended_at = (self.ended_at or at) if self.is_finished else None

    def _outcome(self, at: datetime) -> str:
        for node in self.nodes:
            if not node.is_passed and node.attempt == 0:
                node.begin(at)
            if node.is_passed:
                continue
            if node.status in BROKEN:
                return self._status_of_failure()
            return node.status if node.status in _SHARED else EXECUTING
        return SUCCESS
