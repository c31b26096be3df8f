"""The ModelArts part of the emulator's own interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from airflow_provider_mlworkflows.emulator.control import json_object
from airflow_provider_mlworkflows.emulator.modelarts.appauth.control import AppControl
from airflow_provider_mlworkflows.emulator.modelarts.definitions import Attempt
from airflow_provider_mlworkflows.emulator.modelarts.notebooks import NotebookControl
from airflow_provider_mlworkflows.emulator.modelarts.resources.control import ResourceControl
from airflow_provider_mlworkflows.emulator.modelarts.schema import WORKFLOW
from airflow_provider_mlworkflows.emulator.modelarts.serving.deployments import Deployment
from airflow_provider_mlworkflows.emulator.modelarts.serving.views import service_view
from airflow_provider_mlworkflows.emulator.modelarts.views import execution_view
from airflow_provider_mlworkflows.emulator.scripted import Phase

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_mlworkflows.emulator.control import Row
    from airflow_provider_mlworkflows.emulator.modelarts.serving.store import Services
    from airflow_provider_mlworkflows.emulator.modelarts.store import ModelArts
    from airflow_provider_mlworkflows.emulator.switches import Switches


class ModelArtsControl:
    """Endpoints that change the service's state behind its back."""

    def __init__(self, store: ModelArts, switches: Switches) -> None:
        self._store = store
        self._switches = switches
        self._others = (
            ResourceControl(store.clusters, store.pools),
            NotebookControl(store.notebooks),
            AppControl(store.apps),
        )

    def rows(self) -> list[Row]:
        """Return method, path and endpoint of each."""
        return [
            ("POST", "workflows", self.add_workflow),
            ("POST", "executions/{execution_id}/status", self.force_status),
            ("DELETE", "executions/{execution_id}", self.delete_execution),
            ("POST", "services/plans", self.plan_services),
            ("POST", "services/{service_id}/status", self.force_service),
            ("DELETE", "services/{service_id}", self.delete_service),
            *(row for other in self._others for row in other.rows()),
        ]

    def state(self) -> dict[str, Any]:
        """Return everything as it truly is, without counting a read."""
        workflows = self._store.workflows.values()
        return {
            "workflows": [
                {"workflow_id": each.workflow_id, "name": each.name, "run_count": each.run_count} for each in workflows
            ],
            "executions": [
                execution_view(each, each.advance(), self._switches) for each in self._store.executions.values()
            ],
            "services": [
                service_view(each, each.advance(), self._switches)
                for store in (self._store.services, self._store.newer_services)
                for each in store.all.values()
            ],
            **{name: value for other in self._others for name, value in other.state().items()},
        }

    async def add_workflow(self, request: Request) -> JSONResponse:
        """Add a workflow: a create call's body, optionally ``attempts`` by step name, ``status_script``."""
        body = await json_object(request)
        attempts = {
            name: tuple(Attempt.from_json(each) for each in listed) for name, listed in body.pop("attempts", {}).items()
        }
        script = tuple(Phase(str(status), seconds) for status, seconds in body.pop("status_script", []))
        workflow_id = body.pop("workflow_id", None)
        WORKFLOW("workflow", body)
        workflow = self._store.create_workflow(body, workflow_id=workflow_id, attempts=attempts, status_script=script)
        return JSONResponse({"workflow_id": workflow.workflow_id, "name": workflow.name}, 201)

    async def force_status(self, request: Request) -> JSONResponse:
        """Force statuses; body ``{"status": literal or null, "steps": {name: literal}}``."""
        body = await json_object(request)
        execution_id = request.path_params["execution_id"]
        self._store.force_status(execution_id, body.get("status"), body.get("steps"))
        return JSONResponse({"execution_id": execution_id, **body})

    async def delete_execution(self, request: Request) -> JSONResponse:
        """Let an execution vanish."""
        self._store.delete_execution(request.path_params["execution_id"])
        return JSONResponse({})

    async def plan_services(self, request: Request) -> JSONResponse:
        """Fix what services of a name will do.

        Body ``{"name": text, "deployments": [{"script": [[status, seconds], ...], "error_msg": text}, ...]}``.
        """
        body = await json_object(request)
        deployments = [Deployment.from_json(each) for each in body["deployments"]]
        for store in (self._store.services, self._store.newer_services):
            store.plan(str(body["name"]), *deployments)
        return JSONResponse(body, 201)

    async def force_service(self, request: Request) -> JSONResponse:
        """Force a service's status; body ``{"status": literal, "error_msg": text}``."""
        body = await json_object(request)
        key = request.path_params["service_id"]
        self._holder(key).force_status(key, str(body["status"]), str(body.get("error_msg") or ""))
        return JSONResponse({"service_id": key, **body})

    async def delete_service(self, request: Request) -> JSONResponse:
        """Let a service vanish."""
        key = request.path_params["service_id"]
        self._holder(key).remove(key)
        return JSONResponse({})

    def _holder(self, key: str) -> Services:
        newer = self._store.newer_services
        return newer if key in newer.all else self._store.services
