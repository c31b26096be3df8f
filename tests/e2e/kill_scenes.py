"""Rows in which people end tasks, or time does. Nothing in them ends a component of Airflow.

A worker that is told to end has five seconds to ask Airflow why. While one does, its row holds ``api.writing``, so that
the API server has nothing to do that keeps it from answering.
"""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator import FaultRule
from tests.e2e.dags.kill_rows import EXPIRING_CONNECTION
from tests.e2e.matrix import kill_row
from tests.e2e.trigger_rows import TriggerTable
from tests.harness.rest_client import TaskAddress

if TYPE_CHECKING:
    from tests.e2e.matrix import Deployment
    from tests.e2e.rows import Row

MEMORY_KEY = "mlworkflows_watch"
HANGING = 25.0
"""Seconds that a read goes without an answer: many times what a worker has that was told to end."""
LASTING = timedelta(days=1)
STOPPING_SERVICES = ("modelarts", "paiflow", "aom")


@kill_row(task="success", run="succeeded")
def left_alone_on_worker(deployment: Deployment) -> Row:
    """Nothing happens to a task on a worker."""
    row = deployment.begin("kill_modelarts_worker")
    row.finish()
    row.wait_for_end()
    return row


@kill_row(task="success", run="succeeded")
def left_alone_while_deferred(deployment: Deployment) -> Row:
    """Nothing happens to a deferred task."""
    row = deployment.begin("kill_modelarts_deferred")
    row.wait_until_watched()
    row.finish()
    row.wait_for_end()
    return row


@kill_row(task="failed", run="stopped", stops=1, in_gate=True)
def marked_failed_on_worker(deployment: Deployment) -> Row:
    """Marked failed while on a worker."""
    row = deployment.begin("kill_modelarts_worker")
    with row.airflow.api.writing:
        row.mark("failed")
        row.wait_for_run("stopped")
    return row


@kill_row(task="success", run="stopped", stops=1)
def marked_success_on_worker(deployment: Deployment) -> Row:
    """Marked success while on a worker."""
    row = deployment.begin("kill_modelarts_worker")
    with row.airflow.api.writing:
        row.mark("success")
        row.wait_for_run("stopped")
    return row


@kill_row(task="success", run="succeeded", starts=2, stops=1, idle_stops=1, in_gate=True)
def cleared_on_worker(deployment: Deployment) -> Row:
    """Cleared while on a worker."""
    row = deployment.begin("kill_modelarts_worker")
    with row.airflow.api.writing:
        row.clear()
        row.wait_for_start(2)
        row.wait_for_run("stopped", 0)
    row.finish()
    row.wait_for_end()
    return row


@kill_row(task="failed", run="stopped", stops=1, in_gate=True, on=STOPPING_SERVICES)
def marked_failed_while_deferred(deployment: Deployment, service: str) -> Row:
    """Marked failed while deferred."""
    row = deployment.begin(f"kill_{service}_deferred", service=service)
    row.wait_until_watched()
    row.mark("failed")
    row.wait_for_run("stopped")
    return row


@kill_row(task="failed", run="running", on=("obs",))
def marked_failed_while_deferred_with_a_run_that_nobody_can_stop(deployment: Deployment, service: str) -> Row:
    """Marked failed while deferred, and nothing stops the run."""
    row = deployment.begin(f"kill_{service}_deferred", service=service)
    row.wait_until_watched()
    row.mark("failed")
    row.wait_for_log("The task was ended from outside.")
    return row


@kill_row(task="success", run="stopped", stops=1)
def marked_success_while_deferred(deployment: Deployment) -> Row:
    """Marked success while deferred."""
    row = deployment.begin("kill_modelarts_deferred")
    row.wait_until_watched()
    row.mark("success")
    row.wait_for_run("stopped")
    return row


@kill_row(task="success", run="succeeded", starts=2, stops=1, idle_stops=1, in_gate=True, on=STOPPING_SERVICES)
def cleared_while_deferred(deployment: Deployment, service: str) -> Row:
    """Cleared while deferred."""
    row = deployment.begin(f"kill_{service}_deferred", service=service)
    row.wait_until_watched()
    row.clear()
    row.wait_for_start(2)
    row.wait_for_run("stopped", 0)
    row.wait_until_watched(2)
    row.finish()
    row.wait_for_end()
    return row


@kill_row(task="success", run="succeeded", starts=2)
def cleared_after_success(deployment: Deployment) -> Row:
    """Cleared after it has succeeded."""
    row = deployment.begin("kill_modelarts_deferred")
    row.finish()
    row.wait_for_end()
    row.clear()
    row.wait_for_start(2)
    row.finish()
    row.wait_for_end()
    return row


