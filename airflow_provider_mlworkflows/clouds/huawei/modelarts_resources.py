"""Operations on dedicated clusters and resource pools. All of them only read."""

from __future__ import annotations

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    checked_choice,
    checked_range,
    checked_segment,
    optional_text,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_paging import (
    LARGEST_PAGE,
    checked_page,
    checked_sorting,
    numbered_pages,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import PROJECT, query
from airflow_provider_mlworkflows.clouds.huawei.modelarts_resource_models import (
    Cluster,
    ClusterPage,
    Pool,
    PoolList,
    PoolNode,
    PoolNodeList,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, listing, operation

CLUSTERS = "/v1/{project_id}/clusters"
POOLS = PROJECT + "/pools"
POOL = POOLS + "/{pool_name}"

CLUSTER_SORTING = ("created_at", "cluster_name")
POOL_STATUSES = ("created", "failed", "creating")
MOST_NODES = 500


def _page_of_clusters(
    *,
    cluster_name: str | None,
    status: str | None,
    limit: int | None,
    offset: int | None,
    sort_by: str | None,
    order: str | None,
) -> Request[ClusterPage]:
    return Request(
        "ListClusters",
        "GET",
        CLUSTERS,
        ClusterPage,
        query=query(
            cluster_name=cluster_name,
            status=status,
            **checked_page(limit, offset),
            **checked_sorting(sort_by, order, CLUSTER_SORTING),
        ),
        safe_to_repeat=True,
    )


@operation
def list_clusters(
    _: Session,
    *,
    cluster_name: str | None = None,
    status: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    sort_by: str | None = None,
    order: str | None = None,
) -> Request[ClusterPage]:
    """One page of the dedicated clusters (ListClusters).

    :param cluster_name: only those of this name.
    :param status: only those in this status: ``deploying``, ``running``, ``concerning`` or ``abnormal``.
    :param limit: clusters per page, 1 to 1000; the service's default is 1000.
    :param offset: the page to begin with, default 0.
    :param sort_by: ``created_at`` (the service's default) or ``cluster_name``.
    :param order: ``asc`` or ``desc`` (the service's default).
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    return _page_of_clusters(
        cluster_name=cluster_name, status=status, limit=limit, offset=offset, sort_by=sort_by, order=order
    )


@listing
def iter_clusters(
    _: Session,
    *,
    cluster_name: str | None = None,
    status: str | None = None,
    sort_by: str | None = None,
    order: str | None = None,
) -> Pages[Cluster]:
    """All dedicated clusters, page after page (ListClusters). Parameters as in `list_clusters`."""
    yield from numbered_pages(
        lambda offset: _page_of_clusters(
            cluster_name=cluster_name, status=status, limit=LARGEST_PAGE, offset=offset, sort_by=sort_by, order=order
        ),
        lambda page: page.clusters,
        lambda cluster: cluster.cluster_id,
    )


@operation
def list_pools(
    _: Session, *, workspace_id: str | None = None, label_selector: str | None = None, status: str | None = None
) -> Request[PoolList]:
    """The resource pools (ListPools).

    :param workspace_id: only those of this workspace.
    :param label_selector: only those with these labels, as Kubernetes selects them, such as ``a=b``.
    :param status: only those in this status: ``created``, ``failed`` or ``creating``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    if status is not None:
        checked_choice("status", status, POOL_STATUSES)
    return Request(
        "ListPools",
        "GET",
        POOLS,
        PoolList,
        query=query(workspaceId=workspace_id, labelSelector=label_selector, status=status),
        safe_to_repeat=True,
        account_fields={"workspaceId": "workspace_id"},
    )


@operation
def show_pool(_: Session, pool_name: str) -> Request[Pool]:
    """One resource pool (ShowPool).

    :param pool_name: its name, which is not the one that the console shows: see `Pool.display_name`.
    :raises InvalidInputError: before anything is sent, if the name is empty.
    :raises NotFoundError: if it does not exist.
    """
    return Request("ShowPool", "GET", POOL, Pool, path_params=_pool(pool_name), safe_to_repeat=True)


def _page_of_nodes(pool_name: str, continue_from: str | None, limit: int | None) -> Request[PoolNodeList]:
    fields = {
        "continue": optional_text("continue_from", continue_from),
        "limit": checked_range("limit", limit, 1, MOST_NODES),
    }
    return Request(
        "ListPoolNodes",
        "GET",
        POOL + "/nodes",
        PoolNodeList,
        path_params=_pool(pool_name),
        query=query(**fields),
        safe_to_repeat=True,
    )


@operation
def list_pool_nodes(
    _: Session, pool_name: str, *, continue_from: str | None = None, limit: int | None = None
) -> Request[PoolNodeList]:
    """One page of a pool's nodes (ListPoolNodes).

    :param pool_name: the pool.
    :param continue_from: where the page before says that the list goes on; None for the first page.
    :param limit: nodes per page, 1 to 500; the service's default is 500.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the pool does not exist.
    """
    return _page_of_nodes(pool_name, continue_from, limit)


@listing
def iter_pool_nodes(_: Session, pool_name: str) -> Pages[PoolNode]:
    """All nodes of a pool, page after page (ListPoolNodes). Parameters as in `list_pool_nodes`."""
    visited: set[str] = set()
    continue_from = None
    while True:
        page = yield _page_of_nodes(pool_name, continue_from, MOST_NODES)
        yield page.items
        continue_from = page.metadata.continue_from
        # A place that the list has been at already would lead round in circles.
        if not continue_from or continue_from in visited:
            return
        visited.add(continue_from)


def _pool(pool_name: object) -> dict[str, str]:
    return {"pool_name": checked_segment("pool_name", pool_name)}
