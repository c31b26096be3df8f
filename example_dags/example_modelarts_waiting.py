"""### Answer a step that waits for inputs

The workflow trains a model and then waits until it is told how to deploy it. `start` starts the execution and does not
wait. `trained` waits for the training step alone. `choose_size` decides, and `deploy` hands the answer to the waiting
step and follows it to its end. `finished` waits for the execution as a whole.

Where the answer is known beforehand, one task does: `on_waiting="continue"` with `waiting_inputs`.

The environment variable `MODELARTS_WAITING_WORKFLOW_ID` names the workflow; without it, it is one of the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_mlworkflows.operators.modelarts import (
    ModelArtsStartWorkflowOperator,
    ModelArtsStepActionOperator,
)
from airflow_provider_mlworkflows.sensors.modelarts import ModelArtsExecutionSensor, ModelArtsStepSensor

WORKFLOW_ID = os.environ.get("MODELARTS_WAITING_WORKFLOW_ID", "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a03")

with DAG(
    dag_id="example_modelarts_waiting",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "modelarts"],
    doc_md=__doc__,
) as dag:
    start = ModelArtsStartWorkflowOperator(task_id="start", workflow_id=WORKFLOW_ID, wait_for_completion=False)

    trained = ModelArtsStepSensor(
        task_id="trained",
        workflow_id=WORKFLOW_ID,
        execution_id=start.output,
        step_name="train",
        deferrable=True,
        poke_interval=5,
    )

    @task(multiple_outputs=False)
    def choose_size(step: dict[str, Any]) -> dict[str, int]:
        return {"instances": 2 if step["duration"] > 5 else 1}

    size = choose_size(trained.output["step"])

    deploy = ModelArtsStepActionOperator(
        task_id="deploy",
        workflow_id=WORKFLOW_ID,
        execution_id=start.output,
        step="deploy",
        action="continue",
        parameters=size,
        data_requirements={"test_data": "obs://emulator-data/flowers-test/"},
        deferrable=True,
        poll_interval=5,
    )

    finished = ModelArtsExecutionSensor(
        task_id="finished",
        workflow_id=WORKFLOW_ID,
        execution_id=start.output,
        deferrable=True,
        poke_interval=5,
    )

    deploy >> finished

if __name__ == "__main__":
    dag.test()
