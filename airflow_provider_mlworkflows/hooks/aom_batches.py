"""Reading many executions of AOM automation with few requests."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
)
from airflow_provider_mlworkflows.hooks.lists import Reading, WorkflowLists, by_workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.clouds.operation import Steps
    from airflow_provider_mlworkflows.runs import Run, RunRef

log = logging.getLogger(__name__)

WEIGHT = 100
"""So many executions in a list cost as much as one request."""


class ListReader(WorkflowLists):
    """Reads executions from their workflow's list where that costs less than to read each, and learns what it costs.

    A list has no pages: it holds every execution there ever was, each with its nodes. How many that are is not known
    before it was read; until then they are hoped to be few.
    """

    def read(
        self, refs: Sequence[RunRef], list_runs: Callable[[str], Steps[list[Run]]]
    ) -> Steps[dict[RunRef, Reading]]:
        """Those of the executions that lists show, and errors of lists for all that they concern.

        :param refs: the executions.
        :param list_runs: reads the list of a workflow.
        """
        readings: dict[RunRef, Reading] = {}
        for group in by_workflow(refs):
            if self._is_list_cheaper(group):
                readings |= yield from self._listed(group, list_runs)
        return readings

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
