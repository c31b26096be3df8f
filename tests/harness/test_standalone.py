"""The whole-Airflow harness, proved on dummy DAGs: one start for all tests."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.harness import processes
from tests.harness.rest_client import TaskAddress
from tests.harness.standalone import StandaloneAirflow, StandaloneDiedError, standalone_fixture

PASSWORD = "correct-horse-battery"
DAGS = Path(__file__).parent / "dags"

standalone = standalone_fixture(
    [DAGS / "dummy_pipeline.py", DAGS / "dummy_kills.py"],
    environment=lambda: {"AIRFLOW_CONN_CLOUD": f"generic://ak:{PASSWORD}@cloud.invalid"},
)

pytestmark = [pytest.mark.e2e, pytest.mark.full]


def test_deferrable_dag_succeeds(standalone: StandaloneAirflow) -> None:
    run_id = standalone.start_run("dummy_pipeline")
    assert standalone.api.wait_for_dag_run("dummy_pipeline", run_id) == "success"
    start = TaskAddress("dummy_pipeline", run_id, "start")
    assert standalone.api.links(start) == {"Run": "cloud.invalid/run-1"}
    assert standalone.api.xcoms(start)["return_value"] == {
        "host": "cloud.invalid",
        "task": "start",
        "kept": 1,
        "run_id": "run-1",
    }
    assert standalone.api.state_store(start) == {"run_id": "run-1"}
    log = standalone.api.task_log(start)
    assert "signing with ***" in log
    assert "watching cloud.invalid with ***" in log
    assert PASSWORD not in log
    mapped = TaskAddress("dummy_pipeline", run_id, "double", 2)
    assert standalone.api.xcoms(mapped)["return_value"] == 6

    standalone.api.clear(start)
    cleared = standalone.api.wait_for_state(start, "deferred")
    assert (cleared["try_number"], cleared["max_tries"]) == (2, 2)
    standalone.api.wait_for_state(start, "success")


def test_running_task_can_be_killed_in_all_ways(standalone: StandaloneAirflow) -> None:
    run_id = standalone.start_run("dummy_kills")
    at = TaskAddress("dummy_kills", run_id, "on_worker")
    standalone.api.wait_for("the run's id", lambda: standalone.api.state_store(at) or None, 60)
    worker = standalone.worker_of(at)
    assert os.getsid(standalone.supervisor_of(at)) == os.getsid(worker)
    standalone.send_signal(worker, signal.SIGTERM)
    second = standalone.api.wait_for("the second attempt", lambda: _running_attempt(standalone, at, 2), 60)
    assert second["max_tries"] == 1
    assert "killed while Airflow says" in standalone.api.task_log(at, 1)
    standalone.worker_of(at)
    standalone.api.wait_for("its own run", lambda: _has_run(standalone, at, "run-2"), 60)
    standalone.api.mark(at, "failed")
    standalone.api.wait_for(
        "the kill's log", lambda: "{'on_worker': 'failed'}" in standalone.api.task_log(at, 2) or None, 60
    )


def test_revoked_and_restarted_triggers(standalone: StandaloneAirflow) -> None:
    run_id = standalone.start_run("dummy_kills")
    at = TaskAddress("dummy_kills", run_id, "in_triggerer")
    standalone.api.wait_for_state(at, "deferred")
    _wait_for_watching(standalone, at, 1)
    old = psutil.Process(standalone.triggerer())
    standalone.send_signal(old.pid, signal.SIGTERM)
    standalone.api.wait_for("the end of the triggerer", lambda: processes.is_gone(old) or None, 30)
    assert standalone.api.task_instance(at)["state"] == "deferred"
    standalone.start_component("triggerer")
    _wait_for_watching(standalone, at, 2)
    standalone.api.mark(at, "failed")
    standalone.api.wait_for("on_kill", lambda: "invoking on_kill" in standalone.api.task_log(at) or None, 60)


def test_foreign_processes_are_left_alone(standalone: StandaloneAirflow) -> None:
    with pytest.raises(processes.ProcessNotFoundError):
        standalone.send_signal(os.getpid(), signal.SIGTERM)
    assert standalone.scheduler() != standalone.triggerer()


def test_scheduler_that_ends_by_itself_is_missed(standalone: StandaloneAirflow) -> None:
    scheduler = psutil.Process(standalone.scheduler())
    standalone.send_signal(scheduler.pid, signal.SIGTERM)
    with pytest.raises(StandaloneDiedError, match=r"scheduler has ended by itself:\nscheduler +\| "):
        standalone.api.wait_for("what never comes", lambda: None, 60)
    assert processes.is_gone(scheduler)


def test_airflow_that_cannot_start_says_why() -> None:
    airflow = StandaloneAirflow(config={"database.sql_alchemy_conn": "sqlite:////nowhere/airflow.db"})
    try:
        with pytest.raises(StandaloneDiedError, match="unable to open database file"):
            airflow.start()
    finally:
        airflow.stop()
    assert not airflow.home.exists()


def _running_attempt(airflow: StandaloneAirflow, at: TaskAddress, try_number: int) -> dict[str, object] | None:
    found = airflow.api.task_instance(at)
    return found if (found["state"], found["try_number"]) == ("running", try_number) else None


def _has_run(airflow: StandaloneAirflow, at: TaskAddress, run_id: str) -> bool | None:
    return airflow.api.state_store(at).get("run_id") == run_id or None


def _wait_for_watching(airflow: StandaloneAirflow, at: TaskAddress, times: int) -> None:
    airflow.api.wait_for("the trigger", lambda: airflow.api.task_log(at).count("watching cloud") >= times or None, 90)
