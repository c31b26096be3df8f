"""### Repair a failed run instead of paying for it twice

The workflow fails at its third step of five. Airflow retries the task, and the retry resumes the same execution at the
failed step: the steps before it are not run again. `MLWorkflowsRetryPolicy` spends retries only on what may succeed.

The environment variable `MODELARTS_FLAKY_WORKFLOW_ID` names the workflow; without it, it is one of the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from airflow_provider_mlworkflows.policies import MLWorkflowsRetryPolicy

WORKFLOW_ID = os.environ.get("MODELARTS_FLAKY_WORKFLOW_ID", "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a04")

with DAG(
    dag_id="example_modelarts_repair",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "modelarts"],
    doc_md=__doc__,
) as dag:
    ModelArtsStartWorkflowOperator(
        task_id="train",
        workflow_id=WORKFLOW_ID,
        on_retry="repair",
        retries=2,
        retry_delay=timedelta(seconds=1),
        retry_policy=MLWorkflowsRetryPolicy(),
        deferrable=True,
        poll_interval=5,
    )

if __name__ == "__main__":
    dag.test()
