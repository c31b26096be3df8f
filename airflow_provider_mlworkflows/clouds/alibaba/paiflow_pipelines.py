"""Operations on stored pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_manifests import Manifest, manifest_text
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_models import Answer, CreatedPipeline, Pipeline, Pipelines
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_requests import (
    IN_WORKSPACE,
    PAGE_SIZE,
    PIPELINE,
    PIPELINES,
    call,
    checked_number,
    pages,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Session, listing, operation

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import Request


@operation
def create_pipeline(_: Session, manifest: Manifest, *, workspace_id: str | None = None) -> Request[CreatedPipeline]:
    """Store a pipeline (CreatePipeline). Its identifier, provider and version must be new together.

    :param manifest: YAML text, or the same as a mapping.
    :param workspace_id: digits; the connection's if None.
    :raises InvalidInputError: before anything is sent, if the manifest cannot be right or no workspace is known.
    """
    return call(
        "CreatePipeline",
        "POST",
        PIPELINES,
        CreatedPipeline,
        body={"WorkspaceId": workspace_id, "Manifest": manifest_text(manifest)},
        account_fields=IN_WORKSPACE,
        required=("WorkspaceId",),
    )


@operation
def update_pipeline(_: Session, pipeline_id: str, manifest: Manifest) -> Request[Answer]:
    """Replace a pipeline's manifest (UpdatePipeline). The pipeline gets another uuid.

    :param pipeline_id: the pipeline.
    :param manifest: YAML text, or the same as a mapping.
    :raises InvalidInputError: before anything is sent, if the manifest cannot be right.
    :raises NotFoundError: if there is no such pipeline.
    """
    return call(
        "UpdatePipeline",
        "PUT",
        PIPELINE,
        Answer,
        ids={"pipeline_id": pipeline_id},
        body={"Manifest": manifest_text(manifest)},
        safe=True,
    )


@operation
def get_pipeline(_: Session, pipeline_id: str) -> Request[Pipeline]:
    """One pipeline with its manifest (GetPipeline).

    :param pipeline_id: the pipeline.
    :raises NotFoundError: if there is no such pipeline.
    """
    return call("GetPipeline", "GET", PIPELINE, Pipeline, ids={"pipeline_id": pipeline_id}, safe=True)


@operation
def delete_pipeline(_: Session, pipeline_id: str) -> Request[Answer]:
    """Delete a pipeline (DeletePipeline), unless it is shared or part of another.

    :param pipeline_id: the pipeline.
    :raises NotFoundError: if it does not exist, also if an earlier attempt has deleted it.
    """
    return call("DeletePipeline", "DELETE", PIPELINE, Answer, ids={"pipeline_id": pipeline_id}, safe=True)


def _page(
    *,
    identifier: str | None,
    provider: str | None,
    version: str | None,
    workspace_id: str | None,
    fuzzy_matching: bool | None,
    page_number: int | None,
    page_size: int | None,
) -> Request[Pipelines]:
    return call(
        "ListPipelines",
        "GET",
        PIPELINES,
        Pipelines,
        query={
            "PageNumber": checked_number("page_number", page_number, 1),
            "PageSize": checked_number("page_size", page_size, 1),
            "PipelineIdentifier": identifier,
            "PipelineProvider": provider,
            "PipelineVersion": version,
            "WorkspaceId": workspace_id,
            "FuzzyMatching": fuzzy_matching,
        },
        # Another provider's pipelines, such as the official ones, belong to no workspace of the account.
        account_fields={} if provider else IN_WORKSPACE,
        safe=True,
    )


@operation
def list_pipelines(
    _: Session,
    *,
    identifier: str | None = None,
    provider: str | None = None,
    version: str | None = None,
    workspace_id: str | None = None,
    fuzzy_matching: bool | None = None,
    page_number: int | None = None,
    page_size: int | None = None,
) -> Request[Pipelines]:
    """One page of pipelines, without their manifests (ListPipelines).

    :param identifier: only pipelines with this identifier.
    :param provider: an account id, or ``pai`` for the official ones, which are in no workspace.
    :param version: only pipelines of this version.
    :param workspace_id: digits; the connection's if None and no provider is named.
    :param fuzzy_matching: take the identifier for a part of it.
    :param page_number: from 1, the default.
    :param page_size: items per page; the service's default if None.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    """
    return _page(
        identifier=identifier,
        provider=provider,
        version=version,
        workspace_id=workspace_id,
        fuzzy_matching=fuzzy_matching,
        page_number=page_number,
        page_size=page_size,
    )


@listing
def iter_pipelines(
    _: Session,
    *,
    identifier: str | None = None,
    provider: str | None = None,
    version: str | None = None,
    workspace_id: str | None = None,
    fuzzy_matching: bool | None = None,
) -> Pages[Pipeline]:
    """All pipelines, page after page (ListPipelines); parameters as in `list_pipelines`."""
    yield from pages(
        lambda number: _page(
            identifier=identifier,
            provider=provider,
            version=version,
            workspace_id=workspace_id,
            fuzzy_matching=fuzzy_matching,
            page_number=number,
            page_size=PAGE_SIZE,
        ),
        lambda page: page.pipelines,
        lambda pipeline: pipeline.pipeline_id,
    )
