"""Rows in which components of Airflow end. Each is played alone."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import httpx
import psutil

from tests.e2e.matrix import kill_row
from tests.e2e.trigger_rows import TriggerTable
from tests.harness import processes

if TYPE_CHECKING:
    from tests.e2e.matrix import Deployment
    from tests.e2e.rows import Row
    from tests.harness.standalone import StandaloneAirflow

OUTAGE = 180.0
"""Seconds for which there is no API server."""
MOST_RETRIES = 6
"""Attempts that are lost meanwhile: each begins a while after the one before."""


@kill_row(task="success", run="succeeded", in_gate=True, ends_processes=True)
def triggerer_restarted(deployment: Deployment) -> Row:
    """Triggerer told to end, and another one started."""
    return _lose_triggerer(deployment, signal.SIGTERM)


@kill_row(task="success", run="succeeded", ends_processes=True)
def triggerer_killed(deployment: Deployment) -> Row:
    """Triggerer killed by force, and another one started."""
    return _lose_triggerer(deployment, signal.SIGKILL)


def _lose_triggerer(deployment: Deployment, number: signal.Signals) -> Row:
    row = deployment.begin("kill_modelarts_deferred")
    row.wait_until_watched()
    _end_triggerer(row.airflow, number)
    row.airflow.start_component("triggerer")
    row.wait_for_log("(ID ", times=2)
    row.finish()
    row.wait_for_end()
    return row


@kill_row(task="failed", run="stopped", stops=1, ends_processes=True)
def out_of_time_without_a_triggerer(deployment: Deployment) -> Row:
    """No triggerer until after the deadline: Airflow resumes the task only to fail it."""
    row = deployment.begin("kill_unwatched")
    row.wait_until_watched()
    _end_triggerer(row.airflow, signal.SIGKILL)
    TriggerTable(row.airflow.database).overdue(row.at)
    row.wait_for_end()
    row.wait_for_run("stopped")
    row.airflow.start_component("triggerer")
    assert "No triggerer has followed run" in row.log, row.log
    return row


@kill_row(task="success", run="succeeded", ends_processes=True, most_retries=MOST_RETRIES)
def api_server_down_for_three_minutes(deployment: Deployment) -> Row:
    """API server down for three minutes while a worker waits; attempts that begin meanwhile are lost."""
    row = deployment.begin("kill_outlasting")
    airflow = row.airflow
    server = _api_server(airflow)
    airflow.send_signal(server.pid, signal.SIGKILL)
    airflow.api.wait_for("the end of the API server", lambda: processes.is_gone(server) or None, 60)
    back_at = time.monotonic() + OUTAGE
    while time.monotonic() < back_at:
        assert row.run_state() == "running"
        time.sleep(1.0)
    airflow.start_component("api-server")
    airflow.api.wait_for("an API server", lambda: _is_healthy(airflow), 120)
    row.finish()
    row.wait_for_end()
    attempts = row.instance["try_number"]
    assert attempts == 1 or "Reattached to run" in row.attempt_log(attempts), row.log
    return row


def _end_triggerer(airflow: StandaloneAirflow, number: signal.Signals) -> None:
    triggerer = psutil.Process(airflow.triggerer())
    airflow.send_signal(triggerer.pid, number)
    airflow.api.wait_for("the end of the triggerer", lambda: processes.is_gone(triggerer) or None, 60)


def _api_server(airflow: StandaloneAirflow) -> psutil.Process:
    found = processes.find(airflow.sessions, lambda line: line.startswith("airflow api_server -- "))
    assert len(found) == 1, found
    return psutil.Process(found[0])


def _is_healthy(airflow: StandaloneAirflow) -> bool | None:
    try:
        return bool(airflow.api.health()) or None
    except httpx.HTTPError:
        return None
