"""What becomes of the run when its task is killed, on a real Airflow. Rows that end processes come last."""

from __future__ import annotations

import signal
from collections.abc import Callable

import psutil
import pytest

from tests.e2e.rows import Outcome, Row

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Begin = Callable[[str], Row]


def test_marked_failed_on_worker(begin: Begin) -> None:
    row = begin("kill_on_worker")
    row.airflow.api.mark(row.at, "failed")
    row.wait_for_status("stopped")
    row.check(Outcome(starts=1, effective_stops=1, task_state="failed", last_run="stopped"))


def test_cleared_on_worker(begin: Begin) -> None:
    row = begin("kill_on_worker")
    row.airflow.api.clear(row.at)
    row.wait_for_start(2)
    row.wait_for_status("stopped", 0)
    row.finish_run()
    row.wait_for_state("success", "failed")
    row.check(Outcome(starts=2, effective_stops=1, task_state="success", last_run="completed"))


def test_marked_failed_while_deferred(begin: Begin) -> None:
    row = begin("kill_deferred")
    row.wait_until_watched()
    row.airflow.api.mark(row.at, "failed")
    row.wait_for_status("stopped")
    row.check(Outcome(starts=1, effective_stops=1, task_state="failed", last_run="stopped"))


def test_marked_success_while_deferred(begin: Begin) -> None:
    row = begin("kill_deferred")
    row.wait_until_watched()
    row.airflow.api.mark(row.at, "success")
    row.wait_for_status("stopped")
    row.check(Outcome(starts=1, effective_stops=1, task_state="success", last_run="stopped"))


def test_cleared_while_deferred(begin: Begin) -> None:
    row = begin("kill_deferred")
    row.wait_until_watched()
    row.airflow.api.clear(row.at)
    row.wait_for_start(2)
    row.wait_for_status("stopped", 0)
    row.wait_until_watched(2)
    row.finish_run()
    row.wait_for_state("success", "failed")
    row.check(Outcome(starts=2, effective_stops=1, task_state="success", last_run="completed"))


def test_time_out_while_deferred(begin: Begin) -> None:
    row = begin("kill_timed")
    row.wait_for_state("failed")
    row.wait_for_status("stopped")
    row.check(Outcome(starts=1, effective_stops=1, task_state="failed", last_run="stopped"))
    assert "RunTimeoutError" in row.airflow.api.task_log(row.at)


def test_worker_redeployed(begin: Begin) -> None:
    row = begin("kill_on_worker")
    row.airflow.send_signal(row.airflow.worker_of(row.at), signal.SIGTERM)
    row.airflow.api.wait_for("the second attempt", lambda: _is_running_again(row), 90)
    row.finish_run()
    row.wait_for_state("success", "failed")
    row.check(Outcome(starts=1, effective_stops=0, task_state="success", last_run="completed"))
    assert "Reattached to run" in row.airflow.api.task_log(row.at, 2)


def test_triggerer_restarted(begin: Begin) -> None:
    row = begin("kill_deferred")
    row.wait_until_watched()
    triggerer = row.airflow.triggerer()
    row.airflow.send_signal(triggerer, signal.SIGTERM)
    row.airflow.api.wait_for("the end of the triggerer", lambda: _is_gone(triggerer), 60)
    row.airflow.start_component("triggerer")
    row.finish_run()
    row.wait_for_state("success", "failed")
    row.check(Outcome(starts=1, effective_stops=0, task_state="success", last_run="completed"))


def _is_running_again(row: Row) -> bool | None:
    found = row.airflow.api.task_instance(row.at)
    return (found["state"], found["try_number"]) == ("running", 2) or None


def _is_gone(pid: int) -> bool | None:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE or None
    except psutil.NoSuchProcess:
        return True
