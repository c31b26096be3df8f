"""Huawei Cloud ModelArts: its workflows, and what is beside them."""

from __future__ import annotations

from airflow_provider_mlworkflows.services import Service

MODELARTS = Service(
    name="ModelArts",
    scope=("huawei_conn_id", "region", "project_id"),
    hook_path="airflow_provider_mlworkflows.hooks.modelarts:ModelArtsHook",
    trigger_path="airflow_provider_mlworkflows.triggers.modelarts:ModelArtsExecutionTrigger",
)

_SCOPE = MODELARTS.scope
_HOOKS = "airflow_provider_mlworkflows.hooks.modelarts_resources"
_TRIGGERS = "airflow_provider_mlworkflows.triggers.modelarts_resources"

MODELARTS_SERVICES = Service(
    name="ModelArts service",
    scope=_SCOPE,
    hook_path=f"{_HOOKS}:ModelArtsServiceHook",
    trigger_path=f"{_TRIGGERS}:ModelArtsServiceTrigger",
)
MODELARTS_DELETIONS = Service(
    name="ModelArts deletion of a service",
    scope=_SCOPE,
    hook_path=f"{_HOOKS}:ModelArtsDeletionHook",
    trigger_path=f"{_TRIGGERS}:ModelArtsDeletionTrigger",
)
MODELARTS_POOLS = Service(
    name="ModelArts resource pool",
    scope=(*_SCOPE, "min_nodes"),
    hook_path=f"{_HOOKS}:ModelArtsPoolHook",
    trigger_path=f"{_TRIGGERS}:ModelArtsPoolTrigger",
)
MODELARTS_CLUSTERS = Service(
    name="ModelArts cluster",
    scope=(*_SCOPE, "min_nodes"),
    hook_path=f"{_HOOKS}:ModelArtsClusterHook",
    trigger_path=f"{_TRIGGERS}:ModelArtsClusterTrigger",
)
MODELARTS_TODOS = Service(
    name="ModelArts todo list",
    scope=_SCOPE,
    hook_path=f"{_HOOKS}:ModelArtsTodoHook",
    trigger_path=f"{_TRIGGERS}:ModelArtsTodoTrigger",
)
