"""Which action fits which node of an execution, as far as the service's documents tell. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.huawei.aom_states import blocking_steps, is_approval
from airflow_provider_mlworkflows.exceptions import BadRequestError, InvalidInputError
from airflow_provider_mlworkflows.runs import RunState

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.aom_graph import WorkflowNodes
    from airflow_provider_mlworkflows.runs import Run, Step

STANDING = frozenset({RunState.FAILED, RunState.WAITING, RunState.UNKNOWN})
"""States of an execution in which its nodes may be acted on. What an unknown one allows, the service decides."""
FITTING = {"restart": RunState.FAILED, "skip": RunState.FAILED, "continue": RunState.WAITING}
"""The state of a node that an action is for."""
NODE_ACTIONS = tuple(FITTING)
CONSOLE = "https://console.huaweicloud.com/aom2/"


def named_step(run: Run, node: str) -> Step:
    """The step of an id, or else of a name.

    :raises InvalidInputError: if the run has come to none.
    """
    steps = {step.name: step for step in run.steps} | {step.id: step for step in run.steps}
    if node not in steps:
        there = ", ".join(step.id if step.name == step.id else f"{step.name} ({step.id})" for step in run.steps)
        raise InvalidInputError(f"Run {run.ref} has come to no node {node!r}. Its nodes are: {there or 'none yet'}.")
    return steps[node]


def check_no_approval(run: Run, step: Step) -> None:
    """Check that a step is no approval.

    :raises InvalidInputError: if it is, because only a person can give one.
    """
    if is_approval(step):
        refused = step.state.is_terminal
        raise InvalidInputError(
            f"Run {run.ref} {'was refused an approval' if refused else 'waits for an approval'}, which the API cannot "
            f"give. {'Start the workflow anew' if refused else 'An approver must approve it'} in the console: "
            f"{run.url or CONSOLE}"
        )


def check_action(run: Run, step: Step, action: str) -> None:
    """Check that an action fits a step of a run, both as they were last seen.

    :raises InvalidInputError: if the step is an approval.
    :raises BadRequestError: if the action does not fit their states; nothing was sent.
    """
    check_no_approval(run, step)
    if run.state not in STANDING:
        raise _misfit(
            f"Run {run.ref} is {run.status}, so {action} on node {step.name} was not sent: nodes are acted on while "
            "the run stands at one of them."
        )
    if step.state not in (FITTING[action], RunState.UNKNOWN):
        raise _misfit(
            f"Node {step.name} of run {run.ref} is {step.status}, so {action} was not sent: restart and skip are for a "
            "failed node, continue is for a pausing one."
        )


def steps_to_restart(run: Run, nodes: WorkflowNodes) -> tuple[Step, ...]:
    """The failed nodes at which a run stands.

    :raises BadRequestError: if there is none.
    """
    failed = blocking_steps(run.steps, nodes) if run.state in STANDING else ()
    if not failed:
        raise _misfit(
            f"Run {run.ref} ({run.status}) cannot be repaired: it stands at no failed node. Start the workflow anew."
        )
    return failed


def _misfit(message: str) -> BadRequestError:
    return BadRequestError(message, operation="StartPausingWorkflowExecutions")
