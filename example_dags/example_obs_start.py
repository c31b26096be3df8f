"""### Start a data workflow for an object, and know its execution for sure

`transcode` starts one execution of an OBS data workflow for an object in a bucket. The inputs are checked against what
the workflow declares before anything is started.

The service keeps no mark of who started an execution. This workflow declares the parameter `started-by` for that:
`marker_input` puts a random token into it, by which a later attempt of the task finds the execution even if the answer
to the start was lost. Nothing stops an execution; one whose task is killed goes on to its own end.

The environment variable `OBS_GRAPH_NAME` names the workflow; without it, it is one of the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import DAG

from airflow_provider_mlworkflows.operators.obs import ObsStartWorkflowOperator

GRAPH_NAME = os.environ.get("OBS_GRAPH_NAME", "emulator-with-inputs")
BUCKET = os.environ.get("OBS_BUCKET", "emulator-data")

with DAG(
    dag_id="example_obs_start",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "obs"],
    doc_md=__doc__,
) as dag:
    ObsStartWorkflowOperator(
        task_id="transcode",
        graph_name=GRAPH_NAME,
        bucket=BUCKET,
        object_key="raw/lecture.mp4",
        inputs={"resolution": "1080p", "frames": 30},
        marker_input="started-by",
        deferrable=True,
        poll_interval=5,
        retries=1,
    )

if __name__ == "__main__":
    dag.test()
