"""One Dag for every service and way to wait; each Dag run follows a run of the workflow that its ``conf`` names."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_provider_mlworkflows.operators.aom import AomStartWorkflowOperator
from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from airflow_provider_mlworkflows.operators.obs import ObsStartWorkflowOperator
from airflow_provider_mlworkflows.operators.paiflow import PaiFlowStartPipelineOperator
from airflow_provider_mlworkflows.policies import MLWorkflowsRetryPolicy

HUAWEI, ALIBABA = "chaos_huawei", "chaos_alibaba"
MODES = ("sync", "deferrable")
RETRIES = 4
WORKFLOW = "{{ dag_run.conf['workflow'] }}"


def start(service: str, **arguments: Any) -> None:
    arguments |= {
        "task_id": "train",
        "poll_interval": 1,
        "timeout": 3600,
        "retries": RETRIES,
        "retry_delay": timedelta(seconds=1),
        "retry_policy": MLWorkflowsRetryPolicy(throttled_delay=1, server_error_delay=1),
    }
    match service:
        case "modelarts":
            ModelArtsStartWorkflowOperator(workflow_id=WORKFLOW, huawei_conn_id=HUAWEI, **arguments)
        case "paiflow":
            PaiFlowStartPipelineOperator(pipeline_id=WORKFLOW, alibaba_conn_id=ALIBABA, **arguments)
        case "aom":
            AomStartWorkflowOperator(workflow_id=WORKFLOW, huawei_conn_id=HUAWEI, **arguments)
        case "obs":
            ObsStartWorkflowOperator(
                graph_name=WORKFLOW, bucket="chaos", object_key="in.csv", huawei_conn_id=HUAWEI, **arguments
            )


for service in ("modelarts", "paiflow", "aom", "obs"):
    for mode in MODES:
        with DAG(
            f"chaos_{service}_{mode}",
            schedule=None,
            start_date=datetime(2026, 1, 1),
            catchup=False,
            max_active_runs=64,
            max_active_tasks=64,
        ):
            start(service, deferrable=mode == "deferrable")
