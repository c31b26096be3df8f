"""Operations on pipeline runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_inputs import Inputs, arguments_text, options_text
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_manifests import Manifest, manifest_text
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_models import (
    Answer,
    CreatedRun,
    PipelineRun,
    PipelineRuns,
    Rerun,
    RunsStatus,
)
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_requests import (
    IN_WORKSPACE,
    OUTPUT_TYPES,
    PAGE_SIZE,
    RUN,
    RUNS,
    call,
    checked_choice,
    checked_id,
    checked_ids,
    checked_number,
    checked_order,
    pages,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Session, listing, operation
from airflow_provider_mlworkflows.exceptions import InvalidInputError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import Request

MANIFEST_TYPES = ("Raw", "Frozen", "Expanded", "Rendered", "Runtime")
SOURCE_TYPES = ("UNKNOWN", "SDK", "DESIGNER", "M6")
ACCESSIBILITIES = ("PUBLIC", "PRIVATE")


def starts_at_once(no_confirm_required: bool | None) -> bool:
    """Whether a run is to start as soon as it is created: the service's default for what it is not told is another."""
    return no_confirm_required is None or no_confirm_required


@operation
def create_pipeline_run(
    _: Session,
    *,
    pipeline_id: str | None = None,
    manifest: Manifest | None = None,
    parameters: Inputs = (),
    artifacts: Inputs = (),
    arguments: str | None = None,
    name: str | None = None,
    workspace_id: str | None = None,
    no_confirm_required: bool | None = True,
    source_type: str | None = None,
    source_id: str | None = None,
    options: Mapping[str, Any] | str | None = None,
    accessibility: str | None = None,
) -> Request[CreatedRun]:
    """Run a stored pipeline or a manifest (CreatePipelineRun).

    Every call makes another run; there is no client token.

    :param pipeline_id: the stored pipeline; either this or the manifest.
    :param manifest: YAML text, or the same as a mapping.
    :param parameters: ``{name: value}``, or the service's list.
    :param artifacts: ``{name: value}``, or the service's list; see `artifact_items`.
    :param arguments: parameters and artifacts as the YAML text that the service takes, instead of both.
    :param name: of the run; the service makes one up if None.
    :param workspace_id: digits; the connection's if None.
    :param no_confirm_required: start at once, also if None. Otherwise it stays ``Initialized`` until it is started.
    :param source_type: ``UNKNOWN`` (the service's default), ``SDK``, ``DESIGNER`` or ``M6``.
    :param source_id: text of one's own, to find the run by.
    :param options: such as ``{"mlflow": {"experimentId": "exp-..."}}``.
    :param accessibility: ``PUBLIC`` (the service's default: seen in the whole workspace) or ``PRIVATE``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right or no workspace is known.
    :raises TransportError: if no answer came; ``may_have_taken_effect`` tells whether it may have started.
    """
    if (pipeline_id is None) == (manifest is None):
        raise InvalidInputError("A run needs either a pipeline_id or a manifest, not both and not neither.")
    text = None if manifest is None else manifest_text(manifest)
    return call(
        "CreatePipelineRun",
        "POST",
        RUNS,
        CreatedRun,
        body={
            "PipelineId": None if pipeline_id is None else checked_id("pipeline_id", pipeline_id),
            "Name": name,
            "PipelineManifest": text,
            "Arguments": arguments_text(parameters, artifacts, arguments, manifest=text),
            "NoConfirmRequired": starts_at_once(no_confirm_required),
            "WorkspaceId": workspace_id,
            "SourceType": checked_choice("source_type", source_type, SOURCE_TYPES),
            "SourceId": source_id,
            "Options": options_text(options),
            "Accessibility": checked_choice("accessibility", accessibility, ACCESSIBILITIES),
        },
        account_fields=IN_WORKSPACE,
        required=("WorkspaceId",),
    )


