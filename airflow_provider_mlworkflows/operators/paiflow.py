"""Starting Alibaba Cloud PAI pipelines and acting on their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.operators.acting import RerunOperator, StopOperator
from airflow_provider_mlworkflows.operators.paiflow_references import source_of, unveiled, veiled
from airflow_provider_mlworkflows.operators.starting import StartOperator
from airflow_provider_mlworkflows.runs import RunRef
from airflow_provider_mlworkflows.services.paiflow import PAIFLOW

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.hooks.paiflow import PaiFlowHook
    from airflow_provider_mlworkflows.operators.records import StartRecord
    from airflow_provider_mlworkflows.runs import Run

SCOPE_FIELDS = ("alibaba_conn_id", "region", "workspace_id")


class PaiFlowStartPipelineOperator(StartOperator):
    """Start a run of a pipeline and follow it to its end (CreatePipelineRun).

    Returns the run's id. Pushes ``run_id`` and ``run_url`` as soon as the run exists, and ``run``, ``steps`` and
    ``outputs`` (models, data sets, metrics, evaluations) when it is over. The run carries a ``SourceId`` of this
    operator's own, by which a later attempt finds it.

    :param pipeline_id: a stored pipeline; either this or ``manifest``.
    :param manifest: a pipeline as YAML text, as a mapping, or as the name of a templated ``.yaml`` file. Its own
        references, such as ``{{inputs.parameters.table}}``, reach the service as they are.
    :param parameters: ``{name: value}``; each must be declared by the pipeline.
    :param artifacts: ``{name: value}``; likewise.
    :param run_name: name of the run; the service makes one up if None.
    :param options: further options of the service, such as ``{"mlflow": {"experimentId": ...}}``.
    :param accessibility: ``PUBLIC`` (the service's default) or ``PRIVATE`` within the workspace.
    :param alibaba_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param workspace_id: overrides the connection's workspace.
    :param kwargs: as `StartOperator` and `RunOperator` take them.
    :raises InvalidInputError: before anything is started, if an argument cannot be right.
    :raises RunError: if the run does not succeed.
    """

    service = PAIFLOW
    template_fields: Sequence[str] = (
        "pipeline_id",
        "manifest",
        "parameters",
        "artifacts",
        "run_name",
        "options",
        "accessibility",
        *SCOPE_FIELDS,
    )
    template_ext: Sequence[str] = (".yaml", ".yml")
    template_fields_renderers = {"manifest": "yaml", "parameters": "json", "artifacts": "json"}  # noqa: RUF012

    if TYPE_CHECKING:
        hook: PaiFlowHook

    def __init__(
        self,
        *,
        pipeline_id: str | None = None,
        manifest: str | Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        artifacts: Mapping[str, Any] | None = None,
        run_name: str | None = None,
        options: Mapping[str, Any] | str | None = None,
        accessibility: str | None = None,
        alibaba_conn_id: str | None = "alibaba_mlworkflows_default",
        region: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline_id = pipeline_id
        self.manifest = manifest
        self.parameters = parameters
        self.artifacts = artifacts
        self.run_name = run_name
        self.options = options
        self.accessibility = accessibility
        self.alibaba_conn_id = alibaba_conn_id
        self.region = region
        self.workspace_id = workspace_id

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Render Airflow's templates, and leave a pipeline's own references alone, which look the same."""
        if not isinstance(content, str):
            return super().render_template(content, context, jinja_env, seen_oids)
        source = source_of(
            content, self.template_ext, jinja_env or self.get_template_env(), may_be_file=content is self.manifest
        )
        return unveiled(super().render_template(veiled(source), context, jinja_env, seen_oids))

    @property
    def started_workflow(self) -> str:
        """The stored pipeline, "" for a manifest."""
        return self.pipeline_id or ""

    def state_before(self) -> dict[str, Any] | None:
        """What the manifest's pipeline is called, for it has no id."""
        if self.manifest is None:
            return None
        from airflow_provider_mlworkflows.clouds.alibaba.paiflow_manifests import pipeline_name  # not at Dag parse

        name = pipeline_name(self.manifest)
        return None if name is None else {"pipeline": name}

    def is_changed_since(self, record: StartRecord) -> bool:
        """Whether another pipeline is to be started now, stored or by another manifest."""
        now = self.state_before()
        return super().is_changed_since(record) or (None not in (record.before, now) and record.before != now)

    def prepare_start(self) -> None:
        """Check manifest and arguments against what the pipeline declares (GetPipeline)."""
        self._arguments = self.hook.checked_arguments(
            pipeline_id=self.pipeline_id,
            manifest=self.manifest,
            parameters=self.parameters or {},
            artifacts=self.artifacts or {},
        )

    def start_run(self, marker: str) -> Run:
        """Start the run, with the marker as its ``SourceId``."""
        return self.hook.start_run(
            pipeline_id=self.pipeline_id,
            manifest=self.manifest,
            arguments=self._arguments,
            name=self.run_name,
            workspace_id=self.workspace_id,
            source_id=marker,
            options=self.options,
            accessibility=self.accessibility,
        )

    def find_started(self, record: StartRecord) -> Run | None:
        """The run with the marker as its ``SourceId``."""
        return self.hook.find_run(record.token, workflow_id=record.workflow_id, workspace_id=self.workspace_id)

    def repair_run(self, run: Run) -> None:
        """Run the failed nodes again, with the arguments that the run was created with (RerunPipelineRun)."""
        self.hook.repair_run(run)


class PaiFlowRerunOperator(RerunOperator):
    """Run the failed nodes of a run again, and follow the run to its new end (RerunPipelineRun).

    Returns the run's id. An answered rerun is not sent again by a later attempt of the task; one whose answer was lost
    only if the run has shown no change for half a minute.

    :param run_id: the run.
    :param alibaba_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param workspace_id: overrides the connection's workspace.
    :param kwargs: as `StartOperator` and `RunOperator` take them.
    :raises RunError: if the run does not succeed.
    """

    service = PAIFLOW
    template_fields: Sequence[str] = ("run_id", *SCOPE_FIELDS)

    if TYPE_CHECKING:
        hook: PaiFlowHook

    def __init__(
        self,
        *,
        run_id: str,
        alibaba_conn_id: str | None = "alibaba_mlworkflows_default",
        region: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.alibaba_conn_id = alibaba_conn_id
        self.region = region
        self.workspace_id = workspace_id

    @property
    def ref(self) -> RunRef:
        """The run."""
        return RunRef("", self.run_id)

    def rerun(self, run: Run) -> None:
        """Ask for the failed nodes to be run again."""
        self.hook.repair_run(run)


class PaiFlowTerminateOperator(StopOperator):
    """Terminate a run (TerminatePipelineRun).

    Returns the run's id once the run is over, also if it was over already.

    :param run_id: the run.
    :param alibaba_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param workspace_id: overrides the connection's workspace.
    :param kwargs: as `RunOperator` takes them.
    """

    service = PAIFLOW
    template_fields: Sequence[str] = ("run_id", *SCOPE_FIELDS)

    def __init__(
        self,
        *,
        run_id: str,
        alibaba_conn_id: str | None = "alibaba_mlworkflows_default",
        region: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.alibaba_conn_id = alibaba_conn_id
        self.region = region
        self.workspace_id = workspace_id

    @property
    def ref(self) -> RunRef:
        """The run."""
        return RunRef("", self.run_id)
