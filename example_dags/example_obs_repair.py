"""### Restore a failed execution of a data workflow, and wait for one of its states elsewhere

The workflow fails in its second state of three. Airflow retries `transcode`, and the retry restores the execution: it
goes on where it failed, under the same name. `MLWorkflowsRetryPolicy` spends retries only on what may succeed.

`wait_for_state` waits for a single state of an execution, whoever started it, here by the name that `transcode` left.

The environment variable `OBS_FLAKY_GRAPH_NAME` names the workflow; without it, it is one of the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_mlworkflows.operators.obs import ObsStartWorkflowOperator
from airflow_provider_mlworkflows.policies import MLWorkflowsRetryPolicy
from airflow_provider_mlworkflows.sensors.obs import ObsStateSensor

GRAPH_NAME = os.environ.get("OBS_FLAKY_GRAPH_NAME", "emulator-fails-once")
BUCKET = os.environ.get("OBS_BUCKET", "emulator-data")

with DAG(
    dag_id="example_obs_repair",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "obs"],
    doc_md=__doc__,
) as dag:
    transcode = ObsStartWorkflowOperator(
        task_id="transcode",
        graph_name=GRAPH_NAME,
        bucket=BUCKET,
        object_key="raw/lecture.mp4",
        retries=2,
        retry_delay=timedelta(seconds=1),
        retry_policy=MLWorkflowsRetryPolicy(),
        deferrable=True,
        poll_interval=5,
    )
    ObsStateSensor(
        task_id="wait_for_state",
        graph_name=GRAPH_NAME,
        execution_name=transcode.output["run_id"],
        state="transcode",
        deferrable=True,
        poke_interval=5,
        timeout=3600,
    )

if __name__ == "__main__":
    dag.test()
