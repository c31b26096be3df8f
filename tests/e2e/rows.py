"""One row of the kill matrix: a Dag run, and what the emulator's journal says of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.harness.rest_client import TaskAddress

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.harness.standalone import StandaloneAirflow

PATIENCE = 90.0


@dataclass(frozen=True)
class Outcome:
    """What a row must end with."""

    starts: int
    effective_stops: int
    task_state: str
    last_run: str


@dataclass
class Row:
    """A Dag run with one task that follows an endless run."""

    airflow: StandaloneAirflow
    emulator: Emulator
    dag_id: str
    run_id: str

    @property
    def at(self) -> TaskAddress:
        """The task."""
        return TaskAddress(self.dag_id, self.run_id, "train")

    def executions(self) -> list[str]:
        """The ids of the runs that the task has started, in order."""
        started = self.emulator.journal.find("CreateWorkflowExecution", effective=True)
        return [e.ids["execution_id"] for e in started if (e.body or {}).get("description") == self.run_id]

    def stops(self, *, effective: bool) -> int:
        """How many stops of its runs changed something, or nothing."""
        return sum(
            self.emulator.journal.count(
                "CreateWorkflowExecutionsActions", action="stop", effective=effective, execution_id=execution
            )
            for execution in self.executions()
        )

    def status(self, number: int = -1) -> str:
        """The status of one of its runs."""
        execution = self.emulator.modelarts.execution(self.executions()[number])
        return str(self.emulator.modelarts.peek(execution)["status"])

    def wait_for_start(self, starts: int = 1) -> None:
        """Wait until the task has started so many runs and has published the last one."""

        def published() -> bool | None:
            known = self.executions()
            if len(known) < starts:
                return None
            return self.airflow.api.xcoms(self.at).get("run_url", "").endswith(known[-1]) or None

        self.airflow.api.wait_for(f"start {starts} of {self.at}", published, PATIENCE)

    def wait_for_state(self, *states: str) -> None:
        """Wait until the task is in one of these states."""
        self.airflow.api.wait_for(
            f"{self.at} {states}",
            lambda: self.airflow.api.task_instance(self.at)["state"] in states or None,
            PATIENCE,
        )

    def wait_until_watched(self, attempt: int = 1) -> None:
        """Wait until the triggerer has the task: before that, Airflow calls nobody when the task is killed."""
        self.wait_for_state("deferred")
        self.airflow.api.wait_for(
            f"a trigger for {self.at}",
            lambda: "(ID " in self.airflow.api.task_log(self.at, attempt) or None,
            PATIENCE,
        )

    def wait_for_status(self, status: str, number: int = -1) -> None:
        """Wait until one of its runs has a status."""
        self.airflow.api.wait_for(f"{status} run", lambda: self.status(number) == status or None, PATIENCE)

    def finish_run(self) -> None:
        """Let its last run succeed."""
        self.emulator.modelarts.force_status(self.executions()[-1], "completed", {"train": "completed"})

    def check(self, expected: Outcome) -> None:
        """Compare the row with its outcome; one redundant stop is allowed."""
        outcome = Outcome(
            len(self.executions()),
            self.stops(effective=True),
            self.airflow.api.task_instance(self.at)["state"],
            self.status(),
        )
        log = "\n".join(
            self.airflow.api.task_log(self.at, number)
            for number in range(1, self.airflow.api.task_instance(self.at)["try_number"] + 1)
        )
        assert outcome == expected, log
        assert self.stops(effective=False) <= 1, log
