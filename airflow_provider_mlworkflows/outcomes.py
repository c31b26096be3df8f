"""How a run that is over is shown: its steps in the log, its facts in XComs, its failure as an error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    MLWorkflowsError,
    RunError,
    RunFailedError,
    RunNotFoundError,
    RunStoppedError,
    RunWaitingError,
    UnknownStatusError,
)
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step
from airflow_provider_mlworkflows.watching import Log, Verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

XCOM_LIMIT = 32 * 1024
"""Characters of JSON that one pushed value may have."""
WORTH_A_NOTE = 400
"""Characters that a value has at least which is left out for a note of less than a hundred."""


def step_table(run: Run) -> str:
    """The steps of a run as a text table."""
    rows = [("step", "status", "kind", "seconds", "error")]
    for step in run.steps:
        seconds = "" if step.duration is None else f"{step.duration:.0f}"
        rows.append((step.name, step.status, step.kind, seconds, step.error))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def run_facts(run: Run) -> dict[str, Any]:
    """A run as plain JSON data."""
    return {
        "workflow_id": run.ref.workflow_id,
        "run_id": run.ref.run_id,
        "name": run.name,
        "state": run.state.value,
        "status": run.status,
        "url": run.url,
        "started_at": run.started_at.isoformat() if run.started_at else None,
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "message": run.message,
    }


def step_facts(step: Step) -> dict[str, Any]:
    """A step as plain JSON data."""
    return {
        "id": step.id,
        "name": step.name,
        "state": step.state.value,
        "status": step.status,
        "kind": step.kind,
        "attempt": step.attempt,
        "duration": step.duration,
        "error": step.error,
    }


def cut_to_limit(value: Any) -> Any:
    """The value if it is small enough for an XCom.

    Otherwise a list ends early, with a note. Of a mapping the largest values are left out, wherever in it they are,
    each with a note in its place; if that does not do, it ends early, too.

    Numbers that JSON has no word for, such as NaN, become texts: Airflow would take none of it.
    """
    value = _writable(value)
    size = _size(value)
    if size <= XCOM_LIMIT:
        return value
    if isinstance(value, list):
        return _cut_list(value)
    return _cut_mapping(value) if isinstance(value, dict) else _left_out(size)


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, default=str))


def _left_out(size: int) -> dict[str, str]:
    return {"truncated": f"left out: {size} characters of JSON, of {XCOM_LIMIT} that all together may have"}


def _cut_mapping(values: dict[Any, Any]) -> dict[Any, Any]:
    for parts in (_leaves, _mappings):
        excess = _size(values) - XCOM_LIMIT
        for size, mapping, key in sorted(parts(values), key=lambda part: part[0], reverse=True):
            if excess <= 0 or size < WORTH_A_NOTE:
                break
            mapping[key] = _left_out(size)
            excess -= size - _size(mapping[key])
    if _size(values) <= XCOM_LIMIT:
        return values
    kept = _cut_list([{key: value} for key, value in values.items()])
    return {key: value for entry in kept for key, value in entry.items()}


_Part = tuple[int, dict[Any, Any], Any]
"""How large a value is, the mapping that it is in, and its key there."""


def _leaves(values: dict[Any, Any]) -> Iterator[_Part]:
    """What is no mapping, in a mapping and in those within it."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        else:
            yield _size(value), values, key


def _mappings(values: dict[Any, Any]) -> Iterator[_Part]:
    """The mappings in a mapping: whole ones have to go if they hold too many small values."""
    return ((_size(value), values, key) for key, value in values.items() if isinstance(value, dict))


def _writable(value: Any) -> Any:
    match value:
        case float() if not isfinite(value):
            return str(value)
        case Mapping():
            return {key: _writable(each) for key, each in value.items()}
        case list() | tuple():
            return [_writable(each) for each in value]
    return value


def _cut_list(values: list[Any]) -> list[Any]:
    kept: list[Any] = []
    size = 200
    for value in values:
        size += _size(value) + 2
        if size > XCOM_LIMIT:
            break
        kept.append(value)
    return [*kept, {"truncated": f"{len(values) - len(kept)} more left out"}]


