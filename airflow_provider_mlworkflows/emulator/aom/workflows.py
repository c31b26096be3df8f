"""Operations on workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.aom import schema
from airflow_provider_mlworkflows.emulator.aom.views import ENTERPRISE_PROJECT, workflow_status, workflow_view
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.aom.lookup import Lookup
    from airflow_provider_mlworkflows.emulator.aom.machine import Execution, ExecutionState
    from airflow_provider_mlworkflows.emulator.aom.store import Workflow

CMS = "/v1/{project_id}/cms"
WORKFLOW = CMS + "/workflow/{workflow_id}"


class WorkflowRoutes:
    """Handlers of workflows."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store
        self._switches = lookup.switches

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        trigger = WORKFLOW + "/trigger/action"
        return [
            Operation("CreateWorkflow", "POST", CMS + "/workflow", self.create, "cms:workflow:create"),
            Operation("ListWorkflow", "POST", CMS + "/workflow-list", self.list, "cms:workflow:list"),
            Operation("UpdateWorkflowTriggerStatus", "PUT", trigger, self.switch_trigger, "cms:workflow:update"),
        ]

    def create(self, call: Call) -> Answer:
        """Create a workflow from a template."""
        body = self._lookup.body(call, schema.WORKFLOW)
        project_id = call.ids["project_id"]
        template = self._store.templates.get(body["template_id"])
        if template is None or not template.definition.is_seen_in(project_id):
            self._lookup.refuse(f"the project has no template with the id {body['template_id']}")
        try:
            workflow = self._store.create_workflow(body, project_id=project_id, created_by=self._lookup.user_of(call))
        except ValueError as error:
            self._lookup.refuse(str(error))
        call.effective = True
        call.ids["workflow_id"] = workflow.workflow_id
        return self._lookup.answer(self._view(workflow))

    def list(self, call: Call) -> Answer:
        """Return a page of workflows."""
        query = self._lookup.body(call, schema.WORKFLOW_QUERY)
        first = self._switches.aom_first_page
        index = query.get("page", first) - first
        if index < 0:
            self._lookup.refuse(f"page must be at least {first}")
        found = [each for each in self._store.workflows.values() if each.project_id == call.ids["project_id"]]
        rows = [self._view(each) for each in found if query.get("status") in (None, self._status(each))]
        rows = [row for row in rows if _matches(row, query)]
        rows.sort(key=lambda row: row[query["sort_field"]] or 0)
        if query["sort_type"] == "DESC":
            rows.reverse()
        return self._lookup.page(rows, index, query.get("size", self._switches.default_limit))

    def switch_trigger(self, call: Call) -> Answer:
        """Switch a workflow's timer on or off; only a timed workflow has one."""
        workflow = self._lookup.workflow(call)
        call.action = self._lookup.choice(call, "action", ("enable", "disable"))
        if workflow.trigger_on is None:
            self._lookup.refuse(f"the workflow {workflow.name} is of type {workflow.body['type']} and has no trigger")
        workflow.trigger_on = call.action == "enable"
        call.effective = True
        return self._lookup.done(as_object=False)

    def _view(self, workflow: Workflow) -> dict[str, Any]:
        return workflow_view(workflow, self._latest(workflow), self._switches)

    def _status(self, workflow: Workflow) -> str | None:
        """Return the literal by which lists are filtered, which is none of the shown variants."""
        latest = self._latest(workflow)
        return workflow_status(latest[1], self._switches) if latest else None

    def _latest(self, workflow: Workflow) -> tuple[Execution, ExecutionState] | None:
        listed = self._store.listed(workflow)
        return (listed[0], self._store.peek(listed[0])) if listed else None


def _matches(row: dict[str, Any], query: dict[str, Any]) -> bool:
    search = query.get("search", "")
    begin, end = query.get("search_time_start", 0), query.get("search_time_end", row["create_time"])
    tags = query.get("tags", {})
    return (
        (search in row["name"] or search in row["description"])
        and query.get("type") in (None, row["type"])
        and all(row["tags"].get(key) == value for key, value in tags.items())
        and query.get("enterprise_project_id") in (None, ENTERPRISE_PROJECT)
        and query.get("create_by") in (None, row["create_by"])
        and begin <= row["create_time"] <= end
    )
