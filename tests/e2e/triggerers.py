"""Several triggerers of one Airflow: who has which trigger, and what becomes of them when they end or stand still."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import psutil

from tests.harness.processes import is_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from tests.harness.postgres import PostgresServer
    from tests.harness.standalone import StandaloneAirflow

T = TypeVar("T")

PATIENCE = 240.0
"""Seconds to wait for what Airflow has to do; many times what it takes."""
CAPACITY = 1000
TaskKey = tuple[str, int]
"""Task id and map index."""


@dataclass(frozen=True)
class Triggerer:
    """One triggerer.

    Attributes:
        pid: Its process that talks to the database; another one, a child of it, runs the triggers.
        job: Its id in Airflow's tables.
    """

    pid: int
    job: int

    @property
    def processes(self) -> list[psutil.Process]:
        """Its processes, the first one first."""
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]


class TriggererPool:
    """The triggerers of one Airflow, with the tasks of one Dag.

    Args:
        airflow: Airflow.
        database: Its database.
        dag_id: The Dag.
    """

    def __init__(self, airflow: StandaloneAirflow, database: PostgresServer, dag_id: str) -> None:
        self._airflow = airflow
        self._database = database
        self._dag_id = dag_id
        self._jobs: set[int] = set()

    def first(self) -> Triggerer:
        """The triggerer that Airflow began with."""
        return self._get_to_know(self._airflow.triggerer())

    def start(self) -> Triggerer:
        """Start another one, with room for all triggers, and wait until it is ready."""
        # The API server reads its logs where they are; the first one already serves them.
        arguments = ("--skip-serve-logs", "--capacity", str(CAPACITY))
        return self._get_to_know(self._airflow.start_component("triggerer", *arguments))

    def kill(self, triggerer: Triggerer) -> None:
        """Kill its first process by force, as for want of memory, and wait until nobody runs its triggers."""
        # The server of its logs may outlive it.
        ending = [process for process in triggerer.processes if "serve-logs" not in process.cmdline()[0]]
        assert len(ending) > 1, f"nobody runs the triggers of {triggerer}"
        self._airflow.send_signal(triggerer.pid, signal.SIGKILL)
        self._wait("the end of its triggers", lambda: all(map(is_gone, ending)) or None)

    def pause(self, triggerer: Triggerer) -> None:
        """Let all its processes stand still, as with the machine they are on."""
        for process in triggerer.processes:
            self._airflow.send_signal(process.pid, signal.SIGSTOP)

    def resume(self, triggerer: Triggerer) -> None:
        """Let it go on, as if nothing had been."""
        for process in reversed(triggerer.processes):
            self._airflow.send_signal(process.pid, signal.SIGCONT)

    def holdings(self) -> dict[int, int]:
        """How many triggers of tasks each triggerer has, by job."""
        held = self._database.rows(
            "SELECT trigger.triggerer_id FROM trigger JOIN task_instance ON task_instance.trigger_id = trigger.id"
            " WHERE task_instance.dag_id = :dag AND trigger.triggerer_id IS NOT NULL",
            dag=self._dag_id,
        )
        return dict(Counter(int(job) for (job,) in held))

    def logged(self, triggerer: Triggerer, text: str) -> set[TaskKey]:
        """The tasks in whose log a triggerer has written a text."""
        folder = self._airflow.home / "logs" / f"dag_id={self._dag_id}"
        logs = folder.glob(f"run_id=*/task_id=*/map_index=*/attempt=*.log.trigger.{triggerer.job}.log")
        found = (log for log in logs if text in log.read_text(errors="replace"))
        return {
            (log.parents[1].name.removeprefix("task_id="), int(log.parent.name.removeprefix("map_index=")))
            for log in found
        }

    def wait_until_run_by(self, triggerers: Sequence[Triggerer], keys: Collection[TaskKey]) -> None:
        """Wait until these triggerers have all triggers of these tasks and run them, and each has some."""

        def run() -> bool | None:
            holdings = self.holdings()
            if set(holdings) != {triggerer.job for triggerer in triggerers} or sum(holdings.values()) != len(keys):
                return None
            return set().union(*(self.logged(each, " starting") for each in triggerers)) >= set(keys) or None

        self._wait(f"triggers at {[triggerer.job for triggerer in triggerers]}", run)

    def wait_until_logged(self, triggerer: Triggerer, text: str, keys: Collection[TaskKey]) -> None:
        """Wait until a triggerer has written a text into the logs of these tasks."""
        self._wait(f"{text!r} in its logs", lambda: self.logged(triggerer, text) >= set(keys) or None)

    def raced(self) -> Counter[TaskKey]:
        """How many attempts Airflow has lost to its race at deferral, by task.

        A trigger that fires before the scheduler has heard of the worker's end makes it take the task, by then
        queued again or on the next worker, for lost.
        """
        lost = self._database.rows(
            "SELECT task_id, map_index FROM log WHERE dag_id = :dag AND event = 'state mismatch'"
            " AND extra LIKE '%finished with state success%'"
            " AND (extra LIKE '%attribute is queued%' OR extra LIKE '%attribute is running%')",
            dag=self._dag_id,
        )
        return Counter((str(task_id), int(map_index)) for task_id, map_index in lost)

    def _get_to_know(self, pid: int) -> Triggerer:
        """Wait until a triggerer, the only new one, has a job."""

        def look() -> int | None:
            jobs = {int(job) for (job,) in self._database.rows("SELECT id FROM job WHERE job_type = 'TriggererJob'")}
            new = jobs - self._jobs
            assert len(new) <= 1, f"nobody has started the triggerers {new}"
            return next(iter(new), None)

        job = self._wait("a triggerer", look)
        self._jobs.add(job)
        return Triggerer(pid, job)

    def _wait(self, what: str, look: Callable[[], T | None]) -> T:
        return self._airflow.api.wait_for(what, look, PATIENCE)
