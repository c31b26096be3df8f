"""Reading many executions of AOM automation with few requests."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.aom_models import decoded
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.hooks.lists import ListedRuns, Reading, WorkflowLists, by_workflow, shown_in

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

    def __init__(self) -> None:
        super().__init__()
        self._remembered = ListedRuns()

    def read(
        self,
        refs: Sequence[RunRef],
        list_items: Callable[[str], Steps[list[Any]]],
        run_of: Callable[[RunRef, Any], Run],
    ) -> Steps[dict[RunRef, Reading]]:
        """Those of the executions that lists show, and errors of lists for all that they concern.

        :param refs: the executions.
        :param list_items: reads the list of a workflow, as decoded JSON.
        :param run_of: reads an item of it.
        """
        readings: dict[RunRef, Reading] = {}
        for group in by_workflow(refs):
            if self._is_list_cheaper(group):
                readings |= yield from self._listed(group, list_items, run_of)
        return readings

    def _listed(
        self,
        group: Sequence[RunRef],
        list_items: Callable[[str], Steps[list[Any]]],
        run_of: Callable[[RunRef, Any], Run],
    ) -> Steps[dict[RunRef, Reading]]:
        workflow_id = group[0].workflow_id
        try:
            listed = yield from list_items(workflow_id)
        except (BadRequestError, NotFoundError, PermissionDeniedError, UnexpectedReplyError) as error:
            # Reading them one by one tells whom that concerns.
            log.warning("Executions of %s cannot be listed, so each is read by itself. %s", workflow_id, error)
            self._costs[workflow_id] = math.inf
            return {}
        except MLWorkflowsError as error:
            return dict.fromkeys(group, error)
        wanted = {ref.run_id: ref for ref in group}
        items = (decoded(item) if isinstance(item, str) else item for item in listed)
        found = self._remembered.read(shown_in(items, "execution_id", wanted), run_of)
        missing = len(wanted) - len(found)
        self._costs[workflow_id] = 1 + len(listed) // WEIGHT + missing
        return dict(found)
