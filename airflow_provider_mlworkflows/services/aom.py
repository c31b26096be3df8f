"""Huawei Cloud AOM automation."""

from __future__ import annotations

from airflow_provider_mlworkflows.services import Service

AOM = Service(
    name="AOM automation",
    scope=("huawei_conn_id", "region", "project_id", "states"),
    hook_path="airflow_provider_mlworkflows.hooks.aom:AomWorkflowHook",
    trigger_path="airflow_provider_mlworkflows.triggers.aom:AomExecutionTrigger",
    manners=("states",),
)
