"""Alibaba Cloud PAI workflows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_mlworkflows.clouds.alibaba.paiflow import PaiFlowApi
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_inputs import Inputs, arguments_text
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_manifests import (
    DeclaredInputs,
    Manifest,
    declared_inputs,
    inputs_of,
    manifest_documents,
    manifest_text,
)
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_requests import checked_text
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_runs import starts_at_once
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_states import (
    INITIAL_STATUS,
    METRIC_TYPES,
    START_GATE,
    is_suspended,
    outputs_by_step,
    run_of,
    run_state,
    start_gate,
    steps_of,
)
from airflow_provider_mlworkflows.clouds.operation import Steps, operation
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    InvalidInputError,
    MLWorkflowsError,
    PermissionDeniedError,
    ServerError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.hooks import alibaba
from airflow_provider_mlworkflows.hooks.base import ConnectionFields, RunHook
from airflow_provider_mlworkflows.hooks.paiflow_batches import BatchReader, checked_chunk_size
from airflow_provider_mlworkflows.hooks.paiflow_logs import UNTOLD, LogReader
from airflow_provider_mlworkflows.runs import NewLog, Run, RunRef, RunState, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_mlworkflows.clouds.alibaba.paiflow_models import PipelineRun
    from airflow_provider_mlworkflows.clouds.alibaba.paiflow_nodes import PlacedNode
    from airflow_provider_mlworkflows.clouds.client import Client

CONSOLE = "https://pai.console.aliyun.com/"
SOURCE_TYPE = "SDK"


class PaiFlowHook(PaiFlowApi, RunHook):
    """Every operation of PAI workflows, and their runs in the words of every service.

    Operations can be called, or awaited through ``aio``::

        hook.get_pipeline_run(run_id)
        await hook.get_pipeline_run.aio(run_id)

    A run is known by its id alone: the ``workflow_id`` of a ref is handed back as it was given.

    :param alibaba_conn_id: Airflow connection of type ``alibaba_mlworkflows`` or ``alibaba_cloud``; None for
        the environment's own credentials.
    :param region: overrides the connection's region, e.g. ``cn-hangzhou``.
    :param workspace_id: overrides the connection's workspace.
    :param chunk_size: runs per batch read; fewer if the service finds them too many, which holds for as long as this
        hook exists. If None it is ``[mlworkflows] paiflow_chunk_size`` of Airflow's configuration, or else 100.
    :param options: as `RunHook` takes them.
    :raises InvalidInputError: if region or workspace is no text, or the chunk size is less than 1.
    """

    conn_name_attr = alibaba.CONN_NAME_ATTR
    default_conn_name = alibaba.DEFAULT_CONN_NAME
    conn_type = alibaba.CONN_TYPE
    hook_name = alibaba.HOOK_NAME
    foreign_conn_types = alibaba.FOREIGN_CONN_TYPES
    log_lag = 10.0

    def __init__(
        self,
        alibaba_conn_id: str | None = alibaba.DEFAULT_CONN_NAME,
        *,
        region: str | None = None,
        workspace_id: str | None = None,
        chunk_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(alibaba_conn_id, **options)
        self.region = checked_text("region", region)
        self.workspace_id = checked_text("workspace_id", workspace_id)
        self.chunk_size = checked_chunk_size(chunk_size)

    @cached_property
    def reader(self) -> BatchReader:
        """Reads statuses in chunks."""
        return BatchReader(self, self.chunk_size, self.service_time, self._run_url)

    @cached_property
    def log_reader(self) -> LogReader:
        """Reads the nodes' logs."""
        return LogReader(self)

    def client_for(self, fields: ConnectionFields) -> Client:
        """Make the client for PAIFlow in the connection's region.

        :raises ConfigurationError: if the connection's fields do not make sense.
        """
        return alibaba.alibaba_client(
            fields,
            "paiflow",
            "PAIFlow",
            region=self.region,
            workspace_id=self.workspace_id,
            **self.client_options,
        )

    def test_connection(self) -> tuple[bool, str]:
        """List one run (ListPipelineRuns); say who sees how many and where, or what to change.

        It is asked once, and given up after ten seconds without an answer.
        """
        return self.tested(
            "ListPipelineRuns",
            lambda hook: f"{hook.list_pipeline_runs(page_number=1, page_size=1).total_count or 0} runs are visible",
            needed="Listing runs needs the RAM action paiflow:ListPipelineRuns.",
        )

    # Reading runs

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read a run with its nodes, and what it has put out once it is over.

        (GetPipelineRun, GetPipelineRunNode, ListPipelineRunNodeOutputs)

        :param ref: the run; what of its nodes or outputs cannot be told, its ``unread`` says.
        :raises NotFoundError: if there is no such run.
        :raises ApiError: if the service refuses.
        """
        run = yield from self.get_pipeline_run.steps(ref.run_id)
        nodes: list[PlacedNode] | None = []
        outputs: dict[str, dict[str, Any]] = {}
        unread: MLWorkflowsError | None = None
        if run.node_id:  # else it has no nodes yet
            try:
                nodes = yield from self.iter_pipeline_run_nodes.steps(run.pipeline_run_id, run.node_id)
            except UNTOLD as error:
                nodes, unread = None, error
        if run.node_id and run_state(run.status).is_terminal:
            try:
                outputs = yield from self._outputs(run, steps_of(nodes or ()))
            except ServerError as error:
                unread = unread or error
        now = self.service_time()
        return run_of(run, nodes, ref=ref, url=self._url(run), now=now, outputs=outputs, unread=unread)

    def _outputs(self, run: PipelineRun, steps: Sequence[Step]) -> Steps[dict[str, dict[str, Any]]]:
        """All that a run has put out. It is what it is without them, so it is only noted if they are not told."""
        try:
            found = yield from self.iter_pipeline_run_node_outputs.steps(run.pipeline_run_id, run.node_id)
        except ServerError:
            raise  # it may be answered a moment later
        except UNTOLD as error:
            self.log.warning("The outputs of run %s cannot be read. %s", run.pipeline_run_id, error)
            return {}
        return outputs_by_step(found, steps)

    @operation
    def get_runs(self, refs: Sequence[RunRef]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Read the statuses of several runs, many in one request (ListPipelineRunsStatus).

        Steps do not show. A run that the answer lacks is read by itself (GetPipelineRun).

        :param refs: the runs.
        :returns: for each its run, or the error that concerns it.
        """
        return (yield from self.reader.read(refs))

    def take_over(self, former: Self) -> None:
        """Go on with the search for a run that keeps others from being read."""
        self.reader.take_over(former.reader)

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """Divide refs into groups of the chunk size."""
        return self.reader.chunks(refs)

    # Acting on runs

    @operation
    def start_run(
        self,
        *,
        pipeline_id: str | None = None,
        manifest: Manifest | None = None,
        parameters: Inputs = (),
        artifacts: Inputs = (),
        arguments: str | None = None,
        name: str | None = None,
        workspace_id: str | None = None,
        source_id: str | None = None,
        options: Mapping[str, Any] | str | None = None,
        accessibility: str | None = None,
        no_confirm_required: bool | None = True,
    ) -> Steps[Run]:
        """Start a stored pipeline or a manifest (CreatePipelineRun).

        Arguments as `create_pipeline_run` takes them; ``source_id`` is the marker that `find_run` looks for.
        """
        created = yield from self.create_pipeline_run.steps(
            pipeline_id=pipeline_id,
            manifest=manifest,
            parameters=parameters,
            artifacts=artifacts,
            arguments=arguments,
            name=name,
            workspace_id=workspace_id,
            no_confirm_required=no_confirm_required,
            source_type=SOURCE_TYPE,
            source_id=source_id,
            options=options,
            accessibility=accessibility,
        )
        run_id, is_started = created.pipeline_run_id, starts_at_once(no_confirm_required)
        return Run(
            ref=RunRef(pipeline_id or "", run_id),
            state=RunState.ACTIVE if is_started else RunState.WAITING,
            status=INITIAL_STATUS,
            steps=() if is_started else (start_gate(INITIAL_STATUS),),
            name=checked_text("name", name) or "",
            url=self._run_url(run_id, workspace_id),
            has_steps=not is_started,
        )

    @operation
    def checked_arguments(
        self,
        *,
        pipeline_id: str | None = None,
        manifest: Manifest | None = None,
        parameters: Inputs = (),
        artifacts: Inputs = (),
        arguments: str | None = None,
    ) -> Steps[str | None]:
        """The arguments of a run as YAML, checked against what the pipeline declares (GetPipeline).

        Parameters as `create_pipeline_run` takes them.

        :raises InvalidInputError: if the manifest cannot be right, or the arguments do not fit it.
        :raises NotFoundError: if there is no such pipeline.
        """
        if (pipeline_id is None) == (manifest is None):
            raise InvalidInputError("A run needs either a pipeline_id or a manifest, not both and not neither.")
        declared: DeclaredInputs | None
        if pipeline_id is not None:
            pipeline = yield from self.get_pipeline.steps(pipeline_id)
            declared = _declared_or_unknown(pipeline.manifest)
        else:
            declared = declared_inputs(manifest_text(manifest or ""))
        return arguments_text(parameters, artifacts, arguments, declared=declared)

    @operation
    def find_run(self, source_id: str, *, workflow_id: str = "", workspace_id: str | None = None) -> Steps[Run | None]:
        """The newest run with a ``SourceId`` (ListPipelineRuns), None if there is none.

        :param source_id: what the run was started with; others that the service finds similar are left out.
        :param workflow_id: for the ref of the run.
        :param workspace_id: digits; the connection's if None.
        :raises ApiError: if the service refuses.
        """
        page = yield from self.list_pipeline_runs.steps(
            source_id=source_id,
            workspace_id=workspace_id,
            sort_by="GmtCreateTime",
            order="DESC",
            page_number=1,
            page_size=10,
        )
        for run in page.pipeline_runs:
            if run.source_id == source_id:
                ref = RunRef(workflow_id, run.pipeline_run_id)
                return run_of(run, None, ref=ref, url=self._url(run), now=self.service_time())
        return None

    @operation
    def stop_run(self, ref: RunRef, *, force: bool = False) -> Steps[bool]:
        """Terminate a run (TerminatePipelineRun), also a suspended one.

        :param ref: the run.
        :param force: send the request even if the run looks over.
        :returns: False if it was over or stopping already.
        :raises NotFoundError: if there is no such run.
        :raises ApiError: if the service refuses, and the run goes on.
        """
        if not force:
            run = yield from self.get_pipeline_run.steps(ref.run_id)
            if _is_settled(run):
                return False
        try:
            yield from self.terminate_pipeline_run.steps(ref.run_id)
        except (BadRequestError, PermissionDeniedError, ServerError, UnexpectedReplyError):
            # It may have ended between the two requests.
            run = yield from self.get_pipeline_run.steps(ref.run_id)
            if _is_settled(run):
                return False
            raise
        return True

    @operation
    def continue_step(self, run: Run, step: Step, inputs: Mapping[str, Any]) -> Steps[None]:
        """Start a run that was created unstarted (StartPipelineRun): its gate is the step ``start``.

        :param inputs: must be empty; nodes take no inputs while a run goes on.
        :raises InvalidInputError: for any other step, since nodes of PAIFlow do not wait for people.
        :raises ApiError: if the service refuses.
        """
        if step.name != START_GATE or not step.is_gate:
            raise InvalidInputError(
                f"Step {step.name} cannot be continued: nodes of PAIFlow never wait for a person. Only a run that was "
                f"created unstarted can be started, by the name {START_GATE!r}."
            )
        if inputs:
            raise InvalidInputError("Starting a run takes no inputs; give its arguments when it is created.")
        yield from self.start_pipeline_run.steps(run.ref.run_id)

    @operation
    def repair_run(self, run: Run) -> Steps[None]:
        """Run the failed nodes of a run again (RerunPipelineRun), within the same run.

        :param run: as last read.
        :raises ApiError: if the service refuses.
        """
        yield from self.rerun_pipeline_run.steps(run.ref.run_id)

    # What runs leave behind

    @operation
    def get_failure_log(self, run: Run) -> Steps[str]:
        """The last 50 log lines of each node that failed by itself (ListPipelineRunNodeLogs).

        :param run: as last read, with its nodes.
        """
        return (yield from self.log_reader.last_lines(run))

    @operation
    def get_new_log(self, run: Run, cursor: Mapping[str, int]) -> Steps[NewLog]:
        """The lines that the nodes of a run have logged since (ListPipelineRunNodeLogs), node after node.

        :param run: as last read, with its nodes.
        :param cursor: lines that have been seen, by node id; the answer holds the next one.
        """
        return (yield from self.log_reader.new_lines(run, cursor))

    @operation
    def get_metrics(self, run: Run) -> Steps[Mapping[str, Any]]:
        """Metrics and evaluations by step and output (ListPipelineRunNodeOutputs).

        :param run: as last read, with its nodes.
        :raises ApiError: if the service refuses.
        """
        shown = yield from self.get_pipeline_run.steps(run.ref.run_id)
        if not shown.node_id:
            return {}
        outputs = yield from self.iter_pipeline_run_node_outputs.steps(shown.pipeline_run_id, shown.node_id)
        measured = outputs_by_step((each for each in outputs if each.type in METRIC_TYPES), run.steps)
        return {step: {name: each["value"] for name, each in found.items()} for step, found in measured.items()}

    def _url(self, run: PipelineRun) -> str:
        return self._run_url(run.pipeline_run_id, run.workspace_id)

    def _run_url(self, run_id: str, workspace_id: str | None = None) -> str:
        """Where the console shows a run; "" if the region is not known. Needs the connection, once it was used."""
        region = self.client.region
        workspace = workspace_id or alibaba.workspace_of(self.client)
        return f"{CONSOLE}?regionId={region}&workspaceId={workspace}#/studio/task/detail/{run_id}" if region else ""


def _is_settled(run: PipelineRun) -> bool:
    state = run_state(run.status)
    return state is RunState.STOPPING or (state.is_terminal and not is_suspended(run.status))


def _declared_or_unknown(manifest: str) -> DeclaredInputs | None:
    """What a stored pipeline takes; None if its manifest is in a form nobody documented."""
    try:
        documents = manifest_documents(manifest)
    except InvalidInputError:
        return None
    return inputs_of(documents[-1]) if "spec" in documents[-1] else None
