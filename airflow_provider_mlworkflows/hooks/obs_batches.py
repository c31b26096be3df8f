"""Reading many executions of data workflows with few requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.obs_models import Execution, UnreadExecutionPage
from airflow_provider_mlworkflows.clouds.huawei.obs_requests import PAGE_SIZE, marker_after
from airflow_provider_mlworkflows.exceptions import MLWorkflowsError, NotFoundError
from airflow_provider_mlworkflows.hooks.lists import ListedRuns, Reading, WorkflowLists, by_workflow, shown_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.clouds.huawei.obs import ObsWorkflowApi
    from airflow_provider_mlworkflows.clouds.operation import Steps
    from airflow_provider_mlworkflows.runs import Run, RunRef


class ListReader(WorkflowLists):
    """Reads executions from their workflow's list where that takes fewer requests, and learns how many it takes.

    A list holds every execution there ever was, in no order of time, so its length decides. It is not known before
    it was read; until then a single page is hoped for, and no more pages are read than single reads would cost.
    """

    def __init__(self) -> None:
        super().__init__()
        self._remembered = ListedRuns()

    def read(
        self, api: ObsWorkflowApi, refs: Sequence[RunRef], run_of: Callable[[Execution, RunRef], Run]
    ) -> Steps[dict[RunRef, Reading]]:
        """Those of the executions that lists show, and errors of lists for all that they concern.

        :param api: declares the requests.
        :param refs: the executions.
        :param run_of: an execution of a list in the words of every service.
        """
        readings: dict[RunRef, Reading] = {}
        for group in by_workflow(refs):
            if self._is_list_cheaper(group):
                try:
                    found = yield from self._listed(api, {ref.run_id: ref for ref in group})
                    readings |= self._remembered.read(
                        found, lambda ref, item: run_of(Execution.model_validate(item), ref)
                    )
                except NotFoundError:
                    continue  # reading them one by one tells what is missing
                except MLWorkflowsError as error:
                    readings |= dict.fromkeys(group, error)
        return readings

    def _listed(self, api: ObsWorkflowApi, wanted: dict[str, RunRef]) -> Steps[dict[RunRef, Any]]:
        workflow_id = next(iter(wanted.values())).workflow_id
        found: dict[RunRef, Any] = {}
        marker: str | None = None
        pages = 0
        while len(found) < len(wanted):
            pages += 1
            if pages > len(wanted):
                break
            listing = api.list_executions.steps(workflow_id, next_marker=marker, limit=PAGE_SIZE)
            page = yield from next(listing).read_as(UnreadExecutionPage)
            found |= shown_in(page.executions, "execution_name", wanted)
            marker = marker_after(page, marker)
            if marker is None:
                break
        self._costs[workflow_id] = pages
        return found
