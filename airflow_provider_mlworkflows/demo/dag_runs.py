"""Runs every Dag of the configured Dags folder once; started by `headless` as a process of its own.

Airflow reads its settings when it is imported, so they have to be in the environment before. What happens is
reported as one JSON object per line to the file descriptor given as the first argument; standard output and standard
error are left to Airflow's log.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

from airflow.dag_processing.dagbag import DagBag
from airflow.listeners import hookimpl
from airflow.models.xcom import XComModel
from airflow.sdk.configuration import conf
from airflow.sdk.listener import get_listener_manager
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_mlworkflows.clock import Bell, Clock
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.modelarts_calls import ModelArtsCallOperator
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.triggers.run import RunTrigger

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

TIME_LIMIT = 300.0
"""Seconds after which something hangs; the log then tells where."""


class HurriedClock(Clock):
    """On this clock waiting takes less than it says, like the emulated work that is waited for.

    :param speed: how many times less.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._ahead = 0.0

    def time(self) -> float:
        """Seconds since the epoch, as if all waits had been waited out."""
        return super().time() + self._ahead

    def sleep(self, seconds: float, bell: Bell | None = None) -> None:
        """Wait a fraction of so many seconds."""
        super().sleep(seconds / self._speed, bell)
        self._pass(seconds)

    async def asleep(self, seconds: float) -> None:
        """The same in an event loop."""
        await super().asleep(seconds / self._speed)
        self._pass(seconds)

    def _pass(self, seconds: float) -> None:
        self._ahead += seconds - seconds / self._speed


class Reports:
    """Tells the parent process what happens; also listens to Airflow for what tasks do.

    :param sink: where the reports go.
    """

    def __init__(self, sink: TextIO) -> None:
        self._sink = sink
        self._on_worker: RuntimeTaskInstance | None = None
        self._deferred: set[str] = set()

    def send(self, event: str, **facts: Any) -> None:
        """Send one report."""
        print(json.dumps({"event": event, **facts}), file=self._sink, flush=True)

    @hookimpl
    def on_task_instance_running(self, task_instance: RuntimeTaskInstance) -> None:
        """A task came to a worker, for the first time or again."""
        self._on_worker = task_instance
        back = str(task_instance.id) in self._deferred
        self._task(task_instance, "resumed" if back else "running")

    @hookimpl
    def on_task_instance_success(self, task_instance: RuntimeTaskInstance) -> None:
        """A task succeeded."""
        self._ended(task_instance, "success")

    @hookimpl
    def on_task_instance_skipped(self, task_instance: RuntimeTaskInstance) -> None:
        """A task skipped itself."""
        self._ended(task_instance, "skipped")

    @hookimpl
    def on_task_instance_failed(self, task_instance: RuntimeTaskInstance, error: object) -> None:
        """A task failed, for the first time or for good."""
        self._ended(task_instance, "failed", reason=str(error))

    @hookimpl
    def before_stopping(self, component: object) -> None:
        """A task leaves its worker; unless it has ended, it was deferred."""
        if self._on_worker is not None:
            self._deferred.add(str(self._on_worker.id))
            self._task(self._on_worker, "deferred")
            self._on_worker = None

    def _ended(self, task_instance: RuntimeTaskInstance, state: str, *, reason: str = "") -> None:
        self._on_worker = None
        self._deferred.discard(str(task_instance.id))
        self._task(task_instance, state, reason=reason)

    def _task(self, task_instance: RuntimeTaskInstance, state: str, *, reason: str = "") -> None:
        task_id, map_index = task_instance.task_id, task_instance.map_index
        execution = task_instance.xcom_pull(task_ids=task_id, map_indexes=map_index, key="run_id")
        name = task_id if map_index is None or map_index < 0 else f"{task_id}[{map_index}]"
        self.send("task", task=name, state=state, execution=execution, reason=reason)


def main(descriptor: int, speed: float) -> None:
    """Run all Dags, whatever comes of each.

    :param descriptor: file descriptor that takes the reports.
    :param speed: how many times as fast the emulator's workflows run.
    """
    faulthandler.dump_traceback_later(TIME_LIMIT, exit=True)
    with open(descriptor, "w", encoding="utf-8") as sink:
        reports = Reports(sink)
        initdb()
        bag = DagBag(conf.get("core", "dags_folder"))
        for file, error in bag.import_errors.items():
            reports.send("import_error", file=file, error=error)
        get_listener_manager().add_listener(reports)
        for dag_id in sorted(bag.dags):
            # A new clock each time: requests are signed by it, and the cloud refuses those too far ahead.
            clock = HurriedClock(speed)
            RunOperator.clock = ModelArtsCallOperator.clock = RunSensor.clock = RunTrigger.clock = clock
            run_dag(bag.dags[dag_id], reports)


def run_dag(dag: DAG, reports: Reports) -> None:
    """Run one Dag by ``dag.test()`` and report what its tasks left in XComs."""
    reports.send("dag", dag=dag.dag_id)
    dag_run = dag.test()
    steps = _xcoms(dag_run, "steps")
    runs = [{"run": run, "steps": steps[task]} for task, run in _xcoms(dag_run, "run").items()]
    reports.send("dag_over", state=str(dag_run.state), runs=runs)


def _xcoms(dag_run: DagRun, key: str) -> dict[tuple[str, int], Any]:
    """What the tasks of a Dag run pushed under a key, oldest first, by task and map index."""
    chosen = (XComModel.dag_id == dag_run.dag_id, XComModel.run_id == dag_run.run_id, XComModel.key == key)
    with create_session() as session:
        rows = session.scalars(select(XComModel).where(*chosen).order_by(XComModel.timestamp))
        return {(row.task_id, row.map_index): XComModel.deserialize_value(row) for row in rows}


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
