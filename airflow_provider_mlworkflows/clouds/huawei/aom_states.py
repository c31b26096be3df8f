"""What the statuses of AOM automation mean, and executions in the words of every service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.aom_models import decoded
from airflow_provider_mlworkflows.clouds.huawei.aom_outputs import plain_output, reason_in, says_error
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.aom_graph import WorkflowNodes
    from airflow_provider_mlworkflows.clouds.huawei.aom_models import Execution, NodeResult

INITIAL_STATUS = "waitExecute"
"""Stands for the status of an execution that was just started, which the service does not tell."""
APPROVAL = "approval"
"""Id and name of the step that stands for a person's approval where that is no node."""
WAITS_FOR_APPROVAL = "waitapproval"
APPROVAL_REFUSED = "approvalfailed"
PAUSING = "pausing"

LITERALS: Mapping[str, RunState] = {
    "success": RunState.SUCCEEDED,
    "fail": RunState.FAILED,
    "timeout": RunState.FAILED,
    "approvalFailed": RunState.FAILED,
    "cancel": RunState.STOPPED,
    "canceling": RunState.STOPPING,
    "executing": RunState.ACTIVE,
    "running": RunState.ACTIVE,
    "waitExecute": RunState.ACTIVE,
    "waitApproval": RunState.WAITING,
    "pausing": RunState.WAITING,
}
"""The service documents no statuses of executions and nodes: these are the words of its filter for workflows, and of
the engine below it."""

NODE_LITERALS: Mapping[str, RunState] = {**LITERALS, "skip": RunState.SKIPPED, "skipped": RunState.SKIPPED}
"""A node can be stepped over; what it shows then is not documented, but these two would leave no doubt."""


class AomStates:
    """What each status means. Literals are compared without regard to case.

    :param overrides: literals that mean something else than usual, or are not in `LITERALS`; a mapping, or the JSON
        text of one.
    :raises InvalidInputError: if it is neither, a literal is no text, or its meaning is no state.
    """

    def __init__(self, overrides: Mapping[str, RunState | str] | str | None = None) -> None:
        changed: dict[str, RunState] = {}
        for literal, state in _mapping(overrides).items():
            if not isinstance(literal, str) or state not in list(RunState):
                raise InvalidInputError(
                    f"The status {literal!r} cannot mean {state!r}: a text means one of {', '.join(RunState)}."
                )
            changed[_folded(literal)] = RunState(state)
        self._states = {_folded(literal): state for literal, state in LITERALS.items()} | changed
        self._node_states = {_folded(literal): state for literal, state in NODE_LITERALS.items()} | changed

    def of(self, status: str) -> RunState:
        """What an execution's status means; UNKNOWN for a literal nobody documented."""
        return self._states.get(_folded(status), RunState.UNKNOWN)

    def is_settled(self, status: str) -> bool:
        """Whether an execution has nothing left to stop. Whatever else pausing may mean, it does not mean that."""
        state = self.of(status)
        return _folded(status) != PAUSING and (state is RunState.STOPPING or state.is_terminal)

    def of_node(self, node: NodeResult) -> RunState:
        """What a node's status means. One that pauses may do so for a person, or because it failed."""
        literal = _folded(node.status)
        state = self._node_states.get(literal, RunState.UNKNOWN)
        failed = state is RunState.WAITING and literal == PAUSING and says_error(node.output)
        return RunState.FAILED if failed else state


def _mapping(overrides: object) -> Mapping[Any, Any]:
    given = {} if overrides is None or overrides == "" else decoded(overrides)
    if not isinstance(given, Mapping):
        raise InvalidInputError(
            f"What statuses mean is given as a mapping such as {{'finished': 'succeeded'}}, not as {overrides!r}."
        )
    return given


