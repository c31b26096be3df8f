"""### Train, let a person approve, deploy

The workflow trains a model and then waits until it is told how to go on. `start` starts the execution and does not
wait. `asked` waits until a step of the workflow is on the todo list, and `approve` hands it what it waits for and
follows it to its end.

Meanwhile `room` waits for a free node in the resource pool. `make_way` deletes the service of an earlier run of this
Dag, if there is one. `deploy` creates the service, and `running` waits until it can be called. `tag` tells a notebook
which service that is, and `nightly` has ModelArts start the workflow every night.

The environment variables below name what is used; without them, all of it is the emulator's.
"""

from __future__ import annotations

import os
from datetime import datetime

from airflow.sdk import DAG

from airflow_provider_mlworkflows.operators.modelarts import (
    ModelArtsStartWorkflowOperator,
    ModelArtsStepActionOperator,
)
from airflow_provider_mlworkflows.operators.modelarts_extras import ModelArtsTagNotebookOperator
from airflow_provider_mlworkflows.operators.modelarts_schedules import ModelArtsCreateScheduleOperator
from airflow_provider_mlworkflows.operators.modelarts_service_changes import ModelArtsDeleteServiceOperator
from airflow_provider_mlworkflows.operators.modelarts_services import ModelArtsCreateServiceOperator
from airflow_provider_mlworkflows.sensors.modelarts_resources import (
    ModelArtsPoolSensor,
    ModelArtsServiceSensor,
    ModelArtsTodoSensor,
)

WORKFLOW_ID = os.environ.get("MODELARTS_WAITING_WORKFLOW_ID", "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a03")
MODEL_ID = os.environ.get("MODELARTS_MODEL_ID", "8c1d4e70-95b2-4f6a-a3c8-2e7b0d9f5162")
POOL = os.environ.get("MODELARTS_POOL", "auto-pool-os-86c13962597848eeb29c5861153a391f")
NOTEBOOK_ID = os.environ.get("MODELARTS_NOTEBOOK_ID", "a55eba18-1ebf-4e9a-8229-d2d3b593a3dc")
SERVICE = "example-flowers"

with DAG(
    dag_id="example_modelarts_deploy",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "mlworkflows", "modelarts"],
    doc_md=__doc__,
) as dag:
    start = ModelArtsStartWorkflowOperator(task_id="start", workflow_id=WORKFLOW_ID, wait_for_completion=False)

    asked = ModelArtsTodoSensor(task_id="asked", workflow_id=WORKFLOW_ID, deferrable=True, poke_interval=5)

    approve = ModelArtsStepActionOperator(
        task_id="approve",
        workflow_id=WORKFLOW_ID,
        execution_id=start.output,
        step="deploy",
        action="continue",
        parameters={"instances": 1},
        data_requirements={"test_data": "obs://emulator-data/flowers-test/"},
        deferrable=True,
        poll_interval=5,
    )

    room = ModelArtsPoolSensor(task_id="room", pool_name=POOL, min_nodes=1, deferrable=True, poke_interval=5)

    make_way = ModelArtsDeleteServiceOperator(task_id="make_way", service_name=SERVICE)

    deploy = ModelArtsCreateServiceOperator(
        task_id="deploy",
        service_name=SERVICE,
        config=[{"model_id": MODEL_ID, "specification": "modelarts.vm.cpu.2u", "instance_count": 1}],
        pool_name=POOL,
        wait_for_completion=False,
        retries=1,
    )

    running = ModelArtsServiceSensor(
        task_id="running", service_id=deploy.output, deferrable=True, poke_interval=5, timeout=1800
    )

    tag = ModelArtsTagNotebookOperator(
        task_id="tag", notebook_id=NOTEBOOK_ID, notebook_tags={"service": "{{ ti.xcom_pull('deploy') }}"}
    )

    nightly = ModelArtsCreateScheduleOperator(
        task_id="nightly", workflow_id=WORKFLOW_ID, cron="0 0 2 * * ?", on_existing="update"
    )

    start >> asked >> approve >> make_way >> deploy
    room >> deploy >> running >> tag >> nightly

if __name__ == "__main__":
    dag.test()
