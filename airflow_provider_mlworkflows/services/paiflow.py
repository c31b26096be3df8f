"""Alibaba Cloud PAI workflows."""

from __future__ import annotations

from airflow_provider_mlworkflows.services import Service

PAIFLOW = Service(
    name="PAIFlow",
    scope=("alibaba_conn_id", "region", "workspace_id"),
    hook_path="airflow_provider_mlworkflows.hooks.paiflow:PaiFlowHook",
    trigger_path="airflow_provider_mlworkflows.triggers.paiflow:PaiFlowRunTrigger",
)