@operation
def get_pipeline_run(
    _: Session,
    run_id: str,
    *,
    verbose: bool | None = None,
    manifest_type: str | None = None,
    token_id: str | None = None,
) -> Request[PipelineRun]:
    """One run (GetPipelineRun).

    :param run_id: the run.
    :param verbose: with its manifest.
    :param manifest_type: ``Raw`` (as submitted, the default), ``Frozen``, ``Expanded``, ``Rendered`` or ``Runtime``.
    :param token_id: token by which the run was shared.
    :raises NotFoundError: if there is no such run.
    """
    return call(
        "GetPipelineRun",
        "GET",
        RUN,
        PipelineRun,
        ids={"run_id": run_id},
        query={
            "Verbose": verbose,
            "ManifestType": checked_choice("manifest_type", manifest_type, MANIFEST_TYPES),
            "TokenId": token_id,
        },
        safe=True,
    )


def _page(
    *,
    name: str | None,
    status: str | None,
    run_id: str | None,
    pipeline_ids: Iterable[str],
    source_type: str | None,
    source_id: str | None,
    user_id: str | None,
    workspace_id: str | None,
    sort_by: str | None,
    order: str | None,
    page_number: int | None,
    page_size: int | None,
) -> Request[PipelineRuns]:
    return call(
        "ListPipelineRuns",
        "GET",
        RUNS,
        PipelineRuns,
        query={
            "PageNumber": checked_number("page_number", page_number, 1),
            "PageSize": checked_number("page_size", page_size, 1),
            "SortBy": sort_by,
            "Order": checked_order(sort_by, order),
            "Name": name,
            "Status": status,
            "PipelineRunId": run_id,
            "PipelineIds": ",".join(checked_ids("pipeline_ids", pipeline_ids)) or None,
            "SourceType": checked_choice("source_type", source_type, SOURCE_TYPES),
            "SourceId": source_id,
            "UserId": user_id,
            "WorkspaceId": workspace_id,
        },
        account_fields=IN_WORKSPACE,
        safe=True,
    )


@operation
def list_pipeline_runs(
    _: Session,
    *,
    name: str | None = None,
    status: str | None = None,
    run_id: str | None = None,
    pipeline_ids: Iterable[str] = (),
    source_type: str | None = None,
    source_id: str | None = None,
    user_id: str | None = None,
    workspace_id: str | None = None,
    sort_by: str | None = None,
    order: str | None = None,
    page_number: int | None = None,
    page_size: int | None = None,
) -> Request[PipelineRuns]:
    """One page of runs, without manifests and arguments (ListPipelineRuns).

    :param name: only runs of this name.
    :param status: only runs in this one status.
    :param run_id: only this run.
    :param pipeline_ids: only runs of these pipelines.
    :param source_type: as in `create_pipeline_run`.
    :param source_id: as in `create_pipeline_run`.
    :param user_id: only runs of this user.
    :param workspace_id: digits; the connection's if None.
    :param sort_by: such as ``GmtCreateTime`` or ``StartedAt``.
    :param order: ``ASC`` or ``DESC`` (the service's default); only together with ``sort_by``.
    :param page_number: from 1, the default.
    :param page_size: items per page; the service's default (10) if None.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    """
    return _page(
        name=name,
        status=status,
        run_id=run_id,
        pipeline_ids=pipeline_ids,
        source_type=source_type,
        source_id=source_id,
        user_id=user_id,
        workspace_id=workspace_id,
        sort_by=sort_by,
        order=order,
        page_number=page_number,
        page_size=page_size,
    )


@listing
def iter_pipeline_runs(
    _: Session,
    *,
    name: str | None = None,
    status: str | None = None,
    pipeline_ids: Iterable[str] = (),
    source_type: str | None = None,
    source_id: str | None = None,
    user_id: str | None = None,
    workspace_id: str | None = None,
    sort_by: str | None = None,
    order: str | None = None,
) -> Pages[PipelineRun]:
    """All runs, page after page (ListPipelineRuns); parameters as in `list_pipeline_runs`."""
    wanted = checked_ids("pipeline_ids", pipeline_ids)
    yield from pages(
        lambda number: _page(
            name=name,
            status=status,
            run_id=None,
            pipeline_ids=wanted,
            source_type=source_type,
            source_id=source_id,
            user_id=user_id,
            workspace_id=workspace_id,
            sort_by=sort_by,
            order=order,
            page_number=number,
            page_size=PAGE_SIZE,
        ),
        lambda page: page.pipeline_runs,
        lambda run: run.pipeline_run_id,
    )


