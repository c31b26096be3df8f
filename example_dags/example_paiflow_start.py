"""### Start a pipeline and use what it puts out

`train` starts one run of a stored PAI pipeline, with parameters and artifacts given as plain mappings. They are checked
against what the pipeline declares before anything is started. The task waits in the triggerer instead of on a worker,
and returns the run's id. If Airflow retries it, it goes on with the same run.

`report` reads the XCom `outputs`: models, data sets, metrics and evaluations, by the node that left them.

The environment variable `PAIFLOW_PIPELINE_ID` names the pipeline; without it, it is one of the emulator's.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime
from typing import Any

from airflow.sdk import DAG, task

from airflow_provider_mlworkflows.operators.paiflow import PaiFlowStartPipelineOperator

log = logging.getLogger(__name__)

PIPELINE_ID = os.environ.get("PAIFLOW_PIPELINE_ID", "pipeline-emulatorchain00001")
TABLE = {"location": {"project": "emulator", "table": "clean_events"}}

with DAG(
    dag_id="example_paiflow_start",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "paiflow"],
    doc_md=__doc__,
) as dag:
    train = PaiFlowStartPipelineOperator(
        task_id="train",
        pipeline_id=PIPELINE_ID,
        parameters={"learning_rate": 0.05, "epochs": 5},
        artifacts={"inputTable": TABLE},
        deferrable=True,
        poll_interval=5,
        retries=1,
    )

    @task
    def report(outputs: dict[str, dict[str, Any]]) -> None:
        for node, left in outputs.items():
            for name, output in left.items():
                log.info("%s left %s %s: %s", node, output["type"], name, output["value"])

    report(train.output["outputs"])

if __name__ == "__main__":
    dag.test()
