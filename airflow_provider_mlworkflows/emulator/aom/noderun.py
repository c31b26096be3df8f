"""The life of one node of an execution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_mlworkflows.emulator.scripted import Phase, Track, phases

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from airflow_provider_mlworkflows.emulator.aom.definitions import NodeAttempt, NodeDefinition

WAIT_EXECUTE = "waitExecute"
EXECUTING = "executing"
PAUSING = "pausing"
WAIT_APPROVAL = "waitApproval"
APPROVAL_FAILED = "approvalFailed"
SUCCESS = "success"
FAIL = "fail"
CANCELING = "canceling"
CANCEL = "cancel"
TIMEOUT = "timeout"
BROKEN = frozenset({FAIL, TIMEOUT})
OVER = BROKEN | {SUCCESS, CANCEL, APPROVAL_FAILED}


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node at one moment, or an attempt of it that another one followed."""

    node_id: str
    status: str
    begun_at: datetime | None
    ended_at: datetime | None
    function_execution_id: str | None
    output: Any  # any JSON value
    skipped: bool
    superseded: bool = False


class NodeRun:
    """One node of one execution.

    Args:
        definition: What the node is.
        node_id: Its id.
        at: When the execution was created.
        scaled: Turns scripted seconds into a duration.
        changed: Called with the time after each change of its status.
    """

    def __init__(
        self,
        definition: NodeDefinition,
        node_id: str,
        at: datetime,
        scaled: Callable[[float], timedelta],
        changed: Callable[[datetime], None],
    ) -> None:
        self.definition = definition
        self.node_id = node_id
        self.attempt = 0
        self.skipped = False
        self.begun_at: datetime | None = None
        self.ended_at: datetime | None = None
        self.function_execution_id: str | None = None
        self._given: tuple[Any] | None = None
        self._past: list[NodeState] = []
        self._report = changed
        self.track = Track(WAIT_EXECUTE, at, scaled, self._changed)

    @property
    def name(self) -> str:
        """Name in the workflow."""
        return self.definition.name

    @property
    def status(self) -> str:
        """Present status."""
        return self.track.status

    @property
    def script(self) -> NodeAttempt:
        """What the present attempt does."""
        scripts = self.definition.scripts
        return scripts[min(max(self.attempt, 1), len(scripts)) - 1]

    @property
    def is_passed(self) -> bool:
        """Whether the node after this one may begin."""
        ignored = self.status in BROKEN and self.definition.ignore_error
        return self.status == SUCCESS or self.skipped or ignored

    @property
    def output(self) -> Any:  # any JSON value
        """What the node reports; nothing until it is over."""
        if self.status not in OVER:
            return None
        return self._given[0] if self._given is not None else self.script.output

    def begin(self, at: datetime) -> None:
        """Start the next attempt, as a new execution of the node's function."""
        if self.attempt:
            self._past.append(replace(self._state(), superseded=True))
        self.attempt += 1
        self.skipped = False
        self._given = None
        self.ended_at = None
        self.begun_at = at
        self.function_execution_id = uuid4().hex
        self.track.play(self.script.script, at)

    def skip(self) -> None:
        """Let the execution step over the node."""
        self.skipped = True

    def proceed(self, at: datetime) -> None:
        """Go on after a pause or an approval."""
        if self.track.has_more:
            self.track.proceed(at)
        else:
            self.track.play([Phase(EXECUTING, 1), Phase(SUCCESS)], at)

    def end(self, status: str, at: datetime, output: Any = None) -> None:  # any JSON value
        """End now, with an output of its own unless that is ``None``."""
        self._given = None if output is None else (output,)
        self.track.jump(status, at)

    def cancel(self, at: datetime, seconds: float) -> None:
        """Go to ``cancel`` by way of ``canceling``."""
        self._given = (None,)
        self.track.play(phases((CANCELING, seconds), CANCEL), at)

    def states(self) -> list[NodeState]:
        """Return the node's attempts, the present one last."""
        return [*self._past, self._state()]

    def _state(self) -> NodeState:
        return NodeState(
            self.node_id,
            self.status,
            self.begun_at,
            self.ended_at,
            self.function_execution_id,
            self.output,
            self.skipped,
        )

    def _changed(self, at: datetime, before: str, after: str) -> None:
        self.ended_at = at if after in OVER else None
        if after != WAIT_EXECUTE:
            self.begun_at = self.begun_at or at
        self._report(at)
