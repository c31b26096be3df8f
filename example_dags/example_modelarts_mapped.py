"""### One execution per data set

Each data set is trained on by an execution of its own. The tasks are mapped, so a failed one is retried and repaired
alone. They all wait in the triggerer, where they share their requests to the service.

The environment variable `MODELARTS_WORKFLOW_ID` names the workflow; without it, it is one of the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import DAG, task

from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator

WORKFLOW_ID = os.environ.get("MODELARTS_WORKFLOW_ID", "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a01")

with DAG(
    dag_id="example_modelarts_mapped",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "modelarts"],
    doc_md=__doc__,
) as dag:

    @task
    def data_sets() -> list[dict[str, str]]:
        return [{"training_data": f"obs://emulator-data/{name}/"} for name in ("roses", "tulips", "daisies")]

    train = ModelArtsStartWorkflowOperator.partial(
        task_id="train",
        workflow_id=WORKFLOW_ID,
        deferrable=True,
        poll_interval=5,
        retries=1,
    ).expand(data_requirements=data_sets())

    @task
    def report(execution_ids: list[str]) -> int:
        return len(list(execution_ids))

    report(train.output)

if __name__ == "__main__":
    dag.test()
