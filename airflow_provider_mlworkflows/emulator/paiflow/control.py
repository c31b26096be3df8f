"""The PAIFlow part of the emulator's own interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from starlette.responses import JSONResponse

from airflow_provider_mlworkflows.emulator.control import json_object
from airflow_provider_mlworkflows.emulator.credentials import WORKSPACE_ID
from airflow_provider_mlworkflows.emulator.paiflow import manifest as manifests
from airflow_provider_mlworkflows.emulator.paiflow.definitions import NodeAttempt
from airflow_provider_mlworkflows.emulator.paiflow.views import node_view, pipeline_view, run_view
from airflow_provider_mlworkflows.emulator.scripted import Phase

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_mlworkflows.emulator.control import Row
    from airflow_provider_mlworkflows.emulator.paiflow.store import PaiFlow
    from airflow_provider_mlworkflows.emulator.switches import Switches

_WHOLE_TREE = 2**31


class PaiFlowControl:
    """Endpoints that change the service's state behind its back."""

    def __init__(self, store: PaiFlow, switches: Switches) -> None:
        self._store = store
        self._switches = switches

    def rows(self) -> list[Row]:
        """Return method, path and endpoint of each."""
        return [
            ("POST", "pipelines", self.add_pipeline),
            ("POST", "pipelineruns/{run_id}/status", self.force_status),
            ("DELETE", "pipelineruns/{run_id}", self.delete_run),
        ]

    def state(self) -> dict[str, Any]:
        """Return pipelines and runs as they truly are, without counting a read."""
        runs = []
        for run in self._store.runs.values():
            state = run.state()
            nodes = node_view(state.root, _WHOLE_TREE, self._switches, physical=False)
            runs.append(run_view(run, state, self._switches) | {"IsDeleted": run.is_deleted, "Root": nodes})
        return {"pipelines": [pipeline_view(each) for each in self._store.pipelines.values()], "runs": runs}

    async def add_pipeline(self, request: Request) -> JSONResponse:
        """Add a pipeline: ``manifest`` as text or object, optionally ``pipeline_id``, ``workspace_id``,
        ``attempts`` by step name, ``status_script``.
        """  # noqa: D205 - a summary in one line would leave out half of it
        body = await json_object(request)
        text = body["manifest"]
        attempts = {
            name: tuple(NodeAttempt.from_json(each) for each in listed)
            for name, listed in (body.get("attempts") or {}).items()
        }
        script = tuple(Phase(str(status), seconds) for status, seconds in body.get("status_script") or [])
        try:
            manifest = manifests.parse(text if isinstance(text, str) else yaml.safe_dump(text))
        except manifests.ManifestError as error:
            raise ValueError(str(error)) from error
        pipeline = self._store.create_pipeline(
            manifest,
            body.get("workspace_id") or WORKSPACE_ID,
            pipeline_id=body.get("pipeline_id"),
            attempts=attempts,
            status_script=script,
        )
        return JSONResponse({"pipeline_id": pipeline.pipeline_id}, 201)

    async def force_status(self, request: Request) -> JSONResponse:
        """Force statuses; body ``{"status": literal or null, "nodes": {name: literal}}``."""
        body = await json_object(request)
        run_id = request.path_params["run_id"]
        self._store.force_status(run_id, body.get("status"), body.get("nodes"))
        return JSONResponse({"pipeline_run_id": run_id, **body})

    async def delete_run(self, request: Request) -> JSONResponse:
        """Let a run vanish; with ``?trace=true`` batch reads still report it, as deleted."""
        trace = request.query_params.get("trace") == "true"
        self._store.delete_run(request.path_params["run_id"], trace=trace)
        return JSONResponse({})
