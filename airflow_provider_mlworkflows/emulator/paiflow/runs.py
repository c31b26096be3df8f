"""Operations on single runs, and their list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.paiflow.lookup import (
    ARGUMENTS_INVALID,
    PIPELINE_MISSING,
    WRONG_STATE,
    Lookup,
)
from airflow_provider_mlworkflows.emulator.paiflow.machine import DELETABLE, IllegalAction
from airflow_provider_mlworkflows.emulator.paiflow.manifest import ManifestError
from airflow_provider_mlworkflows.emulator.paiflow.plan import UnknownPipelineError
from airflow_provider_mlworkflows.emulator.paiflow.views import cased, full_run_view, run_view
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.emulator.paiflow.machine import PipelineRun

RUNS = "/api/v1/pipelineruns"
RUN = RUNS + "/{pipeline_run_id}"
SOURCE_TYPES = ("UNKNOWN", "SDK", "DESIGNER", "M6")
MANIFEST_TYPES = ("Raw", "Frozen", "Expanded", "Rendered", "Runtime")
_CREATE_FIELDS: dict[str, type] = {
    "WorkspaceId": str,
    "PipelineId": str,
    "PipelineManifest": str,
    "Name": str,
    "Arguments": str,
    "NoConfirmRequired": bool,
    "SourceType": str,
    "SourceId": str,
    "Options": str,
    "Accessibility": str,
}
_SORT_KEYS: dict[str, Callable[[PipelineRun], Any]] = {
    "GmtCreateTime": lambda run: run.created_at,
    "GmtModifiedTime": lambda run: run.modified_at,
    "StartedAt": lambda run: run.started_at or run.created_at,
    "FinishedAt": lambda run: run.finished_at or run.clock.now(),
    "Duration": lambda run: (run.finished_at or run.clock.now()) - (run.started_at or run.clock.now()),
    "PipelineId": lambda run: run.pipeline_id,
    "UserId": lambda run: run.user_id,
    "ParentUserId": lambda run: "",
    "WorkflowServiceId": lambda run: "",
}


class RunRoutes:
    """Handlers of single runs."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store
        self._switches = lookup.switches

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        table: list[tuple[str, str, str, Callable[[Call], Answer]]] = [
            ("CreatePipelineRun", "POST", RUNS, self.create),
            ("ListPipelineRuns", "GET", RUNS, self.list),
            ("GetPipelineRun", "GET", RUN, self.get),
            ("UpdatePipelineRun", "PUT", RUN, self.update),
            ("DeletePipelineRun", "DELETE", RUN, self.delete),
            ("StartPipelineRun", "PUT", RUN + "/start", self.start),
            ("RerunPipelineRun", "PUT", RUN + "/rerun", self.rerun),
            ("TerminatePipelineRun", "PUT", RUN + "/termination", self.terminate),
        ]
        return [Operation(name, method, path, end, f"paiflow:{name}") for name, method, path, end in table]

    def create(self, call: Call) -> Answer:
        """Create a run of a stored pipeline or of a manifest."""
        body = self._lookup.body(call, _CREATE_FIELDS)
        self._lookup.workspace(call, self._lookup.required(call, body, "WorkspaceId"))
        self._lookup.among(call, "SourceType", body.get("SourceType"), SOURCE_TYPES)
        self._lookup.among(call, "Accessibility", body.get("Accessibility"), ("PUBLIC", "PRIVATE"))
        if bool(body.get("PipelineId")) == bool(body.get("PipelineManifest")):
            self._lookup.refuse(call, "InvalidParameter", "Exactly one of PipelineId and PipelineManifest is needed.")
        try:
            run = self._create(call, body)
        except ManifestError as error:
            self._lookup.refuse(call, ARGUMENTS_INVALID, f"Not created: {error}.")
        except UnknownPipelineError as error:
            self._lookup.missing(call, PIPELINE_MISSING, f"Not created: {error}.")
        call.effective = True
        call.ids |= {"pipeline_run_id": run.run_id, "pipeline_id": run.pipeline_id}
        return self._lookup.reply(call, {"PipelineRunId": run.run_id})

    def list(self, call: Call) -> Answer:
        """Return a page of runs, newest first unless the query says otherwise."""
        workspace = call.param("WorkspaceId")
        if workspace is not None:
            self._lookup.workspace(call, workspace)
        shown = [run for run in self._store.runs.values() if self._store.is_listed(run)]
        matching = [run for run in shown if self._lookup.sees(call, run) and self._matches(call, run)]
        rows = self._lookup.ordered(call, list(reversed(matching)), _SORT_KEYS, "GmtCreateTime")
        page = self._lookup.page(call, rows)
        items = [run_view(run, self._store.read(run), self._switches) for run in page]
        return self._lookup.reply(call, {"TotalCount": self._lookup.total(rows, page), "PipelineRuns": items})

    def get(self, call: Call) -> Answer:
        """Return a run, with its manifest if the query is verbose."""
        kind = self._lookup.choice(call, "ManifestType", MANIFEST_TYPES, "Raw")
        verbose = self._lookup.boolean(call, "Verbose")
        run = self._lookup.run(call)
        state = self._store.read(run)
        return self._lookup.reply(call, full_run_view(run, state, self._switches, kind if verbose else None))

    def update(self, call: Call) -> Answer:
        """Change a run's name."""
        run = self._lookup.run(call)
        run.name = self._lookup.required(call, self._lookup.body(call, {"Name": str}), "Name")
        call.effective = True
        return self._lookup.reply(call, {})

    def delete(self, call: Call) -> Answer:
        """Delete a run that is over or has not begun."""
        run = self._lookup.run(call)
        if run.status not in DELETABLE:
            return self._wrong_state(call, IllegalAction(f"the run is {run.status}"))
        self._store.delete_run(run.run_id)
        call.effective = True
        return self._lookup.reply(call, {})

    def start(self, call: Call) -> Answer:
        """Start a run that was created to be started later."""
        run = self._lookup.run(call)
        return self._act(call, run, run.start)

    def rerun(self, call: Call) -> Answer:
        """Run again what did not succeed."""
        run = self._lookup.run(call)
        return self._act(call, run, run.rerun)

    def terminate(self, call: Call) -> Answer:
        """Begin to stop a run."""
        run = self._lookup.run(call)
        return self._act(call, run, lambda: run.terminate(self._switches.stop_seconds))

    def _create(self, call: Call, body: dict[str, Any]) -> PipelineRun:
        user = self._lookup.user_id(call)
        if body.get("PipelineManifest"):
            manifest = self._lookup.manifest(call, body["PipelineManifest"])
            return self._store.start_manifest(manifest, body, user_id=user)
        call.ids["pipeline_id"] = body["PipelineId"]
        pipeline = self._lookup.pipeline(call, body["PipelineId"])
        return self._store.start(pipeline.pipeline_id, body, user_id=user)

    def _act(self, call: Call, run: PipelineRun, effect: Callable[[], None]) -> Answer:
        """Carry out an action; a refused one leaves no trace."""
        before = self._store.peek(run)
        try:
            effect()
        except IllegalAction as error:
            return self._wrong_state(call, error)
        call.effective = True
        self._store.keep_showing(run, before)
        return self._lookup.reply(call, {})

    def _wrong_state(self, call: Call, error: IllegalAction) -> Answer:
        """Refuse an action that the state forbids, or accept it without effect if that is switched on."""
        status, code = self._switches.wrong_state
        if status < 300:
            return self._lookup.reply(call, {})
        self._lookup.refuse(call, code or WRONG_STATE, f"The operation is not allowed: {error}.", status)

    def _matches(self, call: Call, run: PipelineRun) -> bool:
        wanted = {
            "SourceId": run.fields.get("SourceId") or "",
            "SourceType": run.fields.get("SourceType") or "UNKNOWN",
            "PipelineRunId": run.run_id,
            "WorkspaceId": run.fields["WorkspaceId"],
            "UserId": run.user_id,
        }
        status, pipelines = call.param("Status"), call.param("PipelineIds")
        return (
            all(call.param(name) in (None, value) for name, value in wanted.items())
            and self._lookup.is_named(run.name, call.param("Name"))
            and status in (None, cased(self._store.peek(run).status, self._switches))
            and (pipelines is None or run.pipeline_id in pipelines.split(","))
        )
