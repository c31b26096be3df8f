"""### Go different ways after one step

The execution trains either from scratch or fine-tunes. `scratch` and `tuned` each wait for the step of their branch;
the one whose step was skipped is skipped itself (`skip_on_missing`), and everything after it. Neither waits for the
rest of the execution; `finished` does.

The environment variable `MODELARTS_BRANCH_WORKFLOW_ID` names the workflow; without it, it is one of the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import DAG, task

from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from airflow_provider_mlworkflows.sensors.modelarts import ModelArtsExecutionSensor, ModelArtsStepSensor

WORKFLOW_ID = os.environ.get("MODELARTS_BRANCH_WORKFLOW_ID", "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a02")

with DAG(
    dag_id="example_modelarts_step_branch",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "modelarts"],
    doc_md=__doc__,
) as dag:
    start = ModelArtsStartWorkflowOperator(
        task_id="start",
        workflow_id=WORKFLOW_ID,
        parameters={"full_training": False},
        wait_for_completion=False,
    )

    @task
    def announce(kind: str) -> str:
        return f"a model was made by {kind}"

    for task_id, step_name in (("scratch", "train"), ("tuned", "fine_tune")):
        ended = ModelArtsStepSensor(
            task_id=task_id,
            workflow_id=WORKFLOW_ID,
            execution_id=start.output,
            step_name=step_name,
            skip_on_missing=True,
            deferrable=True,
            poke_interval=5,
        )
        ended >> announce.override(task_id=f"announce_{task_id}")(step_name)

    ModelArtsExecutionSensor(
        task_id="finished",
        workflow_id=WORKFLOW_ID,
        execution_id=start.output,
        deferrable=True,
        poke_interval=5,
    )

if __name__ == "__main__":
    dag.test()
