"""Data workflows of Huawei Cloud object storage."""

from __future__ import annotations

from airflow_provider_mlworkflows.services import Service

OBS = Service(
    name="OBS data workflow",
    scope=("huawei_conn_id", "region", "project_id"),
    hook_path="airflow_provider_mlworkflows.hooks.obs:ObsWorkflowHook",
    trigger_path="airflow_provider_mlworkflows.triggers.obs:ObsExecutionTrigger",
    manners=("project_id",),
)
