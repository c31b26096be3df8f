"""Operations on pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.paiflow.lookup import PIPELINE_EXISTS, PIPELINE_IN_USE, Lookup
from airflow_provider_mlworkflows.emulator.paiflow.views import pipeline_view
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.paiflow.store import Pipeline

_PIPELINES = "/api/v1/pipelines"
_PIPELINE = _PIPELINES + "/{pipeline_id}"


class PipelineRoutes:
    """Handlers of pipelines."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        return [
            Operation("CreatePipeline", "POST", _PIPELINES, self.create, "paiflow:CreatePipeline"),
            Operation("ListPipelines", "GET", _PIPELINES, self.list, "paiflow:ListPipelines"),
            Operation("GetPipeline", "GET", _PIPELINE, self.get, "paiflow:GetPipeline"),
            Operation("UpdatePipeline", "PUT", _PIPELINE, self.update, "paiflow:UpdatePipeline"),
            Operation("DeletePipeline", "DELETE", _PIPELINE, self.delete, "paiflow:DeletePipeline"),
        ]

    def create(self, call: Call) -> Answer:
        """Store a pipeline."""
        body = self._lookup.body(call, {"WorkspaceId": str, "Manifest": str})
        workspace = self._lookup.workspace(call, self._lookup.required(call, body, "WorkspaceId"))
        manifest = self._lookup.manifest(call, self._lookup.required(call, body, "Manifest"))
        try:
            pipeline = self._store.create_pipeline(manifest, workspace)
        except ValueError as error:
            self._lookup.refuse(call, PIPELINE_EXISTS, f"Not created: {error}.")
        call.effective = True
        call.ids["pipeline_id"] = pipeline.pipeline_id
        return self._lookup.reply(call, {"PipelineId": pipeline.pipeline_id})

    def list(self, call: Call) -> Answer:
        """Return a page of pipelines, newest first."""
        workspace = call.param("WorkspaceId")
        if workspace is not None:
            self._lookup.workspace(call, workspace)
        fuzzy = self._lookup.boolean(call, "FuzzyMatching")
        wanted = [call.param(f"Pipeline{part}") for part in ("Provider", "Identifier", "Version")]

        def matches(pipeline: Pipeline) -> bool:
            pairs = zip(pipeline.manifest.triple, wanted, strict=True)
            alike = all(text is None or (text in own if fuzzy else text == own) for own, text in pairs)
            return alike and workspace in (None, pipeline.workspace_id)

        rows = [each for each in reversed(self._store.pipelines.values()) if matches(each)]
        page = self._lookup.page(call, rows)
        body = {"Pipelines": [pipeline_view(each) for each in page], "TotalCount": self._lookup.total(rows, page)}
        return self._lookup.reply(call, body)

    def get(self, call: Call) -> Answer:
        """Return a pipeline with its manifest."""
        pipeline = self._lookup.pipeline(call)
        return self._lookup.reply(call, pipeline_view(pipeline) | {"Manifest": pipeline.manifest.text})

    def update(self, call: Call) -> Answer:
        """Replace a pipeline's manifest."""
        pipeline = self._lookup.pipeline(call)
        body = self._lookup.body(call, {"Manifest": str})
        manifest = self._lookup.manifest(call, self._lookup.required(call, body, "Manifest"))
        try:
            self._store.update_pipeline(pipeline, manifest)
        except ValueError as error:
            self._lookup.refuse(call, PIPELINE_EXISTS, f"Not changed: {error}.")
        call.effective = True
        return self._lookup.reply(call, {})

    def delete(self, call: Call) -> Answer:
        """Forget a pipeline that is a step of no other."""
        pipeline = self._lookup.pipeline(call)
        if users := self._store.users_of(pipeline):
            message = f"The pipeline {pipeline.pipeline_id} is a step of {users[0].pipeline_id}."
            self._lookup.refuse(call, PIPELINE_IN_USE, message)
        self._store.delete_pipeline(pipeline.pipeline_id)
        call.effective = True
        return self._lookup.reply(call, {})
