"""Operations on services: models that were deployed to be called, to work off data, or to run at the edge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_choice
from airflow_provider_mlworkflows.clouds.huawei.modelarts_paging import (
    LARGEST_PAGE,
    checked_page,
    checked_sorting,
    numbered_pages,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import IN_WORKSPACE, Extra, body, query
from airflow_provider_mlworkflows.clouds.huawei.modelarts_secrets import with_environment
from airflow_provider_mlworkflows.clouds.huawei.modelarts_service_inputs import (
    INFER_TYPES,
    REAL_TIME,
    Versions,
    check_network,
    checked_description,
    checked_schedule,
    checked_service_id,
    checked_service_name,
    checked_versions,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_service_models import (
    CreatedService,
    InferenceService,
    ServicePage,
    UpdatedService,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, listing, operation
from airflow_provider_mlworkflows.exceptions import InvalidInputError

SERVICES = "/v1/{project_id}/services"
SERVICE = SERVICES + "/{service_id}"

SERVICE_SORTING = ("publish_at", "service_name", "transition_at")
TARGET_STATUSES = ("running", "stopped")


def _page_of_services(
    *,
    service_id: str | None,
    service_name: str | None,
    model_id: str | None,
    infer_type: str | None,
    status: str | None,
    workspace_id: str | None,
    limit: int | None,
    offset: int | None,
    sort_by: str | None,
    order: str | None,
) -> Request[ServicePage]:
    if infer_type is not None:
        checked_choice("infer_type", infer_type, INFER_TYPES)
    return Request(
        "ListServices",
        "GET",
        SERVICES,
        ServicePage,
        query=query(
            service_id=service_id,
            service_name=service_name,
            model_id=model_id,
            workspace_id=workspace_id,
            infer_type=infer_type,
            status=status,
            **checked_page(limit, offset),
            **checked_sorting(sort_by, order, SERVICE_SORTING),
        ),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


@operation
def list_services(
    _: Session,
    *,
    service_id: str | None = None,
    service_name: str | None = None,
    model_id: str | None = None,
    infer_type: str | None = None,
    status: str | None = None,
    workspace_id: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    sort_by: str | None = None,
    order: str | None = None,
) -> Request[ServicePage]:
    """One page of the services (ListServices).

    :param service_id: only this service.
    :param service_name: only those of this name; the service may take a part of a name too.
    :param model_id: only those of this model.
    :param infer_type: ``real-time``, ``batch`` or ``edge``.
    :param status: only those in this status, such as ``running``.
    :param workspace_id: only those of this workspace.
    :param limit: services per page, 1 to 1000; the service's default is 1000.
    :param offset: the page to begin with, default 0.
    :param sort_by: ``publish_at`` (the service's default), ``service_name`` or ``transition_at``.
    :param order: ``asc`` or ``desc`` (the service's default).
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    return _page_of_services(
        service_id=service_id,
        service_name=service_name,
        model_id=model_id,
        infer_type=infer_type,
        status=status,
        workspace_id=workspace_id,
        limit=limit,
        offset=offset,
        sort_by=sort_by,
        order=order,
    )


@listing
def iter_services(
    _: Session,
    *,
    service_id: str | None = None,
    service_name: str | None = None,
    model_id: str | None = None,
    infer_type: str | None = None,
    status: str | None = None,
    workspace_id: str | None = None,
    sort_by: str | None = None,
    order: str | None = None,
) -> Pages[InferenceService]:
    """All services, page after page (ListServices). Parameters as in `list_services`."""
    yield from numbered_pages(
        lambda offset: _page_of_services(
            service_id=service_id,
            service_name=service_name,
            model_id=model_id,
            infer_type=infer_type,
            status=status,
            workspace_id=workspace_id,
            limit=LARGEST_PAGE,
            offset=offset,
            sort_by=sort_by,
            order=order,
        ),
        lambda page: page.services,
        lambda service: service.service_id,
    )


@operation
def create_service(
    _: Session,
    service_name: str,
    config: Versions,
    *,
    infer_type: str = REAL_TIME,
    description: str | None = None,
    schedule: Sequence[Mapping[str, Any]] | None = None,
    cluster_id: str | None = None,
    pool_name: str | None = None,
    vpc_id: str | None = None,
    subnet_network_id: str | None = None,
    security_group_id: str | None = None,
    workspace_id: str | None = None,
    extra: Extra = None,
) -> Request[CreatedService]:
    """Deploy models as a service (CreateService). It is ready some time later: see `read_service`.

    There is no client token: look for the name before asking again (`find_services_by_name`).

    :param service_name: 1 to 64 Chinese characters, letters, digits, ``_`` and ``-``.
    :param config: the models, each ``{"model_id", "specification", "instance_count"}`` and what it needs further:
        ``weight`` among several models of a real-time service, 100 together; ``custom_spec`` for the specification
        ``custom``; ``src_path``, ``dest_path``, ``req_uri``, ``mapping_type`` and perhaps ``mapping_rule`` for
        batches; ``nodes`` at the edge.
    :param infer_type: ``real-time``, ``batch`` or ``edge``.
    :param description: up to 100 characters.
    :param schedule: when a real-time service stops, ``[{"type": "stop", "time_unit": "HOURS", "duration": 1}]``.
    :param cluster_id: the dedicated cluster to run in.
    :param pool_name: the resource pool to run in.
    :param vpc_id: the network to run in; then the next two are needed as well.
    :param subnet_network_id: the subnet.
    :param security_group_id: the security group.
    :param workspace_id: the service's default is ``0``.
    :param extra: further fields, such as ``additional_properties``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right; the message tells the rule.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    :raises TransportError: if no answer came; ``may_have_taken_effect`` tells whether it may be there.
    """
    checked_choice("infer_type", infer_type, INFER_TYPES)
    check_network(vpc_id, subnet_network_id, security_group_id)
    fields = body(
        extra,
        service_name=checked_service_name(service_name),
        infer_type=infer_type,
        config=checked_versions(config, infer_type),
        description=checked_description(description),
        schedule=checked_schedule(schedule, infer_type) or None,
        cluster_id=cluster_id,
        pool_name=pool_name,
        vpc_id=vpc_id,
        subnet_network_id=subnet_network_id,
        security_group_id=security_group_id,
        workspace_id=workspace_id,
    )
    request = Request("CreateService", "POST", SERVICES, CreatedService, body=fields, account_fields=IN_WORKSPACE)
    return with_environment(request, fields["config"])


@operation
def show_service(_: Session, service_id: str) -> Request[InferenceService]:
    """One service with its models and its address (ShowService).

    :param service_id: the service.
    :raises InvalidInputError: before anything is sent, if the id cannot be right.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "ShowService", "GET", SERVICE, InferenceService, path_params=_service(service_id), safe_to_repeat=True
    )


@operation
def update_service(
    _: Session,
    service_id: str,
    *,
    status: str | None = None,
    config: Versions | None = None,
    description: str | None = None,
    schedule: Sequence[Mapping[str, Any]] | None = None,
    infer_type: str | None = None,
    extra: Extra = None,
) -> Request[UpdatedService]:
    """Change a service, or start or stop it (UpdateService). What is None stays. It takes effect some time later.

    :param service_id: the service.
    :param status: ``running`` to start it, ``stopped`` to stop it.
    :param config: all its models anew, as in `create_service`. Not together with ``status``.
    :param description: up to 100 characters.
    :param schedule: when it stops, as in `create_service`; empty for never.
    :param infer_type: what it does; not sent, but used to check ``config`` and ``schedule`` more strictly.
    :param extra: further fields, such as ``additional_properties``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right; the message tells the rule.
    :raises NotFoundError: if it does not exist.
    """
    if infer_type is not None:
        checked_choice("infer_type", infer_type, INFER_TYPES)
    if status is not None:
        checked_choice("status", status, TARGET_STATUSES)
        if config is not None:
            raise InvalidInputError(
                "status and config are given, but of the two the service would only heed status. "
                "Change config first, and status with another call."
            )
    fields = body(
        extra,
        status=status,
        config=None if config is None else checked_versions(config, infer_type),
        description=checked_description(description),
        schedule=checked_schedule(schedule, infer_type),
    )
    if not fields:
        raise InvalidInputError("Nothing is to be changed: give status, config, description or schedule.")
    request = Request(
        "UpdateService",
        "PUT",
        SERVICE,
        UpdatedService,
        path_params=_service(service_id),
        body=fields,
        safe_to_repeat=True,
    )
    return with_environment(request, () if config is None else fields["config"])


@operation
def delete_service(_: Session, service_id: str) -> Request[None]:
    """Delete a service (DeleteService).

    :param service_id: the service.
    :raises InvalidInputError: before anything is sent, if the id cannot be right.
    :raises NotFoundError: if it does not exist, also if an earlier attempt has deleted it.
    """
    return Request("DeleteService", "DELETE", SERVICE, None, path_params=_service(service_id), safe_to_repeat=True)


def _service(service_id: object) -> dict[str, str]:
    return {"service_id": checked_service_id(service_id)}
