"""What the statuses of ModelArts mean, and executions in the words of every service."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import (
        Duration,
        Execution,
        StepExecution,
        WorkflowTodo,
    )

INITIAL_STATUS = "init"
"""Stands for an absent status: the service leaves it out right after creation."""

GATE_STATUS = "hold"
"""A step that a person holds, such as for labelling; the other kind of waiting is for inputs."""

STEP_STATES: Mapping[str, RunState] = {
    "init": RunState.ACTIVE,
    "pending": RunState.ACTIVE,
    "creating": RunState.ACTIVE,
    "created": RunState.ACTIVE,
    "running": RunState.ACTIVE,
    "stopping": RunState.STOPPING,
    "wait_inputs": RunState.WAITING,
    "hold": RunState.WAITING,
    "completed": RunState.SUCCEEDED,
    "failed": RunState.FAILED,
    "create_failed": RunState.FAILED,
    "timeout": RunState.FAILED,
    "stopped": RunState.STOPPED,
    "skipped": RunState.SKIPPED,
}

EXECUTION_STATES: Mapping[str, RunState] = {
    # The service offers the words for steps as filters for executions too, so they may turn up there.
    **STEP_STATES,
    "abnormal": RunState.FAILED,
}

_PROGRESSING = frozenset({"pending", "creating", "created", "running", "stopping"})
_CHANGE = re.compile(r"(?:\bstep (?P<step>.+?) )?change status from (?P<old>\w+) to (?P<new>\w+)")


def execution_state(status: str | None) -> RunState:
    """What an execution's status means; UNKNOWN for a literal nobody documented."""
    return EXECUTION_STATES.get(_literal(status), RunState.UNKNOWN)


def step_state(status: str | None) -> RunState:
    """What a step's status means; UNKNOWN for a literal nobody documented."""
    return STEP_STATES.get(_literal(status), RunState.UNKNOWN)


def step_of(step: StepExecution) -> Step:
    """A step in the words of every service. Its attempt is 1 plus the restarts that its events tell of."""
    state = step_state(step.status)
    return Step(
        id=step.uuid or step.step_uuid,
        name=step.step_name,
        state=state,
        status=step.status or INITIAL_STATUS,
        kind=step.type,
        attempt=1 + _restarts(step.events),
        started_at=step.created_at,
        updated_at=step.updated_at,
        duration=_seconds(step.duration),
        error=_error(step) if state is RunState.FAILED else "",
        is_gate=_literal(step.status) == GATE_STATUS,
    )


def waiting_step(todo: WorkflowTodo) -> Step:
    """A step as the todo list shows it, which does not tell its id."""
    return Step(
        id="",
        name=todo.step_name,
        state=RunState.WAITING,
        status=todo.status,
        is_gate=_literal(todo.status) == GATE_STATUS,
    )


def run_of(execution: Execution, *, console_url: str = "", workflow_id: str = "") -> Run:
    """An execution in the words of every service.

    The service calls an execution ``running`` also while it waits for a person. Here it is WAITING as soon as
    one of its steps waits and none makes progress; a step that has not begun makes none, since it may depend
    on the waiting one. While another branch still runs, the run is ACTIVE and ``waiting_steps`` tells what it
    will need, so that a watcher may answer early but does not give up on work that goes on. Likewise it is
    STOPPING while the only steps that go on are stopping.

    :param execution: as the service showed it.
    :param console_url: the execution's page in the console.
    :param workflow_id: used if the execution does not name its workflow.
    """
    newest = _newest_by_name(execution.steps_execution)
    steps = tuple(replace(step_of(step), attempt=_attempts(name, execution)) for name, step in newest.items())
    state = execution_state(execution.status)
    if state is RunState.ACTIVE and steps:
        state = _state_of_steps(steps)
    return Run(
        ref=RunRef(execution.workflow_id or workflow_id, execution.execution_id),
        state=state,
        status=execution.status or INITIAL_STATUS,
        steps=steps,
        name=execution.name,
        url=console_url,
        started_at=execution.created_at,
        ended_at=_ended_at(execution, steps) if state.is_terminal else None,
        message=_message(state, steps),
        outputs={
            name: {output.name: output.config for output in step.outputs}
            for name, step in newest.items()
            if step.outputs and step_state(step.status) is RunState.SUCCEEDED
        },
        has_steps=bool(steps),
    )


@lru_cache
def _literal(status: str | None) -> str:
    return (status or INITIAL_STATUS).strip().lower()


def _state_of_steps(steps: Sequence[Step]) -> RunState:
    """What an execution that goes on does, by its steps."""
    if _is_held_up(steps):
        return RunState.WAITING
    return RunState.STOPPING if _is_stopping(steps) else RunState.ACTIVE


def _is_held_up(steps: Sequence[Step]) -> bool:
    waits = any(step.state is RunState.WAITING for step in steps)
    return waits and not any(_literal(step.status) in _PROGRESSING for step in steps)


def _is_stopping(steps: Sequence[Step]) -> bool:
    unfinished = [step for step in steps if not step.state.is_terminal and _literal(step.status) != INITIAL_STATUS]
    return bool(unfinished) and all(step.state is RunState.STOPPING for step in unfinished)


def _newest_by_name(steps: Iterable[StepExecution]) -> dict[str, StepExecution]:
    newest: dict[str, StepExecution] = {}
    for step in steps:
        name = step.step_name or step.uuid
        if name not in newest or _begun(step) >= _begun(newest[name]):
            newest[name] = step
    return newest


def _begun(step: StepExecution) -> datetime:
    return step.created_at or datetime.min.replace(tzinfo=UTC)


def _attempts(name: str, execution: Execution) -> int:
    """How often a step has begun: a retry may reuse its record or add another one of the same name."""
    records = [step for step in execution.steps_execution if (step.step_name or step.uuid) == name]
    by_records = sum(1 + _restarts(step.events) for step in records)
    return max(by_records, 1 + _restarts(execution.events, name))


def _restarts(events: Iterable[str], name: str | None = None) -> int:
    changes = filter(None, map(_CHANGE.search, events))
    return sum(
        step_state(change["old"]).is_terminal and not step_state(change["new"]).is_terminal
        for change in changes
        if name is None or change["step"] == name
    )


def _error(step: StepExecution) -> str:
    if step.error_info is None:
        return ""
    return ": ".join(filter(None, (step.error_info.error_code, step.error_info.error_message)))


def _message(state: RunState, steps: Iterable[Step]) -> str:
    if state is RunState.WAITING:
        return "; ".join(f"{step.name}: {step.status}" for step in steps if step.state is RunState.WAITING)
    if state in {RunState.FAILED, RunState.STOPPED}:
        failed = (step for step in steps if step.state is RunState.FAILED)
        return "; ".join(f"{step.name}: {step.error or step.status}" for step in failed)
    return ""


def _ended_at(execution: Execution, steps: Iterable[Step]) -> datetime | None:
    duration = _seconds(execution.duration)
    if execution.created_at is not None and duration is not None:
        return execution.created_at + timedelta(seconds=duration)
    return max((step.updated_at for step in steps if step.updated_at is not None), default=None)


def _seconds(duration: Duration) -> float | None:
    try:
        return float(duration) if duration is not None else None
    except ValueError:
        return None
