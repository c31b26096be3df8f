"""Operations on workflows."""

from __future__ import annotations

import copy
import uuid
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts import inputs, schema
from airflow_provider_mlworkflows.emulator.modelarts.lookup import Lookup, refuse
from airflow_provider_mlworkflows.emulator.modelarts.steprun import AT_REST, PAUSED
from airflow_provider_mlworkflows.emulator.modelarts.store import Workflow, check_graph
from airflow_provider_mlworkflows.emulator.modelarts.views import timestamp
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.emulator.modelarts.definitions import Attempt
    from airflow_provider_mlworkflows.emulator.scripted import Phase

_WORKFLOWS = "/v2/{project_id}/workflows"
_WORKFLOW = _WORKFLOWS + "/{workflow_id}"
_CREATE = "modelarts:workflow:create"
_GET = "modelarts:workflow:get"
_LIST = "modelarts:workflow:list"
_UPDATE = "modelarts:workflow:update"
_DELETE = "modelarts:workflow:delete"
_UPDATABLE = (
    "name",
    "description",
    "data_requirements",
    "parameters",
    "storages",
    "labels",
    "smn_switch",
    "steps",
)


class WorkflowRoutes:
    """Handlers of workflows."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        auth = _WORKFLOWS + "/service/auth"
        package = _WORKFLOW + "/service/packages"
        return [
            Operation("ListWorkflows", "GET", _WORKFLOWS, self.list, _LIST),
            Operation("CreateWorkflow", "POST", _WORKFLOWS, self.create, _CREATE),
            Operation("ShowWorkflowLabels", "GET", _WORKFLOWS + "/labels", self.labels, _LIST),
            Operation("ShowWorkflowsOverview", "GET", _WORKFLOWS + "/overview", self.overview, _LIST),
            Operation("ShowWorkflowsTodolist", "GET", _WORKFLOWS + "/todolist", self.todolist, _LIST),
            Operation("CreateWorkflowServiceAuth", "POST", auth, self.authorize_service),
            Operation("CreateWorkflowPurchasePool", "POST", package, self.purchase),
            Operation("ShowWorkflow", "GET", _WORKFLOW, self.show, _GET),
            Operation("UpdateWorkflow", "PUT", _WORKFLOW, self.update, _UPDATE),
            Operation("DeleteWorkflow", "DELETE", _WORKFLOW, self.delete, _DELETE),
        ]

    def list(self, call: Call) -> Answer:
        """Return a page of workflows."""
        known = list(self._store.workflows.values())
        keys: dict[str, Callable[[Any], Any]] = {
            "create_time": lambda each: each.created_at,
            "name": lambda each: each.name,
            "last_modified_at": lambda each: each.modified_at,
        }
        ordered = self._lookup.ordered(call, known, keys, "asc")
        equal = self._lookup.choice(call, "search_type", ("equal", "contain"), "contain") == "equal"
        rows = [self.view(each) for each in ordered if _matches(call, each.body, equal)]
        status = call.param("status")
        if status is not None:
            rows = [row for row in rows if (row["latest_execution"] or {}).get("status") == status]
        return self._lookup.answer(self._lookup.listing(call, rows, total=len(known)))

    def create(self, call: Call) -> Answer:
        """Create a workflow, or a copy of one."""
        body = self._lookup.body(call, schema.WORKFLOW, "WorkflowParam")
        attempts: dict[str, tuple[Attempt, ...]] = {}
        status_script: tuple[Phase, ...] = ()
        source_id = body.get("source_workflow_id")
        if source_id:
            source = self._store.workflows.get(self._lookup.checked_uuid(source_id, "source_workflow_id"))
            if source is None:
                refuse(f"Workflow {source_id} not found", code="ModelArts.7512")
            body = {**copy.deepcopy(source.body), **body}
            attempts, status_script = source.attempts, source.status_script
        try:
            workflow = self._store.create_workflow(body, attempts=attempts, status_script=status_script)
        except ValueError as error:
            refuse(str(error))
        call.effective = True
        call.ids["workflow_id"] = workflow.workflow_id
        return self._lookup.answer(self.view(workflow), 201)

    def show(self, call: Call) -> Answer:
        """Return a workflow."""
        return self._lookup.answer(self.view(self._lookup.workflow(call)))

    def update(self, call: Call) -> Answer:
        """Change a workflow; executions keep what they were started with."""
        workflow = self._lookup.workflow(call)
        body = self._lookup.body(call, schema.WORKFLOW_UPDATE, "WorkflowUpdate")
        try:
            check_graph(body.get("steps") or [])
        except ValueError as error:
            refuse(str(error))
        changes = {name: body[name] for name in _UPDATABLE if body.get(name) is not None}
        workflow.update(changes, self._lookup.now())
        call.effective = True
        return self._lookup.answer(self.view(workflow))

    def delete(self, call: Call) -> Answer:
        """Forget a workflow and its executions."""
        self._store.delete_workflow(self._lookup.workflow(call).workflow_id)
        call.effective = True
        return Answer(204)

    def labels(self, call: Call) -> Answer:
        """Return the labels of all workflows."""
        template = call.param("template_id")
        order = self._lookup.choice(call, "order", ("asc", "desc"), "asc")
        self._lookup.choice(call, "sort_by", ("user_name", "create_time"), "create_time")
        bodies = [workflow.body for workflow in self._store.workflows.values()]
        found = [
            label
            for body in bodies
            if template in (None, body.get("exeml_template_id"))
            for label in body.get("labels") or []
        ]
        unique = list(dict.fromkeys(found))
        if order == "desc":
            unique.reverse()
        return Answer(200, self._lookup.page(call, unique))

    def overview(self, call: Call) -> Answer:
        """Count workflows by the status of their latest execution; those never started count as ``init``."""
        equal = self._lookup.choice(call, "search_type", ("equal", "contain"), "contain") == "equal"
        flows = [each for each in self._store.workflows.values() if _matches(call, each.body, equal)]
        latest = [self.view(each)["latest_execution"] for each in flows]
        stat = Counter(str(each["status"]) if each else "init" for each in latest)
        return self._lookup.answer({"total": len(flows), "stat": dict(stat)})

    def todolist(self, call: Call) -> Answer:
        """Return the steps that wait for a person, newest first."""
        workspace = call.param("workspace_id")
        items = []
        for execution in self._store.executions.values():
            if workspace not in (None, execution.fields.get("workspace_id") or "0"):
                continue
            waits = any(step.status in PAUSED for step in execution.steps)
            waited = self._store.is_stale(execution) and _paused(self._store.peek(execution))
            if not (waits or waited):
                continue
            view = self._store.read(execution)
            items += [_todo(view, step, execution.clock.now()) for step in _paused(view)]
        items.sort(key=lambda item: str(item["time"]), reverse=True)
        return self._lookup.answer({"total": len(items), "items": items})

    def authorize_service(self, call: Call) -> Answer:
        """Confirm that a paid service may be used."""
        self._lookup.body(call, schema.SERVICE_AUTH, "WorkflowServiceAuth")
        return self._lookup.answer({"result": "available"}, 201)

    def purchase(self, call: Call) -> Answer:
        """Book a package for a workflow's service."""
        workflow = self._lookup.workflow(call)
        body = self._lookup.body(call, schema.PURCHASE, "WorkflowServicePackage")
        package = {
            "status": "available",
            "consume_limit": body["order"]["sku"]["queries_limit"],
            "current_consume": 0,
            "limit_enable": True,
            **body,
            "workflow_id": workflow.workflow_id,
            "package_id": str(uuid.uuid4()),
            "created_at": timestamp(self._lookup.now()),
        }
        workflow.body["package"] = package
        call.effective = True
        return self._lookup.answer(package, 201)

    def view(self, workflow: Workflow) -> dict[str, Any]:
        """Return a workflow as replies show it."""
        body = copy.deepcopy(workflow.body)
        steps = [{**step, "created_at": timestamp(workflow.created_at)} for step in body.pop("steps", None) or []]
        ready = not any(inputs.missing(workflow.declared(kind), late=False) for kind in inputs.KINDS)
        return {
            "description": "",
            "workspace_id": "0",
            "labels": [],
            "sub_graphs": [],
            "policy": {},
            **body,
            "steps": steps,
            "workflow_id": workflow.workflow_id,
            "created_at": timestamp(workflow.created_at),
            "last_modified_at": timestamp(workflow.modified_at),
            "user_name": "airflow",
            "latest_execution": self._latest(workflow),
            "run_count": workflow.run_count,
            "param_ready": ready,
        }

    def _latest(self, workflow: Workflow) -> dict[str, Any] | None:
        listed = [each for each in workflow.executions.values() if self._store.is_listed(each)]
        if not listed:
            return None
        shown = self._store.peek(listed[-1])
        active = [step["step_name"] for step in shown["steps_execution"] if str(step["status"]).lower() not in AT_REST]
        wanted = ("execution_id", "created_at", "status", "duration")
        return {**{name: shown[name] for name in wanted}, "running_steps": active, "current_steps": active}


def _matches(call: Call, body: dict[str, Any], equal: bool) -> bool:
    for name in ("name", "description"):
        wanted, present = call.param(name), str(body.get(name) or "")
        if wanted is not None and not (wanted == present if equal else wanted in present):
            return False
    labels = [label for label in (call.param("labels") or "").split(",") if label]
    return (
        all(label in (body.get("labels") or []) for label in labels)
        and call.param("template_id") in (None, body.get("exeml_template_id"))
        and call.param("workspace_id") in (None, body.get("workspace_id") or "0")
    )


def _paused(view: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for step in view["steps_execution"] if str(step["status"]).lower() in PAUSED]


def _todo(view: dict[str, Any], step: dict[str, Any], now: datetime) -> dict[str, Any]:
    since = datetime.fromisoformat(step["updated_at"])
    return {
        "time": step["updated_at"],
        "duration": max(0, int((now - since).total_seconds())),
        "workflow_id": view["workflow_id"],
        "workflow_name": view["workflow_name"],
        "execution_id": view["execution_id"],
        "step_name": step["step_name"],
        "step_title": step["step_title"],
        "status": step["status"],
    }