@kill_row(task="failed", run="stopped", stops=1, in_gate=True)
def dag_run_marked_failed_while_deferred(deployment: Deployment) -> Row:
    """The Dag run marked failed while the task is deferred."""
    row = deployment.begin("kill_modelarts_deferred")
    row.wait_until_watched()
    _mark_dag_run_failed(row)
    row.wait_for_run("stopped")
    return row


@kill_row(task="failed", run="stopped", stops=1)
def dag_run_marked_failed_on_worker(deployment: Deployment) -> Row:
    """The Dag run marked failed while the task is on a worker."""
    row = deployment.begin("kill_modelarts_worker")
    with row.airflow.api.writing:
        _mark_dag_run_failed(row)
        row.wait_for_run("stopped")
    return row


@kill_row(task="failed", run="stopped", stops=1)
def out_of_time_while_deferred(deployment: Deployment) -> Row:
    """`timeout` reached while deferred."""
    row = deployment.begin("kill_timed")
    row.wait_for_end()
    row.wait_for_run("stopped")
    assert "RunTimeoutError" in row.log, row.log
    return row


@kill_row(task="failed", run="stopped", stops=1)
def out_of_execution_timeout_on_worker(deployment: Deployment) -> Row:
    """`execution_timeout` reached on a worker."""
    row = deployment.begin("kill_alarmed")
    row.wait_for_end()
    row.wait_for_run("stopped")
    assert "AirflowTaskTimeout" in row.log, row.log
    return row


@kill_row(task="success", run="succeeded")
def out_of_execution_timeout_while_deferred(deployment: Deployment) -> Row:
    """`execution_timeout` passed while deferred, which Airflow does not look at."""
    row = deployment.begin("kill_unalarmed")
    row.wait_until_watched()
    run_id = row.runs[0]
    started = deployment.emulator.modelarts.execution(run_id).created_at
    clock = deployment.emulator.clock
    row.airflow.api.wait_for("execution_timeout", lambda: (clock.now() - started).total_seconds() > 20 or None, 60)
    row.finish()
    row.wait_for_end()
    return row


@kill_row(task="failed", run="stopped", retries=1)
def stopped_in_the_console_while_deferred(deployment: Deployment) -> Row:
    """Run stopped in the console, with a retry left: it is used, and does not revive the run."""
    row = deployment.begin("kill_modelarts_deferred")
    row.wait_until_watched()
    row.stop_elsewhere()
    row.wait_for_end()
    assert "RunStoppedError" in row.attempt_log(2), row.log
    return row


@kill_row(task="failed", run="stopped", retries=1)
def stopped_in_the_console_on_worker(deployment: Deployment) -> Row:
    """The same on a worker."""
    row = deployment.begin("kill_modelarts_worker")
    row.stop_elsewhere()
    row.wait_for_end()
    assert "RunStoppedError" in row.attempt_log(2), row.log
    return row


@kill_row(task="failed", run="stopped", stops=1)
def marked_failed_during_the_start_call(deployment: Deployment) -> Row:
    """Marked failed while the start has not been answered yet."""
    with deployment.airflow.api.writing:
        row, worker = deployment.begin_with_a_slow_start()
        row.mark("failed")
        # What the worker's supervisor does once it hears of the mark, which may be later than the answer.
        row.airflow.send_signal(worker, signal.SIGTERM)
        row.wait_for_run("stopped")
    return row


@kill_row(task="success", run="succeeded", retries=1)
def redeployed_during_the_start_call(deployment: Deployment) -> Row:
    """Worker told to end while the start has not been answered yet."""
    row, worker = deployment.begin_with_a_slow_start()
    row.airflow.send_signal(worker, signal.SIGTERM)
    assert "run_id" not in row.airflow.api.xcoms(row.at), row.log
    row.wait_for_attempt(2)
    row.finish()
    row.wait_for_end()
    assert "Reattached to run" in row.attempt_log(2), row.log
    return row


@kill_row(task="failed", run="stopped", stops=1)
def marked_failed_while_a_read_hangs(deployment: Deployment) -> Row:
    """Marked failed on a worker while the service leaves a read without an answer."""
    row = deployment.begin("kill_modelarts_worker")
    faults, reads = deployment.emulator.faults, rf"^GET .*/executions/{row.runs[0]}$"
    with row.airflow.api.writing:
        hanging = faults.add(FaultRule(path=reads, action="delay", delay=HANGING))
        row.airflow.api.wait_for("a read", lambda: faults.struck(hanging) or None, 60)
        row.mark("failed")
        row.wait_for_run("stopped")
    return row