def publish_outcome(context: Context, log: Log, run: Run, *, outputs: bool = True) -> None:
    """Show a run that is over: its steps as a table in the log, its facts as XComs ``run``, ``steps``, ``outputs``."""
    log.info("Run %s is over: %s.\n%s", run.ref, run.status, step_table(run))
    if run.unread is not None:
        log.warning("Not all of run %s could be read. %s", run.ref, run.unread)
    ti = context["ti"]
    ti.xcom_push(key="run", value=cut_to_limit(run_facts(run)))
    ti.xcom_push(key="steps", value=cut_to_limit([step_facts(step) for step in run.steps]))
    if outputs:
        ti.xcom_push(key="outputs", value=cut_to_limit(dict(run.outputs)))


def unfinished_error(run: Run, verdict: Verdict) -> RunError | None:
    """The error for a run that is not over, if the verdict on it demands one."""
    match verdict:
        case Verdict.UNKNOWN:
            kind: type[RunError] = UnknownStatusError
            story = (
                f"has shown the status {run.status!r} for an hour, which this provider does not know. "
                "It is left as it is"
            )
        case Verdict.WAITING:
            kind = RunWaitingError
            steps = ", ".join(f"{step.name} ({step.status})" for step in run.waiting_steps) or run.status
            story = f"waits for a person at {steps}. It is left as it is"
        case _:
            return None
    return kind(f"Run {run.ref} {story}; see {run.url}", ref=run.ref, url=run.url)


def gone_error(ref: RunRef, message: str) -> RunNotFoundError:
    """The error for a run that does not exist."""
    return RunNotFoundError(f"Run {ref} does not exist (any more). {message}", ref=ref)


def lost_error(ref: RunRef, verdict: Verdict | None, message: str) -> MLWorkflowsError | None:
    """The error for a run that could not be read to its end, if that is the verdict."""
    match verdict:
        case Verdict.GONE:
            return gone_error(ref, message)
        case Verdict.REFUSED | Verdict.ERROR:
            kind = AuthenticationError if verdict is Verdict.REFUSED else MLWorkflowsError
            return kind(f"Run {ref} could not be read any more; it may go on. {message}")
        case _:
            return None


def run_error(run: Run, *, service: str, details: str = "") -> RunError | None:
    """The error for a run that is over; None if it succeeded.

    :param service: name of the service, for the message.
    :param details: more to tell, e.g. the last log lines of the failed step.
    """
    match run.state:
        case RunState.SUCCEEDED:
            return None
        case RunState.STOPPED:
            kind: type[RunError] = RunStoppedError
            story = "was stopped, and not by this attempt of the task"
        case RunState.SKIPPED:
            kind = RunFailedError
            story = "was skipped as a whole"
        case _:
            kind = RunFailedError
            story = f"failed{_reasons(run.failed_steps)}"
    lines = [f"{service} run {run.ref} {story} (status {run.status})."]
    if run.message and not run.failed_steps:
        lines.append(f"It says: {run.message}")
    if run.url:
        lines.append(f"See {run.url}")
    if details:
        lines.append(details)
    return kind("\n".join(lines), ref=run.ref, url=run.url, failed_steps=tuple(step.name for step in run.failed_steps))


def step_error(run: Run, step: Step, *, service: str) -> RunError | None:
    """The error for a step that is over; None if it succeeded or was skipped."""
    if step.state in (RunState.SUCCEEDED, RunState.SKIPPED):
        return None
    kind = RunStoppedError if step.state is RunState.STOPPED else RunFailedError
    reason = f": {step.error}" if step.error else ""
    return kind(
        f"Step {step.name} of {service} run {run.ref} is {step.status}{reason}. See {run.url}",
        ref=run.ref,
        url=run.url,
        failed_steps=(step.name,),
    )


def _reasons(steps: Iterable[Step]) -> str:
    reasons = "; ".join(f"{step.name}: {step.error or step.status}" for step in steps)
    return f" at {reasons}" if reasons else ""
