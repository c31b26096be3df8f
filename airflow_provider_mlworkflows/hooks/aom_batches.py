"""Reading many executions of AOM automation with few requests."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
)
from airflow_provider_mlworkflows.runs import Run, RunRef

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import Steps

log = logging.getLogger(__name__)

WEIGHT = 100
"""So many executions in a list cost as much as one request."""

Reading = Run | MLWorkflowsError


class ListReader:
    """Reads executions from their workflow's list where that costs less than to read each, and learns what it costs.

    A list has no pages: it holds every execution there ever was, each with its nodes. How many that are is not known
    before it was read; until then they are hoped to be few.
    """

    def __init__(self) -> None:
        self._costs: dict[str, float] = {}

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """Divide refs: those of one workflow together if its list is worth reading, else each by itself."""
        batches: list[Sequence[RunRef]] = []
        for group in _by_workflow(refs):
            batches += [group] if self._is_list_cheaper(group) else [[ref] for ref in group]
        return batches

    def read(
        self, refs: Sequence[RunRef], list_runs: Callable[[str], Steps[list[Run]]]
    ) -> Steps[dict[RunRef, Reading]]:
        """Those of the executions that lists show, and errors of lists for all that they concern.

        :param refs: the executions.
        :param list_runs: reads the list of a workflow.
        """
        readings: dict[RunRef, Reading] = {}
        for group in _by_workflow(refs):
            if self._is_list_cheaper(group):
                readings |= yield from self._listed(group, list_runs)
        return readings

    def _is_list_cheaper(self, group: Sequence[RunRef]) -> bool:
        return self._costs.get(group[0].workflow_id, 1) < len(group)

    def _listed(
        self, group: Sequence[RunRef], list_runs: Callable[[str], Steps[list[Run]]]
    ) -> Steps[dict[RunRef, Reading]]:
        workflow_id = group[0].workflow_id
        try:
            listed = yield from list_runs(workflow_id)
        except (BadRequestError, NotFoundError, PermissionDeniedError) as error:
            # Reading them one by one tells whom that concerns.
            log.warning("Executions of %s cannot be listed, so each is read by itself. %s", workflow_id, error)
            self._costs[workflow_id] = math.inf
            return {}
        except MLWorkflowsError as error:
            return dict.fromkeys(group, error)
        wanted = set(group)
        found: dict[RunRef, Reading] = {run.ref: run for run in listed if run.ref in wanted}
        missing = len(wanted) - len(found)
        self._costs[workflow_id] = 1 + len(listed) // WEIGHT + missing
        return found


def _by_workflow(refs: Sequence[RunRef]) -> list[list[RunRef]]:
    groups: dict[str, list[RunRef]] = {}
    for ref in dict.fromkeys(refs):
        groups.setdefault(ref.workflow_id, []).append(ref)
    return list(groups.values())
