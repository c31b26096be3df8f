"""Operations on the paid services that a workflow can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_segment
from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import ServiceAuthorization, ServicePackage
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import (
    WORKFLOW,
    WORKFLOWS,
    Extra,
    body,
    ids,
)
from airflow_provider_mlworkflows.clouds.operation import Request, Session, operation

if TYPE_CHECKING:
    from collections.abc import Mapping


@operation
def authorize_service(
    _: Session,
    *,
    main_service_id: str | None = None,
    content_id: str | None = None,
    consume_period: str | None = None,
    consume_value: int | None = None,
) -> Request[ServiceAuthorization]:
    """Ask whether a paid service may be used, and account for the use (CreateWorkflowServiceAuth).

    :param main_service_id: id of the online service.
    :param content_id: id of the asset in AI Gallery.
    :param consume_period: unit of billing, such as ``day``.
    :param consume_value: how many of them.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    consume = body(period=consume_period, value=consume_value)
    return Request(
        "CreateWorkflowServiceAuth",
        "POST",
        WORKFLOWS + "/service/auth",
        ServiceAuthorization,
        body=body(main_service_id=main_service_id, content_id=content_id, consume=consume or None),
    )


@operation
def purchase_pool_package(
    _: Session,
    workflow_id: str,
    pool_id: str,
    order: Mapping[str, Any],
    *,
    service_id: str | None = None,
    consume_limit: int | None = None,
    limit_enable: bool | None = None,
    extra: Extra = None,
) -> Request[ServicePackage]:
    """Buy a package of calls for a workflow's service in a resource pool (CreateWorkflowPurchasePool).

    It costs money.

    :param workflow_id: the workflow.
    :param pool_id: the resource pool.
    :param order: ``{"id", "sku": {"code", "period", "queries_limit", "price"}, "sku_count"}``.
    :param service_id: id of the online service.
    :param consume_limit: number of calls at most.
    :param limit_enable: whether that limit holds.
    :param extra: further fields.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    fields = body(
        extra,
        pool_id=checked_segment("pool_id", pool_id),
        order=dict(order),
        service_id=service_id,
        consume_limit=consume_limit,
        limit_enable=limit_enable,
    )
    return Request(
        "CreateWorkflowPurchasePool",
        "POST",
        WORKFLOW + "/service/packages",
        ServicePackage,
        path_params=ids(workflow_id=workflow_id),
        body=fields,
    )
