"""How a run that is over is shown: its steps in the log, its facts in XComs, its failure as an error."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from airflow_provider_mlworkflows.exceptions import RunError, RunFailedError, RunStoppedError
from airflow_provider_mlworkflows.runs import Run, RunState, Step

XCOM_LIMIT = 32 * 1024
"""Characters of JSON that one pushed value may have."""


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
    """The value if it is small enough for an XCom, otherwise a note in its place or at its end."""
    if len(json.dumps(value, ensure_ascii=False, default=str)) <= XCOM_LIMIT:
        return value
    if isinstance(value, list):
        return _cut_list(value)
    return {"truncated": f"left out, because it is larger than {XCOM_LIMIT} characters of JSON"}


def _cut_list(values: list[Any]) -> list[Any]:
    kept: list[Any] = []
    size = 200
    for value in values:
        size += len(json.dumps(value, ensure_ascii=False, default=str)) + 2
        if size > XCOM_LIMIT:
            break
        kept.append(value)
    return [*kept, {"truncated": f"{len(values) - len(kept)} more left out"}]


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
            story = "was stopped, and not by this task"
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


def _reasons(steps: Iterable[Step]) -> str:
    reasons = "; ".join(f"{step.name}: {step.error or step.status}" for step in steps)
    return f" at {reasons}" if reasons else ""