@kill_row(task="failed", run="stopped", stops=1)
def mapped_task_marked_failed(deployment: Deployment) -> Row:
    """One of three mapped tasks marked failed while deferred; the others go on."""
    first, second, third = deployment.begin_mapped("kill_mapped", 3)
    for row in (first, second, third):
        row.wait_until_watched()
    second.mark("failed")
    second.wait_for_run("stopped")
    for row in (first, third):
        row.finish()
        row.wait_for_end()
        outcome = row.outcome()
        assert (outcome.starts, outcome.stops, outcome.idle_stops, outcome.task) == (1, 0, 0, "success"), row.log
    return second


@kill_row(task="success", run="succeeded", retries=1)
def mapped_task_redeployed(deployment: Deployment) -> Row:
    """Worker of one of three mapped tasks told to end; the others go on."""
    first, second, third = deployment.begin_mapped("kill_mapped_worker", 3)
    second.airflow.send_signal(second.airflow.worker_of(second.at), signal.SIGTERM)
    second.wait_for_attempt(2)
    for row in (first, second, third):
        row.finish()
        row.wait_for_end()
    for row in (first, third):
        outcome = row.outcome()
        assert (outcome.starts, outcome.stops, outcome.retries, outcome.task) == (1, 0, 0, "success"), row.log
    assert "Reattached to run" in second.attempt_log(2), second.log
    return second


@kill_row(task="success", run="succeeded")
def trigger_moved_to_another_triggerer(deployment: Deployment) -> Row:
    """Trigger given to another triggerer and back, as after a lapsed heartbeat."""
    row = deployment.begin("kill_modelarts_deferred")
    row.wait_until_watched()
    triggers = TriggerTable(row.airflow.database)
    with triggers.moved_away(row.at):
        row.wait_for_log("is watched elsewhere; it goes on")
    row.wait_for_log("(ID ", times=2)
    row.finish()
    row.wait_for_end()
    return row


@kill_row(task="success", run="succeeded", retries=1, in_gate=True)
def neighbour_cleared_then_trigger_crashed(deployment: Deployment) -> Row:
    """Another task cleared while this one is deferred; then its trigger crashes."""
    row = deployment.begin("kill_with_neighbour")
    neighbour = TaskAddress(row.at.dag_id, row.at.run_id, "neighbour")
    row.wait_until_watched()
    row.airflow.api.wait_for_state(neighbour, "success")
    row.airflow.api.clear(neighbour)
    row.airflow.api.wait_for_state(neighbour, "success")
    _crash_trigger(row)
    row.wait_for_log("Reattached to run", attempt=2)
    row.wait_until_watched(2)
    row.finish()
    row.wait_for_end()
    assert "TaskDeferralError" in row.attempt_log(1), row.log
    return row


@kill_row(task="success", run="succeeded", retries=1, in_gate=True)
def worker_redeployed(deployment: Deployment) -> Row:
    """Worker told to end, as by a redeploy."""
    row = deployment.begin("kill_modelarts_worker")
    row.airflow.send_signal(row.airflow.worker_of(row.at), signal.SIGTERM)
    row.wait_for_attempt(2)
    row.finish()
    row.wait_for_end()
    assert "Reattached to run" in row.attempt_log(2), row.log
    return row


@kill_row(task="success", run="succeeded", retries=1)
def worker_killed(deployment: Deployment) -> Row:
    """Worker killed by force."""
    row = deployment.begin("kill_modelarts_worker")
    row.airflow.send_signal(row.airflow.worker_of(row.at), signal.SIGKILL)
    row.wait_for_attempt(2)
    row.finish()
    row.wait_for_end()
    assert "Reattached to run" in row.attempt_log(2), row.log
    return row


@kill_row(task="success", run="succeeded")
def key_expires_while_deferred(deployment: Deployment) -> Row:
    """Temporary key expires while deferred, and another one is put into the connection."""
    keys = deployment.emulator.credentials
    first, second = (keys.add_temporary_key("airflow", deployment.emulator.clock.now() + LASTING) for _ in range(2))
    deployment.set_key(EXPIRING_CONNECTION, first.ak, first.sk, first.security_token)
    row = deployment.begin("kill_expiring")
    row.wait_until_watched()
    keys.expire(first)
    row.wait_for_log("The connection does not work any more")
    deployment.set_key(EXPIRING_CONNECTION, second.ak, second.sk, second.security_token)
    row.finish()
    row.wait_for_end()
    return row


def _mark_dag_run_failed(row: Row) -> None:
    path = f"/dags/{row.at.dag_id}/dagRuns/{row.at.run_id}"
    row.airflow.api.call("PATCH", path, json={"state": "failed"})


def _crash_trigger(row: Row) -> None:
    """Let the trigger fail when it begins its second life: what it is to remember cannot be read."""
    at = row.at
    path = f"{at.path}/xcomEntries/{MEMORY_KEY}"
    with TriggerTable(row.airflow.database).moved_away(at):
        row.wait_for_log("is watched elsewhere; it goes on")
        row.airflow.api.call("PATCH", path, json={"value": "no JSON"})
