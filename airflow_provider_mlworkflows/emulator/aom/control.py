"""The AOM part of the emulator's own interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from airflow_provider_mlworkflows.emulator.aom import schema
from airflow_provider_mlworkflows.emulator.aom.definitions import NodeDefinition
from airflow_provider_mlworkflows.emulator.aom.views import execution_view
from airflow_provider_mlworkflows.emulator.control import json_object
from airflow_provider_mlworkflows.emulator.credentials import PROJECT_ID
from airflow_provider_mlworkflows.emulator.scripted import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from airflow_provider_mlworkflows.emulator.aom.store import Aom
    from airflow_provider_mlworkflows.emulator.control import Row
    from airflow_provider_mlworkflows.emulator.switches import Switches


class AomControl:
    """Endpoints that change the service's state behind its back."""

    def __init__(self, store: Aom, switches: Switches) -> None:
        self._store = store
        self._switches = switches

    def rows(self) -> list[Row]:
        """Return method, path and endpoint of each."""
        one = "aom/executions/{execution_id}"
        return [
            ("POST", "aom/workflows", self.add_workflow),
            ("POST", "aom/workflows/{workflow_id}/executions", self.start),
            ("POST", one + "/status", self.force_status),
            ("POST", one + "/nodes", self.end_node),
            ("POST", one + "/approval", self.decide),
            ("DELETE", one, self.delete_execution),
        ]

    def state(self) -> dict[str, Any]:
        """Return workflows and executions as they truly are, without counting a read."""
        executions = self._store.executions.values()
        return {
            "workflows": [
                {
                    "id": each.workflow_id,
                    "name": each.name,
                    "nodes": {node.name: key for key, node in each.nodes},
                    "starts": self._store.start_count(each.workflow_id),
                }
                for each in self._store.workflows.values()
            ],
            "executions": [
                execution_view(each, each.state(), self._switches, brief=True)
                | {"terminations": self._store.termination_count(each.execution_id)}
                for each in executions
            ],
        }

    async def add_workflow(self, request: Request) -> JSONResponse:
        """Add a workflow: a create call's body, optionally ``workflow_id``, ``project_id``, ``nodes`` with their
        attempts, ``needs_approval``, ``approvers``, ``status_script``.
        """  # noqa: D205 - a summary in one line would leave out half of it
        body = await json_object(request)
        script = tuple(Phase(str(status), seconds) for status, seconds in body.pop("status_script", []))
        nodes = [NodeDefinition.from_json(each) for each in body.pop("nodes", [])]
        apart = ("workflow_id", "project_id", "needs_approval", "approvers")
        rest = {"project_id": PROJECT_ID, **{name: body.pop(name) for name in apart if name in body}}
        template_id = next(iter(self._store.templates))
        usual = {"type": "manual", "task_type": "customize", "input": {}, "template_id": template_id}
        body = {**usual, **body}
        schema.WORKFLOW("workflow", body)
        workflow = self._store.create_workflow(body, nodes=nodes, status_script=script, **rest)
        ids = {node.name: key for key, node in workflow.nodes}
        return JSONResponse({"id": workflow.workflow_id, "name": workflow.name, "nodes": ids}, 201)

    async def start(self, request: Request) -> JSONResponse:
        """Start an execution."""
        execution = self._store.start(request.path_params["workflow_id"])
        return JSONResponse({"execution_id": execution.execution_id}, 201)

    async def force_status(self, request: Request) -> JSONResponse:
        """Force statuses; body ``{"status": literal or null, "nodes": {id or name: literal}}``."""
        body = await json_object(request)
        execution_id = request.path_params["execution_id"]
        self._store.force_status(execution_id, body.get("status"), body.get("nodes"))
        return JSONResponse({"execution_id": execution_id, **body})

    async def end_node(self, request: Request) -> JSONResponse:
        """End the current node; body ``{"status": "success" or "fail", "node": id or name, "output": any}``."""
        body = await json_object(request)
        ends: dict[str, Callable[..., None]] = {"success": self._store.finish_node, "fail": self._store.fail_node}
        if body.get("status") not in ends:
            raise ValueError("status must be success or fail")
        ends[body["status"]](request.path_params["execution_id"], body.get("node"), body.get("output"))
        return JSONResponse(body)

    async def decide(self, request: Request) -> JSONResponse:
        """Approve or refuse; body ``{"approved": true or false}``."""
        body = await json_object(request)
        if not isinstance(body.get("approved"), bool):
            raise ValueError("approved must be true or false")
        decide = self._store.approve if body["approved"] else self._store.refuse
        decide(request.path_params["execution_id"])
        return JSONResponse(body)

    async def delete_execution(self, request: Request) -> JSONResponse:
        """Let an execution vanish."""
        self._store.delete_execution(request.path_params["execution_id"])
        return JSONResponse({})
