"""Waiting for services, resource pools and clusters of ModelArts, and for steps that wait for a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_mlworkflows.choices import checked_count
from airflow_provider_mlworkflows.runs import RunRef
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.services.modelarts import (
    MODELARTS_CLUSTERS,
    MODELARTS_POOLS,
    MODELARTS_SERVICES,
    MODELARTS_TODOS,
)

SCOPE_FIELDS = ("huawei_conn_id", "region", "project_id")


class ModelArtsResourceSensor(RunSensor):
    """Base of the sensors for what is beside workflows.

    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `RunSensor` and Airflow's ``BaseSensorOperator`` take them.
    """

    def __init__(
        self,
        *,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id


class ModelArtsServiceSensor(ModelArtsResourceSensor):
    """Wait until a service runs, or a batch service has worked off its data (ListServices, ShowService).

    Returns the service's id; pushes ``run``, ``steps`` (its models) and ``outputs`` with its ``address``.

    :param service_id: the service.
    :param kwargs: as `ModelArtsResourceSensor` takes them.
    :raises RunFailedError: if it failed; the message has the reason.
    :raises RunStoppedError: if it is stopped.
    """

    service = MODELARTS_SERVICES
    template_fields: Sequence[str] = ("service_id", *SCOPE_FIELDS)

    def __init__(self, *, service_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.service_id = service_id

    @property
    def ref(self) -> RunRef:
        """The service."""
        return RunRef("service", self.service_id)


class ModelArtsPoolSensor(ModelArtsResourceSensor):
    """Wait until a resource pool runs and has so many available nodes (ListPools, ShowPool, ListPoolNodes).

    Returns the pool's name; pushes ``run``, and ``outputs`` with ``nodes`` and ``available_nodes``.

    :param pool_name: its name, which is not the one that the console shows.
    :param min_nodes: how many nodes have to be available.
    :param kwargs: as `ModelArtsResourceSensor` takes them.
    :raises RunFailedError: if the pool failed.
    """

    service = MODELARTS_POOLS
    template_fields: Sequence[str] = ("pool_name", *SCOPE_FIELDS)

    def __init__(self, *, pool_name: str, min_nodes: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pool_name = pool_name
        self.min_nodes = checked_count("min_nodes", min_nodes)

    @property
    def ref(self) -> RunRef:
        """The pool."""
        return RunRef("pool", self.pool_name)


class ModelArtsClusterSensor(ModelArtsResourceSensor):
    """Wait until a dedicated cluster runs and has so many available nodes (ListClusters).

    Returns ``cluster``; pushes ``run``, and ``outputs`` with ``nodes`` and ``available_nodes``.

    :param cluster: its id or its name.
    :param min_nodes: how many nodes have to be available.
    :param kwargs: as `ModelArtsResourceSensor` takes them.
    :raises RunFailedError: if the cluster is ``abnormal``.
    """

    service = MODELARTS_CLUSTERS
    template_fields: Sequence[str] = ("cluster", *SCOPE_FIELDS)

    def __init__(self, *, cluster: str, min_nodes: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cluster = cluster
        self.min_nodes = checked_count("min_nodes", min_nodes)

    @property
    def ref(self) -> RunRef:
        """The cluster."""
        return RunRef("cluster", self.cluster)


class ModelArtsTodoSensor(ModelArtsResourceSensor):
    """Wait until a step of a workflow waits for a person (ShowWorkflowsTodolist).

    Returns the workspace's id; pushes ``outputs`` with ``todos``: for each such step its ``workflow_id``,
    ``workflow_name``, ``execution_id``, ``step_name`` and ``status``, which is ``wait_inputs`` or ``hold``.

    :param workflow_id: only steps of this workflow count; those of all if None.
    :param workspace_id: the workspace.
    :param kwargs: as `ModelArtsResourceSensor` takes them.
    """

    service = MODELARTS_TODOS
    template_fields: Sequence[str] = ("workflow_id", "workspace_id", *SCOPE_FIELDS)

    def __init__(self, *, workflow_id: str | None = None, workspace_id: str = "0", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.workspace_id = workspace_id

    @property
    def ref(self) -> RunRef:
        """The todo list."""
        return RunRef(self.workflow_id or "todolist", self.workspace_id)