@dataclass(frozen=True, slots=True)
class Reader:
    """Puts executions into the words of every service.

    :param states: what statuses mean.
    """

    states: AomStates

    def run(
        self, execution: Execution, ref: RunRef, nodes: WorkflowNodes, *, url: str = "", listed: bool = False
    ) -> Run:
        """An execution as a run.

        A pausing execution stands at a pause, and waits for a person, or at a failed node, and can be repaired from
        there. Its nodes tell which: then it is FAILED.

        :param execution: as the service showed it.
        :param ref: which run it is.
        :param nodes: the nodes of its workflow.
        :param url: its page in the console.
        :param listed: whether it comes from a list, which may not show nodes.
        """
        steps = (*self._approval(execution), *self._steps(execution, nodes))
        state = self.states.of(execution.status)
        literal = _folded(execution.status)
        if state is RunState.WAITING and literal != WAITS_FOR_APPROVAL and blocking_steps(steps, nodes):
            state = RunState.FAILED
        newest = newest_results(execution)
        return Run(
            ref=ref,
            state=state,
            status=execution.status,
            steps=steps,
            name=nodes.workflow_name,
            url=url,
            started_at=execution.begin_time,
            ended_at=execution.end_time if state.is_terminal else None,
            message=_message(state, steps),
            outputs={
                nodes.info(node_id).name: plain_output(node.output)
                for node_id, node in newest.items()
                if node.output is not None and self.states.of_node(node) is RunState.SUCCEEDED
            },
            has_steps=not listed or execution.execution_result_list is not None,
            held=state is RunState.FAILED and not self.states.is_settled(execution.status),
        )

    def _steps(self, execution: Execution, nodes: WorkflowNodes) -> Iterable[Step]:
        records = Counter(node.node_id for node in execution.execution_result_list or ())
        for node_id, node in newest_results(execution).items():
            state = self.states.of_node(node)
            known = nodes.info(node_id)
            over = state.is_terminal and node.begin_time is not None and node.end_time is not None
            yield Step(
                id=node_id,
                name=known.name,
                state=state,
                status=node.status,
                kind=known.kind,
                attempt=records[node_id],
                started_at=node.begin_time,
                updated_at=node.end_time or node.begin_time,
                duration=_seconds(node) if over else None,
                error=reason_in(node.output) if state is RunState.FAILED else "",
                is_gate=state is RunState.WAITING,
            )

    def _approval(self, execution: Execution) -> Iterable[Step]:
        literal = _folded(execution.status)
        if literal not in (WAITS_FOR_APPROVAL, APPROVAL_REFUSED):
            return
        if any(_folded(node.status) == literal for node in newest_results(execution).values()):
            return
        waits = literal == WAITS_FOR_APPROVAL
        people = ", ".join(execution.approve_user_name_list)
        yield Step(
            id=APPROVAL,
            name=APPROVAL,
            state=self.states.of(execution.status),
            status=execution.status,
            kind=APPROVAL,
            error="" if waits else f"the approval was refused{f' (asked: {people})' if people else ''}",
            is_gate=waits,
        )


def blocking_steps(steps: Iterable[Step], nodes: WorkflowNodes) -> tuple[Step, ...]:
    """The failed nodes that keep a run from going on.

    Others are ignored by their workflow, or were skipped and keep the look of a failure.
    """
    steps = tuple(steps)
    return tuple(
        step
        for step in steps
        if step.state is RunState.FAILED
        and not is_approval(step)
        and not nodes.info(step.id).ignore_error
        and not _is_passed(step, steps, nodes)
    )


def is_approval(step: Step) -> bool:
    """Whether a step stands for an approval that is waited for or was refused, so that no action fits it."""
    return step.id == APPROVAL or _folded(step.status) in (WAITS_FOR_APPROVAL, APPROVAL_REFUSED)


def _is_passed(failed: Step, steps: Iterable[Step], nodes: WorkflowNodes) -> bool:
    """Whether a run has gone on after a failed node: then the next node has begun since.

    If nobody knows which node that is, nodes are taken to come one by one, so that a pause which began later shows it.
    """
    end = failed.updated_at
    if end is None:
        return False
    begun = [(step, step.started_at) for step in steps if step.started_at is not None]
    if nodes.has_order:
        return any(at >= end and nodes.comes_after(step.id, failed.id) for step, at in begun)
    return any(at > end and step.is_gate for step, at in begun)


def newest_results(execution: Execution) -> dict[str, NodeResult]:
    """The newest record of each node, in the order in which the nodes came: a restart may add another one."""
    newest: dict[str, NodeResult] = {}
    for node in execution.execution_result_list or ():
        if node.node_id not in newest or _begun(node) >= _begun(newest[node.node_id]):
            newest[node.node_id] = node
    return newest


def _folded(status: str) -> str:
    return status.strip().lower()


def _begun(node: NodeResult) -> datetime:
    return node.begin_time or datetime.min.replace(tzinfo=UTC)


def _seconds(node: NodeResult) -> float | None:
    if node.begin_time is None or node.end_time is None or node.end_time < node.begin_time:
        return None
    return (node.end_time - node.begin_time).total_seconds()


def _message(state: RunState, steps: Iterable[Step]) -> str:
    if state is RunState.WAITING:
        return "; ".join(f"{step.name}: {step.status}" for step in steps if step.state is RunState.WAITING)
    if state in (RunState.FAILED, RunState.STOPPED):
        failed = (step for step in steps if step.state is RunState.FAILED)
        return "; ".join(f"{step.name}: {step.error or step.status}" for step in failed)
    return ""
