"""Services, pools and clusters in one vocabulary, for whoever waits for one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.huawei.modelarts_areas import ResourcesApi, ServicesApi
from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_segment
from airflow_provider_mlworkflows.clouds.huawei.modelarts_service_inputs import checked_service_name
from airflow_provider_mlworkflows.clouds.operation import Steps, operation
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from airflow_provider_mlworkflows.runs import RunState

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.modelarts_resource_models import Cluster, Pool, PoolNode
    from airflow_provider_mlworkflows.clouds.huawei.modelarts_service_models import (
        InferenceService,
        InferenceServiceV2,
    )


class ResourceState(StrEnum):
    """What a service, pool or cluster is doing."""

    DEPLOYING = "deploying"
    """On its way to running, or waiting for its turn."""
    RUNNING = "running"
    DEGRADED = "degraded"
    """Running, but a part of it is not well."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    """A batch that worked off its data."""
    FAILED = "failed"
    DELETING = "deleting"
    UNKNOWN = "unknown"
    """A word that nobody documented."""

    @property
    def run_state(self) -> RunState:
        """The same of a run that is over as soon as the resource runs, or has worked off its data."""
        return _RUN_STATES[self]


_RUN_STATES: Mapping[ResourceState, RunState] = {
    ResourceState.DEPLOYING: RunState.ACTIVE,
    ResourceState.RUNNING: RunState.SUCCEEDED,
    ResourceState.DEGRADED: RunState.ACTIVE,
    ResourceState.STOPPING: RunState.STOPPING,
    ResourceState.STOPPED: RunState.STOPPED,
    ResourceState.FINISHED: RunState.SUCCEEDED,
    ResourceState.FAILED: RunState.FAILED,
    ResourceState.DELETING: RunState.STOPPING,
    ResourceState.UNKNOWN: RunState.UNKNOWN,
}

SERVICE_STATES: Mapping[str, ResourceState] = {
    "pending": ResourceState.DEPLOYING,
    "waiting": ResourceState.DEPLOYING,
    "deploying": ResourceState.DEPLOYING,
    "running": ResourceState.RUNNING,
    "concerning": ResourceState.DEGRADED,
    "stopping": ResourceState.STOPPING,
    "stopped": ResourceState.STOPPED,
    "finished": ResourceState.FINISHED,
    "failed": ResourceState.FAILED,
    "deleting": ResourceState.DELETING,
    # The newer kind has these too, and writes all in capitals.
    "init": ResourceState.DEPLOYING,
    "upgrading": ResourceState.DEPLOYING,
    "error": ResourceState.FAILED,
}

CLUSTER_STATES: Mapping[str, ResourceState] = {
    "deploying": ResourceState.DEPLOYING,
    "running": ResourceState.RUNNING,
    "concerning": ResourceState.DEGRADED,
    "abnormal": ResourceState.FAILED,
}

POOL_STATES: Mapping[str, ResourceState] = {
    # Only the second is documented; the others are the words that nodes and lists have for the same.
    "creating": ResourceState.DEPLOYING,
    "running": ResourceState.RUNNING,
    "abnormal": ResourceState.DEGRADED,
    "failed": ResourceState.FAILED,
    "error": ResourceState.FAILED,
    "deleting": ResourceState.DELETING,
}


@dataclass(frozen=True, slots=True)
class Resource:
    """A service, pool or cluster as it was at one moment.

    ``status`` is the service's own word for the state, "" if it says none. ``url`` is where a service is called.
    ``nodes`` and ``available_nodes`` are known of pools and clusters, ``progress`` is the percentage of a service
    that is being deployed.
    """

    id: str
    name: str
    state: ResourceState
    status: str = ""
    message: str = ""
    url: str = ""
    nodes: int | None = None
    available_nodes: int | None = None
    progress: int | None = None


def service_resource(service: InferenceService) -> Resource:
    """A service in the common vocabulary."""
    return Resource(
        service.service_id,
        service.service_name,
        _state(SERVICE_STATES, service.status),
        service.status,
        message=service.error_msg,
        url=service.access_address,
        progress=service.progress,
    )


def service_v2_resource(service: InferenceServiceV2) -> Resource:
    """A service of the newer kind in the common vocabulary."""
    return Resource(
        service.id,
        service.name,
        _state(SERVICE_STATES, service.status),
        service.status,
        message=service.failure_reason,
        url=next((url for url in map(_address, service.predict_url) if url), ""),
    )


def pool_resource(pool: Pool, nodes: list[PoolNode]) -> Resource:
    """A pool in the common vocabulary."""
    return Resource(
        pool.name,
        pool.display_name,
        _state(POOL_STATES, pool.status.phase),
        pool.status.phase,
        nodes=len(nodes),
        available_nodes=sum(node.is_available for node in nodes),
    )


def cluster_resource(cluster: Cluster) -> Resource:
    """A cluster in the common vocabulary."""
    return Resource(
        cluster.cluster_id,
        cluster.cluster_name,
        _state(CLUSTER_STATES, cluster.status),
        cluster.status,
        nodes=cluster.nodes.count,
        available_nodes=cluster.nodes.available_count,
    )


def cluster_called(cluster: str, clusters: Iterable[Cluster]) -> Cluster | None:
    """The cluster of an id, or else of a name; None if there is none.

    :raises InvalidInputError: if several have the name.
    """
    known = list(clusters)
    matching = [each for each in known if each.cluster_id == cluster] or [
        each for each in known if each.cluster_name == cluster
    ]
    if len(matching) > 1:
        raise InvalidInputError(
            f"{len(matching)} clusters are called {cluster!r}; give the id of one: "
            f"{', '.join(each.cluster_id for each in matching)}."
        )
    return matching[0] if matching else None


def _state(states: Mapping[str, ResourceState], status: str) -> ResourceState:
    return states.get(status.strip().lower(), ResourceState.UNKNOWN)


def _address(predict_url: object) -> str:
    if isinstance(predict_url, Mapping):
        return next((value for value in predict_url.values() if str(value).startswith("http")), "")
    return str(predict_url)


class ReadingsApi(ServicesApi, ResourcesApi):
    """Services, pools and clusters in the common vocabulary."""

    @operation
    def read_service(self, service_id: str) -> Steps[Resource]:
        """What a service is doing (ShowService).

        :param service_id: the service.
        :raises InvalidInputError: before anything is sent, if the id cannot be right.
        :raises NotFoundError: if it does not exist.
        """
        service = yield from self.show_service.steps(service_id)
        return service_resource(service)

    @operation
    def read_service_v2(self, service_id: str) -> Steps[Resource]:
        """What a service of the newer kind is doing (ShowInferService).

        :param service_id: the service's ``id``.
        :raises InvalidInputError: before anything is sent, if the id cannot be right.
        :raises ApiError: if the service refuses; it says 400 or 403 of a service that does not exist.
        """
        service = yield from self.show_service_v2.steps(service_id)
        return service_v2_resource(service)

    @operation
    def find_services_by_name(
        self, service_name: str, *, workspace_id: str | None = None
    ) -> Steps[list[InferenceService]]:
        """The services of exactly this name, the newest first (ListServices). Names need not be unique.

        :param service_name: the whole name.
        :param workspace_id: only those of this workspace.
        :raises InvalidInputError: before anything is sent, if no service can have this name.
        :raises ApiError: if the service refuses.
        """
        found = yield from self.iter_services.steps(
            service_name=checked_service_name(service_name),
            workspace_id=workspace_id,
            sort_by="publish_at",
            order="desc",
        )
        # The service finds parts of names as well.
        return [service for service in found if service.service_name == service_name]

    @operation
    def read_pool(self, pool_name: str) -> Steps[Resource]:
        """What a resource pool is doing, and how many of its nodes can be used (ShowPool, ListPoolNodes).

        :param pool_name: its name, which is not the one that the console shows.
        :raises InvalidInputError: before anything is sent, if the name is empty.
        :raises NotFoundError: if it does not exist.
        """
        pool = yield from self.show_pool.steps(pool_name)
        nodes = yield from self.iter_pool_nodes.steps(pool_name)
        return pool_resource(pool, nodes)

    @operation
    def read_cluster(self, cluster: str) -> Steps[Resource | None]:
        """What a dedicated cluster is doing, None if there is no such cluster (ListClusters).

        :param cluster: its id or its name.
        :raises InvalidInputError: before anything is sent, if it is empty.
        :raises ApiError: if the service refuses.
        """
        checked_segment("cluster", cluster)
        clusters = yield from self.iter_clusters.steps()
        called = cluster_called(cluster, clusters)
        return cluster_resource(called) if called else None
