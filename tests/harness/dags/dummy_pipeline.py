"""A deferrable task, a mapped task after it, and a task that only fails when asked to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.sdk import DAG, Param, task

from tests.harness.dummies import RunOperator

with DAG(
    "dummy_pipeline",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    params={"fail": Param(False, type="boolean")},
):
    start = RunOperator(task_id="start", retries=1, retry_delay=1)

    @task
    def double(number: int) -> int:
        return 2 * number

    @task
    def check(numbers: Any, params: dict[str, Any] | None = None) -> int:
        if params and params["fail"]:
            raise ValueError("asked to fail")
        return sum(numbers)

    start >> check(double.expand(number=[1, 2, 3]))
