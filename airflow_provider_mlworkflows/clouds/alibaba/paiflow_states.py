"""What the statuses of PAIFlow mean, and its runs and nodes in the words of every service."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_nodes import PATH_SEPARATOR, PlacedNode
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_mlworkflows.clouds.alibaba.paiflow_models import Node, NodeOutput, PipelineRun, RunGlance
    from airflow_provider_mlworkflows.exceptions import MLWorkflowsError

INITIAL_STATUS = "Initialized"
"""Of a run that was created and not started yet."""
SUSPENDED_STATUS = "Suspended"
START_PATIENCE = 60.0
"""Seconds after which a run that has not started counts as waiting for somebody to start it."""
START_GATE = "start"
"""Name of the step that stands for starting a run by hand."""
METRIC_TYPES = frozenset({"Metrics", "ModelEvaluation"})

_COMMON: Mapping[str, RunState] = {
    "readytoschedule": RunState.ACTIVE,
    "starting": RunState.ACTIVE,
    "workflowservicestarting": RunState.ACTIVE,
    "running": RunState.ACTIVE,
    "terminating": RunState.STOPPING,
    "succeeded": RunState.SUCCEEDED,
    "succeed": RunState.SUCCEEDED,
    "failed": RunState.FAILED,
    # Nothing in the service resumes it.
    "suspended": RunState.FAILED,
    "terminated": RunState.STOPPED,
    "skipped": RunState.SKIPPED,
    "unknown": RunState.UNKNOWN,
}
RUN_STATES: Mapping[str, RunState] = {**_COMMON, "initialized": RunState.ACTIVE, "init": RunState.ACTIVE}
"""States of runs, by their status in lower case. An initialized run waits if it does so for long."""
NODE_STATES: Mapping[str, RunState] = {**RUN_STATES, "": RunState.ACTIVE}
"""States of nodes. A node that has not begun may show no status."""

SUSPENDED_ADVICE = (
    "The run is suspended, and the service offers no way to resume it: rerun it, terminate it, or see to it in the "
    "console."
)


def run_state(status: str, *, waited: float | None = None) -> RunState:
    """What a run's status means; UNKNOWN for a literal nobody documented.

    :param waited: seconds since its creation, None if unknown.
    """
    if is_initialized(status) and waited is not None and waited > START_PATIENCE:
        return RunState.WAITING
    return RUN_STATES.get(_literal(status), RunState.UNKNOWN)


def node_state(status: str) -> RunState:
    """What a node's status means; UNKNOWN for a literal nobody documented."""
    return NODE_STATES.get(_literal(status), RunState.UNKNOWN)


def is_initialized(status: str) -> bool:
    """Whether a run was created and not started yet."""
    return _literal(status) in {"initialized", "init"}


def is_suspended(status: str) -> bool:
    """Whether a run stands still without being over: the service keeps it until somebody reruns or terminates it."""
    return _literal(status) == SUSPENDED_STATUS.lower()


def run_of(
    run: PipelineRun,
    nodes: Iterable[PlacedNode] | None,
    *,
    ref: RunRef,
    url: str = "",
    now: float,
    outputs: Mapping[str, object] | None = None,
    unread: MLWorkflowsError | None = None,
) -> Run:
    """A run in the words of every service.

    :param run: as the service showed it.
    :param nodes: all nodes below its root, None if they were not read.
    :param ref: what the run is called here.
    :param url: its page in the console, if the service does not name it.
    :param now: seconds since the epoch.
    :param outputs: what it has put out.
    :param unread: what has kept its nodes or outputs from being read.
    """
    waited = None if run.gmt_create_time is None else now - run.gmt_create_time.timestamp()
    state = run_state(run.status, waited=waited)
    message = _message(run)
    steps = _with_reason(steps_of(nodes or ()), message)
    if state is RunState.WAITING:
        steps = (start_gate(run.status, run.gmt_create_time), *steps)
    return Run(
        ref=ref,
        state=state,
        status=run.status,
        steps=steps,
        name=run.name,
        url=run.pipeline_run_uri or url,
        started_at=run.started_at or run.gmt_create_time,
        ended_at=run.finished_at if state.is_terminal else None,
        message=message,
        outputs=outputs or {},
        has_steps=nodes is not None,
        held=is_suspended(run.status),
        unread=unread,
    )


def glance_of(glance: RunGlance, *, ref: RunRef, url: str, now: float, created: float | None) -> Run:
    """A run as the batch read shows it, in the words of every service.

    :param created: when it was created, in seconds since the epoch; None if unknown.
    """
    status = glance.status or ""
    state = run_state(status, waited=None if created is None else now - created)
    return Run(
        ref=ref,
        state=state,
        status=status,
        name=glance.name or "",
        url=url,
        has_steps=False,
        held=is_suspended(status),
    )


