"""Pipelines and runs of the emulated service, for handlers and for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID, OTHER_WORKSPACE_ID, WORKSPACE_ID
from airflow_provider_mlworkflows.emulator.paiflow import manifest as manifests
from airflow_provider_mlworkflows.emulator.paiflow import plan
from airflow_provider_mlworkflows.emulator.paiflow.machine import PipelineRun, RunState
from airflow_provider_mlworkflows.emulator.paiflow.names import new_id
from airflow_provider_mlworkflows.emulator.visibility import Visibility

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from airflow_provider_mlworkflows.emulator.clock import Clock
    from airflow_provider_mlworkflows.emulator.paiflow.definitions import NodeAttempt, PipelineDefinition
    from airflow_provider_mlworkflows.emulator.paiflow.manifest import Manifest
    from airflow_provider_mlworkflows.emulator.scripted import Phase
    from airflow_provider_mlworkflows.emulator.switches import Switches


@dataclass(slots=True)
class Pipeline:
    """A stored pipeline.

    Attributes:
        pipeline_id: Its id.
        workspace_id: The workspace it belongs to.
        manifest: What it runs.
        created_at: When it was created.
        modified_at: When its manifest was changed last.
        attempts: Scripted attempts by step name.
        status_script: Scripted statuses of its runs.
        uuid: Changes with each update.
    """

    pipeline_id: str
    workspace_id: str
    manifest: Manifest
    created_at: datetime
    modified_at: datetime
    attempts: dict[str, tuple[NodeAttempt, ...]] = field(default_factory=dict)
    status_script: tuple[Phase, ...] = ()
    uuid: str = field(default_factory=lambda: uuid4().hex)


class PaiFlow:
    """State of the emulated service.

    Args:
        clock: The emulator's clock.
        switches: The open points.
        lock: The lock that guards the emulator's state.

    Attributes:
        workspaces: Ids of the workspaces that exist.
        attempts: Scripted attempts by step name, for runs that bring a manifest and for pipelines without
            attempts of their own.
    """

    def __init__(self, clock: Clock, switches: Switches, lock: threading.RLock) -> None:
        self._clock = clock
        self._switches = switches
        self._lock = lock
        self.workspaces = {WORKSPACE_ID, OTHER_WORKSPACE_ID}
        self.attempts: dict[str, tuple[NodeAttempt, ...]] = {}
        self._pipelines: dict[str, Pipeline] = {}
        self._runs: dict[str, PipelineRun] = {}
        self._visibility: Visibility[RunState] = Visibility(switches)

    @property
    def pipelines(self) -> dict[str, Pipeline]:
        """All pipelines by id, oldest first; a copy."""
        with self._lock:
            return dict(self._pipelines)

    @property
    def runs(self) -> dict[str, PipelineRun]:
        """All runs by id, oldest first, up to date, deleted ones too; a copy."""
        with self._lock:
            for run in self._runs.values():
                run.advance()
            return dict(self._runs)

    def pipeline(self, key: str) -> Pipeline:
        """Return a pipeline by id or identifier.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            if key in self._pipelines:
                return self._pipelines[key]
            for pipeline in self._pipelines.values():
                if pipeline.manifest.triple[1] == key:
                    return pipeline
            raise KeyError(key)

    def run(self, run_id: str) -> PipelineRun:
        """Return a run, up to date.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            found = self._runs[run_id]
            found.advance()
            return found

    def runs_of(self, pipeline_id: str) -> list[PipelineRun]:
        """Return the runs of a pipeline, oldest first, up to date, without deleted ones."""
        return [run for run in self.runs.values() if run.pipeline_id == pipeline_id and not run.is_deleted]

    def add_pipeline(self, definition: PipelineDefinition) -> Pipeline:
        """Put a pipeline into the emulator.

        Raises:
            ManifestError: Steps depend on unknown steps or on each other.
            ValueError: There is a pipeline of this identifier and version already.
        """
        return self.create_pipeline(
            manifests.parse(definition.manifest()),
            definition.workspace_id or WORKSPACE_ID,
            pipeline_id=definition.pipeline_id,
            attempts=definition.attempts(),
            status_script=definition.status_script,
        )

    def create_pipeline(
        self,
        manifest: Manifest,
        workspace_id: str,
        *,
        pipeline_id: str | None = None,
        attempts: Mapping[str, tuple[NodeAttempt, ...]] | None = None,
        status_script: tuple[Phase, ...] = (),
    ) -> Pipeline:
        """Store a pipeline.

        Raises:
            ValueError: There is a pipeline of this provider, identifier and version already.
        """
        with self._lock:
            if self.find(manifest.triple) is not None:
                raise ValueError(f"the pipeline {'/'.join(manifest.triple)} exists already")
            now = self._clock.now()
            key = pipeline_id or new_id("pipeline")
            created = Pipeline(key, workspace_id, manifest, now, now, dict(attempts or {}), status_script)
            self._pipelines[key] = created
            return created

    def update_pipeline(self, pipeline: Pipeline, manifest: Manifest) -> None:
        """Replace a pipeline's manifest.

        Raises:
            ValueError: Another pipeline has this provider, identifier and version.
        """
        with self._lock:
            if self.find(manifest.triple) not in (None, pipeline.manifest):
                raise ValueError(f"the pipeline {'/'.join(manifest.triple)} exists already")
            pipeline.manifest = manifest
            pipeline.modified_at = self._clock.now()
            pipeline.uuid = uuid4().hex

    def delete_pipeline(self, pipeline_id: str) -> None:
        """Forget a pipeline; its runs stay.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            del self._pipelines[pipeline_id]

    def find(self, triple: tuple[str, str, str]) -> Manifest | None:
        """Return the manifest of the pipeline with this provider, identifier and version."""
        for pipeline in self._pipelines.values():
            if pipeline.manifest.triple == triple:
                return pipeline.manifest
        return None

    def users_of(self, pipeline: Pipeline) -> list[Pipeline]:
        """Return the pipelines that have a pipeline as a step."""
        triple = pipeline.manifest.triple
        return [each for each in self._pipelines.values() if triple in each.manifest.references()]

    def start(
        self, pipeline_id: str, body: Mapping[str, Any] | None = None, *, user_id: str = ACCOUNT_ID
    ) -> PipelineRun:
        """Create a run of a stored pipeline as a create call would, and start it unless the body says otherwise.

        Args:
            pipeline_id: The pipeline.
            body: Body of the create call.
            user_id: Who creates it.

        Raises:
            KeyError: There is no such pipeline.
            ManifestError: The arguments do not suit the pipeline.
            UnknownPipelineError: A step refers to a pipeline that does not exist.
        """
        with self._lock:
            pipeline = self._pipelines[pipeline_id]
            fields = {"WorkspaceId": pipeline.workspace_id, **(body or {})}
            return self._create_run(pipeline.manifest, fields, user_id, pipeline)

    def start_manifest(self, manifest: Manifest, body: Mapping[str, Any], *, user_id: str = ACCOUNT_ID) -> PipelineRun:
        """Create a run of a manifest as a create call would.

        Raises:
            ManifestError: The arguments do not suit the manifest.
            UnknownPipelineError: A step refers to a pipeline that does not exist.
        """
        with self._lock:
            return self._create_run(manifest, dict(body), user_id, None)

    def delete_run(self, run_id: str, *, trace: bool = True) -> None:
        """Delete a run.

        Args:
            run_id: The run.
            trace: Whether batch reads still report it, as deleted; otherwise it is as if it had never been.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            self._runs[run_id].is_deleted = True
            self._visibility.forget(run_id)
            if not trace:
                del self._runs[run_id]

    def force_status(self, run_id: str, status: str | None, nodes: Mapping[str, str] | None = None) -> None:
        """Show a status, and put nodes by name into statuses, until an action changes them.

        Args:
            run_id: The run.
            status: Any literal; ``None`` for the status that follows from the nodes.
            nodes: Statuses by node name.

        Raises:
            KeyError: There is no such run or node.
        """
        with self._lock:
            self.run(run_id).force(status, dict(nodes or {}))

    def peek(self, run: PipelineRun) -> RunState:
        """Return what a reader sees now, without counting a read."""
        return self._visibility.kept(run.run_id) or run.state()

    def read(self, run: PipelineRun) -> RunState:
        """Return what a reader sees, and count the read."""
        run.clock.read()
        state = self.peek(run)
        self._visibility.count_read(run.run_id)
        return state

    def keep_showing(self, run: PipelineRun, state: RunState) -> None:
        """Let the next reads show ``state``, that before an action."""
        self._visibility.keep(run.run_id, state)

    def is_listed(self, run: PipelineRun) -> bool:
        """Whether lists show a run."""
        return not run.is_deleted and self._visibility.is_listed(run.created_at, run.clock)

    def _create_run(
        self, manifest: Manifest, fields: dict[str, Any], user_id: str, pipeline: Pipeline | None
    ) -> PipelineRun:
        inputs = plan.given_inputs(manifest, fields.get("Arguments"))
        run = PipelineRun(
            pipeline_id=pipeline.pipeline_id if pipeline else "",
            manifest=manifest,
            inputs=inputs,
            nodes=plan.plan(manifest, inputs, self.find),
            scripts={**self.attempts, **(pipeline.attempts if pipeline else {})},
            fields=fields,
            user_id=user_id,
            clock=self._clock.fork(),
            scaled=self._clock.scaled,
            status_script=pipeline.status_script if pipeline else (),
        )
        self._runs[run.run_id] = run
        if fields.get("NoConfirmRequired", True):
            run.start()
        return run
