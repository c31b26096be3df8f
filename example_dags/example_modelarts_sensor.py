"""### Start a workflow here, wait for it there

`start` succeeds as soon as the execution exists. Whatever can go on meanwhile comes between the two tasks. `wait`
waits for the execution, in the triggerer. A sensor stops nothing: if its time is up, the execution goes on.

`wait` can follow any execution, whoever started it, by the ids of its workflow and of itself.

The environment variable `MODELARTS_WORKFLOW_ID` names the workflow; without it, it is one of the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import DAG

from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from airflow_provider_mlworkflows.sensors.modelarts import ModelArtsExecutionSensor

WORKFLOW_ID = os.environ.get("MODELARTS_WORKFLOW_ID", "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a01")

with DAG(
    dag_id="example_modelarts_sensor",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "modelarts"],
    doc_md=__doc__,
) as dag:
    start = ModelArtsStartWorkflowOperator(
        task_id="start",
        workflow_id=WORKFLOW_ID,
        parameters={"epochs": 1},
        wait_for_completion=False,
        retries=1,
    )
    ModelArtsExecutionSensor(
        task_id="wait",
        workflow_id=WORKFLOW_ID,
        execution_id=start.output["run_id"],
        deferrable=True,
        poke_interval=5,
        timeout=3600,
    )

if __name__ == "__main__":
    dag.test()
