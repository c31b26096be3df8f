"""### Restart the failed node of an automation workflow, and wait for the node elsewhere

The workflow fails at its second node of three. Airflow retries `restart_service`, and the retry restarts that node
within the same execution. `MLWorkflowsRetryPolicy` spends retries only on what may succeed.

`wait_for_node` waits for a single node of an execution, whoever started it, here by the id that `restart_service` left.

The environment variable `AOM_FLAKY_WORKFLOW_ID` names the workflow; without it, it is one of the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_mlworkflows.operators.aom import AomStartWorkflowOperator
from airflow_provider_mlworkflows.policies import MLWorkflowsRetryPolicy
from airflow_provider_mlworkflows.sensors.aom import AomNodeSensor

WORKFLOW_ID = os.environ.get("AOM_FLAKY_WORKFLOW_ID", "a0c41f7d52e84b6390d1c7e6f3b82a02")

with DAG(
    dag_id="example_aom_repair",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "aom"],
    doc_md=__doc__,
) as dag:
    restart_service = AomStartWorkflowOperator(
        task_id="restart_service",
        workflow_id=WORKFLOW_ID,
        retries=2,
        retry_delay=timedelta(seconds=1),
        retry_policy=MLWorkflowsRetryPolicy(),
        deferrable=True,
        poll_interval=5,
    )
    AomNodeSensor(
        task_id="wait_for_node",
        workflow_id=WORKFLOW_ID,
        execution_id=restart_service.output["run_id"],
        node="restart",
        deferrable=True,
        poke_interval=5,
        timeout=3600,
    )

if __name__ == "__main__":
    dag.test()
