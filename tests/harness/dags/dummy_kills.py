"""A task that waits on the worker, and one that waits in the triggerer, until somebody kills them."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG

from tests.harness.dummies import PromptTrigger, RunOperator, WaitingOperator

with DAG("dummy_kills", schedule=None, start_date=datetime(2026, 1, 1), catchup=False):
    WaitingOperator(task_id="on_worker", retries=1, retry_delay=timedelta(seconds=1))
    RunOperator(task_id="in_triggerer", trigger_class=PromptTrigger)
