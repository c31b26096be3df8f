"""Bases of the operators that act on a run which exists already."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.starting import StartOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.exceptions import RunError
    from airflow_provider_mlworkflows.operators.starting import StartRecord
    from airflow_provider_mlworkflows.runs import Run, RunRef


class RerunOperator(StartOperator):
    """Base of the operators that run a run again, within the same record.

    The rerun is sent once however often the task is tried, and then followed as a start is.
    """

    @property
    @abstractmethod
    def ref(self) -> RunRef:
        """The run."""

    @abstractmethod
    def rerun(self, run: Run) -> None:
        """Ask the service to run it again."""

    @property
    def started_workflow(self) -> str:
        """The workflow that it is a run of."""
        return self.ref.workflow_id

    def prepare_start(self) -> None:
        """Note how the run looks before; one that is stopping is waited for."""
        self._before = self.handler.over(self.hook.get_run(self.ref))

    def start_run(self, marker: str) -> Run:
        """Send the rerun, and wait until the run shows it."""
        self.rerun(self._before)
        return self.handler.settled(self._before)

    def state_before(self) -> int:
        """How the run looked, because a rerun leaves no marker."""
        return self._before.fingerprint

    def find_started(self, marker: str, workflow_id: str) -> Run | None:
        """The run."""
        return self.hook.get_run(self.ref)

    def find_recorded(self, record: StartRecord) -> Run | None:
        """The run, if it has changed since before the rerun."""
        run = self.find_started(record.token, record.workflow_id)
        return run if run is not None and run.fingerprint != record.before else None

    def repair_run(self, run: Run) -> None:
        """Ask once more."""
        self.rerun(run)


class StopOperator(RunOperator):
    """Base of the operators that stop a run. They succeed once it is over, also if it was over already."""

    @property
    @abstractmethod
    def ref(self) -> RunRef:
        """The run."""

    def obtain_run(self, context: Context) -> tuple[Run, float]:
        """Ask for the run to be stopped."""
        self.hook.stop_run(self.ref)
        return self.hook.get_run(self.ref), self.clock.time() + self.timeout

    def outcome_error(self, run: Run) -> RunError | None:
        """None: however it ended, it no longer runs."""
        return None
