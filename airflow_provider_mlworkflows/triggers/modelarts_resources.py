"""Waiting for services, resource pools, clusters and the todo list of ModelArts."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.services.modelarts import (
    MODELARTS_CLUSTERS,
    MODELARTS_DELETIONS,
    MODELARTS_POOLS,
    MODELARTS_SERVICES,
    MODELARTS_TODOS,
)
from airflow_provider_mlworkflows.triggers.run import RunTrigger


class ModelArtsResourceTrigger(RunTrigger):
    """Base of the triggers that wait for something beside workflows.

    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param min_nodes: how many nodes have to be available, where there are nodes.
    :param watch: what to wait for, as `RunTrigger` takes it.
    """

    def __init__(
        self,
        *,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        min_nodes: int = 0,
        **watch: Any,
    ) -> None:
        super().__init__(**watch)
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id
        self.min_nodes = min_nodes


class ModelArtsServiceTrigger(ModelArtsResourceTrigger):
    """Waits until a service runs, or a batch has worked off its data (ListServices, ShowService)."""

    service = MODELARTS_SERVICES


class ModelArtsDeletionTrigger(ModelArtsResourceTrigger):
    """Waits until a service is gone (ShowService)."""

    service = MODELARTS_DELETIONS


class ModelArtsPoolTrigger(ModelArtsResourceTrigger):
    """Waits until a resource pool runs and has enough nodes (ListPools, ShowPool, ListPoolNodes)."""

    service = MODELARTS_POOLS


class ModelArtsClusterTrigger(ModelArtsResourceTrigger):
    """Waits until a cluster runs and has enough nodes (ListClusters)."""

    service = MODELARTS_CLUSTERS


class ModelArtsTodoTrigger(ModelArtsResourceTrigger):
    """Waits until a step waits for a person (ShowWorkflowsTodolist)."""

    service = MODELARTS_TODOS