def start_gate(status: str, created_at: datetime | None = None) -> Step:
    """The step that stands for starting a run by hand: a gate that starting the run passes."""
    return Step(START_GATE, START_GATE, RunState.WAITING, status, "Gate", updated_at=created_at, is_gate=True)


def steps_of(nodes: Iterable[PlacedNode]) -> tuple[Step, ...]:
    """Nodes in the words of every service, each path once: records of one path are attempts, the newest counts."""
    attempts: dict[str, list[Node]] = {}
    for placed in nodes:
        attempts.setdefault(placed.path, []).append(placed.node)
    return tuple(_newest(path, group) for path, group in attempts.items())


def _newest(path: str, attempts: Sequence[Node]) -> Step:
    newest = max(attempts, key=_begun)
    if len(attempts) == 1:
        return step_of(path, newest)
    # A record that has not begun is no earlier attempt, and has no log.
    begun = [node for node in sorted(attempts, key=_begun) if node is not newest and node.status_info.started_at]
    earlier = dict.fromkeys(node.metadata.node_id for node in begun)
    earlier_ids = tuple(each for each in earlier if each not in ("", newest.metadata.node_id))
    return step_of(path, newest, attempt=len(attempts), earlier_ids=earlier_ids)


def step_of(path: str, node: Node, *, attempt: int = 1, earlier_ids: tuple[str, ...] = ()) -> Step:
    """A node in the words of every service; a nested one is named by its path, and by its own name for short."""
    info = node.status_info
    state = node_state(info.status)
    started, finished = info.started_at, info.finished_at
    # The rounds of a loop may all have one name, which their paths number.
    own_names = {path.rpartition(PATH_SEPARATOR)[2], node.metadata.name} - {path, ""}
    return Step(
        id=node.metadata.node_id or path,
        name=path,
        state=state,
        status=info.status or "ReadyToSchedule",
        kind=node.metadata.node_type,
        attempt=attempt,
        started_at=started,
        updated_at=finished or started,
        duration=(finished - started).total_seconds() if started and finished else None,
        error=_node_error(node) if state is RunState.FAILED else "",
        short_names=tuple(sorted(own_names)),
        earlier_ids=earlier_ids,
    )


def outputs_by_step(outputs: Iterable[NodeOutput], steps: Iterable[Step]) -> dict[str, dict[str, Any]]:
    """Outputs as ``{step: {output: {"type", "value", "metadata"}}}``; each part of a spread output by its index."""
    names = {step.id: step.name for step in steps}
    found: dict[str, dict[str, Any]] = {}
    for output in sorted(outputs, key=lambda each: each.expanded_artifact_index or 0):
        of_step = found.setdefault(names.get(output.node_id, output.node_id), {})
        name = own = output.name or output.id
        number = output.expanded_artifact_index or 0
        while name in of_step:
            name, number = f"{own}[{number}]", number + 1
        of_step[name] = {"type": output.type, "value": output.info.value, "metadata": output.info.metadata}
    return found


def failed_leaves(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The failed steps that failed by themselves, not because of a step within them."""
    return leaves([step for step in steps if step.state is RunState.FAILED])


def leaves(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that none of the others is within."""
    parents: set[str] = set()
    for step in steps:
        parent = step.name.rpartition(PATH_SEPARATOR)[0]
        while parent and parent not in parents:
            parents.add(parent)
            parent = parent.rpartition(PATH_SEPARATOR)[0]
    return tuple(step for step in steps if step.name not in parents)


@lru_cache
def _literal(status: str) -> str:
    return status.strip().lower()


def _begun(node: Node) -> datetime:
    return node.status_info.started_at or datetime.min.replace(tzinfo=UTC)


def _node_error(node: Node) -> str:
    info = node.status_info
    texts = [info.message, *(str(each.get("Message") or "") for each in info.conditions)]
    return next(filter(None, texts), "")


def _with_reason(steps: tuple[Step, ...], message: str) -> tuple[Step, ...]:
    """The steps, the run's message given to those it is about: nodes do not say themselves why they failed."""
    silent = [step for step in failed_leaves(steps) if not step.error]
    words = set(re.findall(r"[\w.\[\]-]+", message))
    named = [step for step in silent if step.name.rpartition(PATH_SEPARATOR)[2] in words]
    about = {step.id for step in named or silent[:1]}
    return tuple(replace(step, error=message) if step.id in about else step for step in steps)


def _message(run: PipelineRun) -> str:
    if is_suspended(run.status):
        return " ".join(filter(None, (run.message, SUSPENDED_ADVICE)))
    return run.message
