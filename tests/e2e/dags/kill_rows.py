"""Dags whose runs last until a test ends them; each Dag run is one row of the kill matrix."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG

from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator

ENDLESS = "00000000-0000-4000-8000-0000000000e0"


def kill_dag(dag_id: str, *, deferrable: bool, timeout: float = 3600.0, retries: int = 1) -> DAG:
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=16) as dag:
        ModelArtsStartWorkflowOperator(
            task_id="train",
            workflow_id=ENDLESS,
            description="{{ run_id }}",
            deferrable=deferrable,
            poll_interval=2,
            timeout=timeout,
            retries=retries,
            retry_delay=timedelta(seconds=1),
        )
    return dag


on_worker = kill_dag("kill_on_worker", deferrable=False)
deferred = kill_dag("kill_deferred", deferrable=True)
timed = kill_dag("kill_timed", deferrable=True, timeout=12.0, retries=0)
