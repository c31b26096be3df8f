"""### Start a workflow and wait for it

`train` starts one execution of a ModelArts workflow, with inputs given as plain mappings. It waits in the triggerer
instead of on a worker, links to the execution in the cloud console, and returns the execution's id. If Airflow
retries it, it goes on with the same execution.

`report` reads the XCom `steps`: every step with its state and duration.

The environment variable `MODELARTS_WORKFLOW_ID` names the workflow; without it, it is one of the emulator's.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator

log = logging.getLogger(__name__)

WORKFLOW_ID = os.environ.get("MODELARTS_WORKFLOW_ID", "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a01")

with DAG(
    dag_id="example_modelarts_start",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "modelarts"],
    doc_md=__doc__,
) as dag:
    train = ModelArtsStartWorkflowOperator(
        task_id="train",
        workflow_id=WORKFLOW_ID,
        parameters={"learning_rate": 0.05, "epochs": 5},
        data_requirements={"training_data": "obs://emulator-data/flowers/"},
        deferrable=True,
        poll_interval=5,
        retries=1,
    )

    @task
    def report(steps: list[dict[str, Any]]) -> None:
        for step in steps:
            log.info("%s: %s after %s s", step["name"], step["status"], step["duration"])

    report(train.output["steps"])

if __name__ == "__main__":
    dag.test()
