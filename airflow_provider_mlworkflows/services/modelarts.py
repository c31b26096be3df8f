"""Huawei Cloud ModelArts Workflow."""

from __future__ import annotations

from airflow_provider_mlworkflows.services import Service

MODELARTS = Service(
    name="ModelArts",
    scope=("huawei_conn_id", "region", "project_id"),
    hook_path="airflow_provider_mlworkflows.hooks.modelarts:ModelArtsHook",
    trigger_path="airflow_provider_mlworkflows.triggers.modelarts:ModelArtsExecutionTrigger",
)
