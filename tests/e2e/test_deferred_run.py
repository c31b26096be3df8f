"""The main job on a real Airflow: start a workflow, wait in the triggerer, show its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness.rest_client import TaskAddress

if TYPE_CHECKING:
    from tests.harness.standalone import StandaloneAirflow

pytestmark = pytest.mark.e2e


def test_deferred_run_succeeds(airflow: StandaloneAirflow) -> None:
    run_id = airflow.start_run("example_modelarts_start")
    train = TaskAddress("example_modelarts_start", run_id, "train")
    airflow.api.wait_for_state(train, "deferred")
    link = airflow.api.links(train)["Cloud console"]
    assert link
    assert "console.huaweicloud.com/modelarts" in link
    assert airflow.api.wait_for_dag_run("example_modelarts_start", run_id) == "success"
    assert [step["state"] for step in airflow.api.xcoms(train)["steps"]] == ["succeeded"] * 4
    assert "Step train: completed" in airflow.api.task_log(train)
