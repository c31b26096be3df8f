"""### Start an automation workflow made from a template, and pass its pause

`restart_service` creates an AOM workflow from a template and executes it once. The new workflow's name ends with a
random token, by which a later attempt of the task finds it and its execution even if the answer to the start was lost.

The workflow pauses at its node `confirm`. The task passes the pause, because `approve_steps` names it; without that it
would wait until a person does. An approval that a template asks for cannot be given by a program.

The environment variable `AOM_TEMPLATE_ID` names the template; without it, it is one of the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import DAG

from airflow_provider_mlworkflows.operators.aom import AomStartWorkflowOperator

TEMPLATE_ID = os.environ.get("AOM_TEMPLATE_ID", "c93f6a18d07b4e52b64e1f80a2d95c04")

with DAG(
    dag_id="example_aom_start",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "aom"],
    doc_md=__doc__,
) as dag:
    AomStartWorkflowOperator(
        task_id="restart_service",
        template_id=TEMPLATE_ID,
        workflow_name="nightly-restart",
        on_waiting="continue",
        approve_steps=["confirm"],
        deferrable=True,
        poll_interval=5,
        retries=1,
    )

if __name__ == "__main__":
    dag.test()
