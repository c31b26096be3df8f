"""The OBS part of the emulator's own interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from airflow_provider_mlworkflows.emulator.control import json_object
from airflow_provider_mlworkflows.emulator.obs.definitions import StateAttempt
from airflow_provider_mlworkflows.emulator.obs.machine import IllegalAction
from airflow_provider_mlworkflows.emulator.obs.views import execution_view, graph_view
from airflow_provider_mlworkflows.emulator.scripted import Phase

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_mlworkflows.emulator.control import Row
    from airflow_provider_mlworkflows.emulator.obs.machine import Execution
    from airflow_provider_mlworkflows.emulator.obs.store import Obs
    from airflow_provider_mlworkflows.emulator.switches import Switches


class ObsControl:
    """Endpoints that change the service's state behind its back."""

    def __init__(self, store: Obs, switches: Switches) -> None:
        self._store = store
        self._switches = switches

    def rows(self) -> list[Row]:
        """Return method, path and endpoint of each."""
        execution = "obs/executions/{execution_name}"
        return [
            ("POST", "obs/workflows", self.add_workflow),
            ("POST", "obs/executions", self.start),
            ("POST", "obs/events", self.raise_event),
            ("POST", execution + "/state", self.force_state),
            ("POST", execution + "/finish", self.finish_state),
            ("DELETE", execution, self.delete_execution),
            ("DELETE", "obs/buckets/{bucket}", self.take_away),
            ("DELETE", "obs/buckets/{bucket}/{key:path}", self.take_away),
        ]

    def state(self) -> dict[str, Any]:
        """Return workflows, policies and executions as they truly are, without counting a read."""
        policies = self._store.policies
        return {
            "workflows": [graph_view(each, policies) for each in self._store.workflows.values()],
            "templates": list(self._store.templates),
            "policies": policies,
            "executions": [execution_view(each, self._switches) for each in self._store.executions.values()],
            "starts": self._store.starts(),
        }

    async def add_workflow(self, request: Request) -> JSONResponse:
        """Add a workflow: ``name``, a create call's body, optionally ``attempts`` by state name, ``status_script``."""
        body = await json_object(request)
        attempts = {
            name: tuple(StateAttempt.from_json(each) for each in listed)
            for name, listed in (body.pop("attempts", None) or {}).items()
        }
        script = tuple(Phase(str(status), seconds) for status, seconds in body.pop("status_script", None) or [])
        graph = self._store.create_workflow(body.pop("name"), body, attempts=attempts, status_script=script)
        return JSONResponse({"graph_name": graph.name}, 201)

    async def start(self, request: Request) -> JSONResponse:
        """Start an execution; body ``{"graph_name", "bucket", "object", "inputs"}``, all but the first optional."""
        body = await json_object(request)
        place = {key: body[name] for name, key in (("bucket", "bucket"), ("object", "key")) if name in body}
        execution = self._store.start(body["graph_name"], inputs=body.get("inputs"), **place)
        return JSONResponse(_started([execution]), 201)

    async def raise_event(self, request: Request) -> JSONResponse:
        """Let an event happen to an object; body ``{"bucket", "object", "event"}``.

        It starts what the bucket's trigger policy says, or the one workflow that ``graph_name`` names.
        """
        body = await json_object(request)
        place = (body["bucket"], body["object"], body.get("event", "ObjectCreated:Put"))
        graph_name = body.get("graph_name")
        begun = self._store.raise_event(*place) if graph_name is None else [self._store.trigger(graph_name, *place)]
        return JSONResponse(_started(begun), 201)

    async def force_state(self, request: Request) -> JSONResponse:
        """Force literals; body ``{"state": literal or null, "states": {name: literal}}``."""
        body = await json_object(request)
        name = request.path_params["execution_name"]
        self._store.force_state(name, body.get("state"), body.get("states"))
        return JSONResponse({"execution_name": name, **body})

    async def finish_state(self, request: Request) -> JSONResponse:
        """End a state now; body ``{"status": "SUCCESS" or "FAILED", "state_name": optional}``."""
        body = await json_object(request)
        name, status = request.path_params["execution_name"], str(body.get("status", "SUCCESS"))
        try:
            ended = self._store.finish_state(name, status, body.get("state_name"))
        except IllegalAction as error:
            raise ValueError(str(error)) from error
        return JSONResponse({"execution_name": name, "state_name": ended, "status": status})

    async def delete_execution(self, request: Request) -> JSONResponse:
        """Let an execution vanish."""
        self._store.delete_execution(request.path_params["execution_name"])
        return JSONResponse({})

    async def take_away(self, request: Request) -> JSONResponse:
        """Let a bucket, or an object in it, not exist from now on."""
        self._store.take_away(request.path_params["bucket"], request.path_params.get("key"))
        return JSONResponse({})


def _started(executions: list[Execution]) -> dict[str, Any]:
    return {
        "executions": [{"graph_name": each.graph_name, "execution_name": each.execution_name} for each in executions]
    }
