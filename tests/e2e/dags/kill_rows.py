"""Dags whose runs last until a test ends them; each Dag run is one row of the kill matrix.

A Dag run is told in its ``conf`` which workflow to start, so that no two rows share one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, task

from airflow_provider_mlworkflows.operators.aom import AomStartWorkflowOperator
from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from airflow_provider_mlworkflows.operators.obs import ObsStartWorkflowOperator
from airflow_provider_mlworkflows.operators.paiflow import PaiFlowStartPipelineOperator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_mlworkflows.operators.starting import StartOperator

WORKFLOW = "{{ dag_run.conf['workflow'] }}"
EXPIRING_CONNECTION = "huawei_expiring"
REFUSED_CONNECTIONS = ("huawei_wrong_secret", "huawei_withdrawn")

SERVICES: Mapping[str, tuple[type[StartOperator], Mapping[str, Any]]] = {
    "modelarts": (ModelArtsStartWorkflowOperator, {"workflow_id": WORKFLOW}),
    "paiflow": (PaiFlowStartPipelineOperator, {"pipeline_id": WORKFLOW}),
    "aom": (AomStartWorkflowOperator, {"workflow_id": WORKFLOW}),
    "obs": (ObsStartWorkflowOperator, {"graph_name": WORKFLOW, "bucket": "data", "object_key": "in.csv"}),
}


def new_dag(dag_id: str) -> DAG:
    return DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=16)


def common(arguments: Mapping[str, Any]) -> dict[str, Any]:
    waiting = {"poll_interval": 2, "timeout": 3600.0, "retries": 1, "retry_delay": timedelta(seconds=1)}
    return {"task_id": "train", **waiting, **arguments}


def kill_dag(dag_id: str, service: str = "modelarts", **arguments: Any) -> DAG:
    operator, which = SERVICES[service]
    with new_dag(dag_id) as dag:
        operator(**which, **common(arguments))
    return dag


for _service in SERVICES:
    for _mode, _deferrable in (("worker", False), ("deferred", True)):
        globals()[f"{_service}_{_mode}"] = kill_dag(f"kill_{_service}_{_mode}", _service, deferrable=_deferrable)

timed = kill_dag("kill_timed", deferrable=True, timeout=12.0, retries=0)
alarmed = kill_dag("kill_alarmed", deferrable=False, execution_timeout=timedelta(seconds=12), retries=0)
unwatched = kill_dag("kill_unwatched", deferrable=True, retries=0)
unalarmed = kill_dag("kill_unalarmed", deferrable=True, execution_timeout=timedelta(seconds=12), retries=0)
# While the API server is down, every attempt of a worker fails; there has to be one left when it is back.
outlasting = kill_dag("kill_outlasting", deferrable=False, retries=9, retry_delay=timedelta(seconds=45))
expiring = kill_dag("kill_expiring", deferrable=True, huawei_conn_id=EXPIRING_CONNECTION)

for _conn_id in REFUSED_CONNECTIONS:
    globals()[_conn_id] = kill_dag(f"refused_{_conn_id}", deferrable=True, huawei_conn_id=_conn_id, retries=0)

with new_dag("kill_with_neighbour") as with_neighbour:
    ModelArtsStartWorkflowOperator(workflow_id=WORKFLOW, **common({"deferrable": True}))
    EmptyOperator(task_id="neighbour")


@task
def workflows(dag_run: Any = None) -> list[str]:
    return list(dag_run.conf["workflows"])


for _dag_id, _deferrable in (("kill_mapped", True), ("kill_mapped_worker", False)):
    with new_dag(_dag_id) as _dag:
        ModelArtsStartWorkflowOperator.partial(**common({"deferrable": _deferrable})).expand(workflow_id=workflows())
    globals()[_dag_id] = _dag
