"""What the nodes of PAIFlow runs have logged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_states import failed_leaves, leaves
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.runs import NewLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from airflow_provider_mlworkflows.clouds.alibaba.paiflow import PaiFlowApi
    from airflow_provider_mlworkflows.clouds.operation import Steps
    from airflow_provider_mlworkflows.runs import Run, RunRef, Step

log = logging.getLogger(__name__)

LOG_LINES = 50
MOST_FAILURES = 3
"""Nodes whose log cannot be read until the others are not asked for, this time: each may take as long as a time-out."""
UNTOLD = (BadRequestError, NotFoundError, PermissionDeniedError, ServerError, UnexpectedReplyError)
"""What comes of asking for something that the service will not or cannot tell. Others may be told all the same."""


class LogReader:
    """Reads the logs of runs' nodes (ListPipelineRunNodeLogs).

    :param api: sends the requests.
    """

    def __init__(self, api: PaiFlowApi) -> None:
        self.api = api
        self._read: set[tuple[str, datetime | None, int, bool]] = set()

    def last_lines(self, run: Run) -> Steps[str]:
        """The last 50 lines of each node that failed by itself, as far as they can be read."""
        parts = []
        for step in failed_leaves(run.steps):
            try:
                newest = yield from self.api.list_pipeline_run_node_logs.steps(
                    run.ref.run_id, step.id, offset=0, page_size=LOG_LINES, reverse=True
                )
            except NotFoundError:
                continue  # it failed before it had written any
            except UNTOLD as error:
                log.warning("The log of step %s could not be read: %s", step.name, error)
                continue
            lines = [line.rstrip() for line in reversed(newest.logs[:LOG_LINES])]
            if lines:
                parts.append("\n".join((f"Last log lines of step {step.name}:", *lines)))
        return "\n".join(parts)

    def new_lines(self, run: Run, cursor: Mapping[str, int]) -> Steps[NewLog]:
        """The lines after a cursor, node after node, as far as they can be read; of earlier attempts first.

        What is over, a node or an earlier attempt of one, is left out once nothing new has come from it, but for a
        last look after the run: lines may show late.
        """
        known = dict(cursor)
        lines: list[tuple[str, str]] = []
        missed: MLWorkflowsError | None = None
        failures = 0
        for step, node_id in _begun_nodes(run):
            offset = known.get(node_id, 0)
            is_newest = node_id == step.id
            # Watchers of one run share a reader, and each may have got to another line.
            end = (node_id, step.updated_at if is_newest else None, offset, run.state.is_terminal)
            if end in self._read:
                continue
            fresh, error = yield from self._since(run.ref, node_id, offset)
            lines += [(step.name, line.rstrip()) for line in fresh]
            if fresh or error is None:
                known[node_id] = offset + len(fresh)
            if error is not None:
                missed, failures = error, failures + 1
                if not isinstance(error, UNTOLD) or failures == MOST_FAILURES:
                    break  # the other nodes would fare no better
            elif not fresh and (step.state.is_terminal or not is_newest):
                self._read.add(end)
        return NewLog(tuple(lines), known, missed)

    def _since(self, ref: RunRef, node_id: str, offset: int) -> Steps[tuple[list[str], MLWorkflowsError | None]]:
        """The lines of a node from one on, and what has kept those after them from being read."""
        lines: list[str] = []
        try:
            yield from self.api.iter_pipeline_run_node_logs.steps_into(lines, ref.run_id, node_id, offset=offset)
        except NotFoundError:
            pass  # it has not written any yet
        except MLWorkflowsError as error:
            return lines, error
        return lines, None


def _begun_nodes(run: Run) -> Iterator[tuple[Step, str]]:
    """What may have logged: each leaf that has begun, with the ids of its attempts, oldest first."""
    for step in leaves(run.steps):
        for node_id in step.earlier_ids:
            yield step, node_id
        if step.started_at is not None:
            yield step, step.id
