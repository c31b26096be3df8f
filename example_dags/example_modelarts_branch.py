"""### A workflow that takes one of two branches

The ModelArts workflow trains from scratch or fine-tunes; the Dag's parameter `full_training` decides. Steps of the
branch not taken end as `skipped`. That is normal: the execution succeeds, and so does the task.

`branch_taken` finds out from the XCom `steps` which branch it was, for the tasks that follow.

The environment variable `MODELARTS_BRANCHING_WORKFLOW_ID` names the workflow; without it, it is one of the emulator's.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator

log = logging.getLogger(__name__)

WORKFLOW_ID = os.environ.get("MODELARTS_BRANCHING_WORKFLOW_ID", "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a02")

with DAG(
    dag_id="example_modelarts_branch",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # The inputs below keep the type of what they are rendered from: true stays a boolean.
    render_template_as_native_obj=True,
    params={"full_training": Param(False, type="boolean", description="train from scratch instead of fine-tuning")},
    tags=["example", "mlworkflows", "modelarts"],
    doc_md=__doc__,
) as dag:
    train = ModelArtsStartWorkflowOperator(
        task_id="train",
        workflow_id=WORKFLOW_ID,
        parameters={"full_training": "{{ params.full_training }}"},
        deferrable=True,
        poll_interval=5,
        retries=1,
    )

    @task
    def branch_taken(steps: list[dict[str, Any]]) -> str:
        states = {step["name"]: step["state"] for step in steps}
        log.info("Skipped: %s", [name for name, state in states.items() if state == "skipped"])
        return "train" if states["train"] == "succeeded" else "fine_tune"

    branch_taken(train.output["steps"])

if __name__ == "__main__":
    dag.test()