@operation
def list_pipeline_runs_status(
    _: Session,
    *,
    run_ids: Iterable[str] = (),
    nodes: Iterable[tuple[str, str] | Mapping[str, str]] = (),
    workspace_id: str | None = None,
    output_type: str | None = None,
) -> Request[RunsStatus]:
    """The statuses of several runs, or of several nodes, in one read (ListPipelineRunsStatus).

    What does not exist or may not be seen is absent from the answer; a deleted run says so.

    :param run_ids: runs.
    :param nodes: ``(run id, node id)`` pairs, or the service's own ``{"PipelineRunId": ..., "NodeId": ...}``. If
        there are any, the service looks at them alone.
    :param workspace_id: digits; the connection's if None.
    :param output_type: outputs to show too: ``Model``, ``DataSet``, ``Metrics`` or ``ModelEvaluation``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    """
    runs = checked_ids("run_ids", run_ids)
    pairs = [_run_and_node(each) for each in nodes]
    if not runs and not pairs:
        raise InvalidInputError("There are neither run_ids nor nodes to ask for.")
    return call(
        "ListPipelineRunsStatus",
        "PUT",
        RUNS,
        RunsStatus,
        body={
            "PipelineRuns": runs or None,
            "Nodes": pairs or None,
            "WorkspaceId": workspace_id,
            "OutputType": checked_choice("output_type", output_type, OUTPUT_TYPES),
        },
        account_fields=IN_WORKSPACE,
        safe=True,
    )


def _run_and_node(pair: object) -> dict[str, str]:
    names = ("PipelineRunId", "NodeId")
    ids = [pair.get(name) for name in names] if isinstance(pair, Mapping) else pair
    if not isinstance(ids, list | tuple) or len(ids) != len(names):
        raise InvalidInputError(f"nodes should be pairs of a run's and a node's id, not {pair!r}.")
    return dict(zip(names, checked_ids("nodes", ids), strict=True))


@operation
def update_pipeline_run(_: Session, run_id: str, *, name: str) -> Request[Answer]:
    """Rename a run (UpdatePipelineRun).

    :param run_id: the run.
    :param name: its new name.
    :raises NotFoundError: if there is no such run.
    """
    return call("UpdatePipelineRun", "PUT", RUN, Answer, ids={"run_id": run_id}, body={"Name": name}, safe=True)


@operation
def delete_pipeline_run(_: Session, run_id: str) -> Request[Answer]:
    """Delete a run that is over or has not begun (DeletePipelineRun).

    :param run_id: the run.
    :raises NotFoundError: if it does not exist, also if an earlier attempt has deleted it.
    :raises ApiError: if the service refuses, such as while the run goes on.
    """
    return call("DeletePipelineRun", "DELETE", RUN, Answer, ids={"run_id": run_id}, safe=True)


@operation
def start_pipeline_run(_: Session, run_id: str) -> Request[Answer]:
    """Start a run that was created unstarted (StartPipelineRun).

    :param run_id: the run.
    :raises NotFoundError: if there is no such run.
    :raises ApiError: if the service refuses, such as in the wrong state.
    """
    return call("StartPipelineRun", "PUT", f"{RUN}/start", Answer, ids={"run_id": run_id})


@operation
def rerun_pipeline_run(_: Session, run_id: str) -> Request[Rerun]:
    """Run the failed nodes of a run again, within the same run (RerunPipelineRun).

    The service accepts and acts later: go on reading the run until it shows the effect.

    :param run_id: the run.
    :raises NotFoundError: if there is no such run.
    :raises ApiError: if the service refuses, such as in the wrong state.
    """
    return call("RerunPipelineRun", "PUT", f"{RUN}/rerun", Rerun, ids={"run_id": run_id})


@operation
def terminate_pipeline_run(_: Session, run_id: str) -> Request[Answer]:
    """Stop a run (TerminatePipelineRun): it becomes ``Terminating``, some time later ``Terminated``.

    :param run_id: the run.
    :raises NotFoundError: if there is no such run.
    :raises ApiError: if the service refuses, such as for a run that is over.
    """
    return call("TerminatePipelineRun", "PUT", f"{RUN}/termination", Answer, ids={"run_id": run_id}, safe=True)
