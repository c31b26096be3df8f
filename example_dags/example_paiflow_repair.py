"""### Repair a failed pipeline run, and wait for one of its nodes elsewhere

The pipeline fails at its third node of four. Airflow retries `train`, and the retry runs the failed node again within
the same run: the nodes before it are not run again. `MLWorkflowsRetryPolicy` spends retries only on what may succeed.

`wait_for_node` waits for a single node of a run, whoever started the run, here by the id that `train` left.

The environment variable `PAIFLOW_FLAKY_PIPELINE_ID` names the pipeline; without it, it is one of the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_mlworkflows.operators.paiflow import PaiFlowStartPipelineOperator
from airflow_provider_mlworkflows.policies import MLWorkflowsRetryPolicy
from airflow_provider_mlworkflows.sensors.paiflow import PaiFlowNodeSensor

PIPELINE_ID = os.environ.get("PAIFLOW_FLAKY_PIPELINE_ID", "pipeline-emulatorfailing004")

with DAG(
    dag_id="example_paiflow_repair",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "paiflow"],
    doc_md=__doc__,
) as dag:
    train = PaiFlowStartPipelineOperator(
        task_id="train",
        pipeline_id=PIPELINE_ID,
        on_retry="repair",
        retries=2,
        retry_delay=timedelta(seconds=1),
        retry_policy=MLWorkflowsRetryPolicy(),
        deferrable=True,
        poll_interval=5,
    )
    PaiFlowNodeSensor(
        task_id="wait_for_node",
        run_id=train.output["run_id"],
        node="evaluate",
        deferrable=True,
        poke_interval=5,
        timeout=3600,
    )

if __name__ == "__main__":
    dag.test()
