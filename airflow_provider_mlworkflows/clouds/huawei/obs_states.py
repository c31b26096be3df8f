"""What the states of data workflows mean, and their executions in the words of every service."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.obs_models import ExecutionInfo
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.obs_models import Execution, StateInfo

INITIAL_STATE = "RUNNING"
"""Of an execution that was just started; the answer to the start does not say."""
END_TYPE = "END"
NOT_BEGUN = "NOTRUNNING"
"""Of a state that was not entered yet, or never will be."""

EXECUTION_STATES: Mapping[str, RunState] = {
    "running": RunState.ACTIVE,
    "success": RunState.SUCCEEDED,
    "failed": RunState.FAILED,
    # The words of the service's successor, which answers at the same place.
    "fail": RunState.FAILED,
    "timeout": RunState.FAILED,
    "cancel": RunState.STOPPED,
}
STATE_STATES: Mapping[str, RunState] = {
    "notrunning": RunState.ACTIVE,
    "running": RunState.ACTIVE,
    "success": RunState.SUCCEEDED,
    "failed": RunState.FAILED,
}

_ERROR_FIELDS = (("error_code", "error_message"), ("errorCode", "errorMessage"), ("code", "message"))


def execution_state(literal: str) -> RunState:
    """What an execution's state means; UNKNOWN for a literal nobody documented."""
    return EXECUTION_STATES.get(literal.strip().lower(), RunState.UNKNOWN)


def state_state(status: str) -> RunState:
    """What the status of a state means; UNKNOWN for a literal nobody documented.

    A state that has not begun waits for nobody: it is as active as the execution that may come to it.
    """
    return STATE_STATES.get((status or NOT_BEGUN).strip().lower(), RunState.UNKNOWN)


def run_of(execution: Execution, *, ref: RunRef, url: str = "") -> Run:
    """An execution in the words of every service.

    :param execution: as the service showed it, from a list without its states.
    :param ref: what the run is called here.
    :param url: its page in the console.
    """
    state = execution_state(execution.execution_state)
    info = execution if isinstance(execution, ExecutionInfo) else None
    steps = steps_of(info) if info else ()
    return Run(
        ref=ref,
        state=state,
        status=execution.execution_state,
        steps=steps,
        name=execution.execution_name,
        url=url,
        started_at=execution.started_at,
        ended_at=execution.stopped_at if state.is_terminal else None,
        message=_message(info, steps) if info and state is RunState.FAILED else "",
        outputs={each.name: info.state_map[each.id].output for each in steps if info and _has_output(info, each)},
        has_steps=info is not None,
    )


def steps_of(execution: ExecutionInfo) -> tuple[Step, ...]:
    """The states of an execution: the first one, those entered after it by their time, and those not entered.

    Left out is the end, which does nothing. States follow one another, so where one does not tell its end, the next
    one's beginning does.
    """
    order = {name: position for position, name in enumerate(execution.state_map)}
    states = sorted(
        execution.state_map.items(),
        key=lambda item: (
            item[0] != execution.start_state,
            item[1].started_at is None,
            item[1].started_at or datetime.max.replace(tzinfo=UTC),
            order[item[0]],
        ),
    )
    begun = [info.started_at for _, info in states if info.started_at is not None]
    ends = (*begun[1:], execution.stopped_at)
    return tuple(
        step_of(name, info, ended_at=ends[place] if place < len(begun) else None)
        for place, (name, info) in enumerate(states)
        if info.type.upper() != END_TYPE
    )


def step_of(name: str, info: StateInfo, *, ended_at: datetime | None = None) -> Step:
    """A state in the words of every service. How often it was entered, the service does not tell.

    :param ended_at: when it was over, if it is and does not tell itself.
    """
    state = state_state(info.status)
    started, stopped = info.started_at, info.stopped_at or (ended_at if state.is_terminal else None)
    return Step(
        id=name,
        name=name,
        state=state,
        status=info.status or NOT_BEGUN,
        kind=info.type,
        started_at=started,
        updated_at=stopped or started,
        duration=(stopped - started).total_seconds() if started and stopped else None,
        error=_error(info.error) if state is RunState.FAILED else "",
    )


def holds(value: object, name: str, wanted: object) -> bool:
    """Whether a decoded input has a field with this value, at whatever depth the service has put it."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            if name in value and value[name] == wanted:
                return True
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return False


def may_stem_from(given: Mapping[str, Any] | None, *, bucket: str, object_key: str, inputs: Mapping[str, Any]) -> bool:
    """Whether an execution with this decoded input may be one that was started for an object with inputs.

    What the service shows in a form that nobody has documented is no reason to say no.
    """
    if given is None:
        return True
    if "inputs" in given and (given["inputs"] or {}) != inputs:
        return False
    place = _place(given)
    return place is None or place == (bucket, object_key.lstrip("/"))


def _place(given: Mapping[str, Any]) -> tuple[str, str] | None:
    """Bucket and object that an input names, in the form of a request or of an event; None if in another."""
    try:
        if "object" in given:
            return given["bucket"], given["object"].lstrip("/")
        place = given["Records"][0]["obs"]
        return place["bucket"]["name"], place["object"]["key"].lstrip("/")
    except (KeyError, IndexError, TypeError, AttributeError):
        return None


def _has_output(execution: ExecutionInfo, step: Step) -> bool:
    return step.state is RunState.SUCCEEDED and execution.state_map[step.id].output not in (None, "")


def _message(execution: ExecutionInfo, steps: tuple[Step, ...]) -> str:
    failed = "; ".join(f"{step.name}: {step.error or step.status}" for step in steps if step.state is RunState.FAILED)
    return "; ".join(filter(None, (_error(execution.error), failed)))


def _error(error: Any) -> str:
    """A reason in any form; none is documented, so there may be none."""
    if isinstance(error, Mapping):
        for names in _ERROR_FIELDS:
            told = [str(error[name]) for name in names if error.get(name)]
            if told:
                return ": ".join(told)
    if error in (None, "", {}, []):
        return ""
    return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False, default=str)
