"""One row of the kill matrix: a task of a Dag run, and what the emulator's journal says of its runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.harness.rest_client import FINISHED, TaskAddress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.services import RowService
    from tests.harness.standalone import StandaloneAirflow

_DEFERRED = "Pausing task as DEFERRED"
_GOES_ON = re.compile("attribute is (queued|running)")
PATIENCE = 240.0
"""Seconds to wait for what Airflow has to do; more than it takes on a machine that has other things to do."""


@dataclass(frozen=True)
class Outcome:
    """What a row comes to.

    Attributes:
        starts: Runs that were started.
        stops: Requests of the task's that stopped a run.
        idle_stops: Requests of the task's to stop a run that was over or stopping.
        retries: Attempts beyond the first one and one for each clear, without those that Airflow's race at
            deferral costs.
        task: State of the task.
        run: State of the last run, in words that suit every service.
    """

    starts: int
    stops: int
    idle_stops: int
    retries: int
    task: str | None
    run: str


def races(output: str, at: TaskAddress, logs: Iterable[str]) -> int:
    """How many attempts of a task Airflow has lost to its race at deferral.

    A trigger that fires before the scheduler has heard of the worker's end makes it take the task, by then queued
    again or on the next worker, for lost. It says the same of a worker that was killed, but such an attempt has not
    been deferred.

    Args:
        output: What Airflow has printed.
        at: The task.
        logs: Of its attempts; looked at only if Airflow has lost one.
    """
    mapped = "" if at.map_index < 0 else f"map_index={at.map_index} "
    lost = (
        line
        for line in output.splitlines()
        if "but the task instance's state attribute is" in line
        and f"{at.dag_id}.{at.task_id} {at.run_id} {mapped}[" in line
    )
    noticed = sum("finished with state success" in line and bool(_GOES_ON.search(line)) for line in lost)
    return noticed and min(noticed, sum(_DEFERRED in log for log in logs))


def is_left_by_worker(output: str, at: TaskAddress, attempt: int) -> bool:
    """Whether the scheduler has heard that a worker is through with an attempt, which goes on if it is deferred.

    Args:
        output: What Airflow has printed.
        at: The task.
        attempt: Which of its attempts.
    """
    key = (
        f"TaskInstanceKey(dag_id={at.dag_id!r}, task_id={at.task_id!r}, run_id={at.run_id!r}, "
        f"try_number={attempt}, map_index={at.map_index})"
    )
    return f"Received executor event with state success for task instance {key}" in output


@dataclass
class Row:
    """A task that follows an endless run.

    Attributes:
        airflow: Where it runs.
        service: What it runs on.
        workflow: What it starts; no other row starts that.
        at: The task.
        clears: How often it was cleared.
    """

    airflow: StandaloneAirflow
    service: RowService
    workflow: str
    at: TaskAddress
    clears: int = field(default=0)

    @property
    def runs(self) -> list[str]:
        """The ids of the runs that the task has started, in order."""
        return self.service.under_test.runs(self.workflow)

    @property
    def instance(self) -> dict[str, Any]:
        """The task instance as Airflow shows it."""
        return self.airflow.api.task_instance(self.at)

    def run_state(self, number: int = -1) -> str:
        """What one of its runs does."""
        return self.service.state(self.runs[number])

    def mark(self, state: str) -> None:
        """Mark the task, as a person does."""
        self.airflow.api.mark(self.at, state)

    def clear(self) -> None:
        """Clear the task, as a person does."""
        self.clears += 1
        self.airflow.api.clear(self.at)

    def finish(self) -> None:
        """Let its last run succeed."""
        self.service.finish(self.runs[-1])

    def stop_elsewhere(self) -> None:
        """Stop its last run, as a person does in the cloud's console."""
        self.service.under_test.stop_elsewhere(self.runs[-1])

    def wait_for_start(self, starts: int = 1) -> None:
        """Wait until the task has started so many runs and has published the last one."""

        def published() -> bool | None:
            runs = self.runs
            if len(runs) < starts:
                return None
            return self.airflow.api.xcoms(self.at).get("run_id") == runs[-1] or None

        self._wait(f"start {starts}", published)

    def wait_for_task(self, *states: str) -> None:
        """Wait until the task is in one of these states."""

        def reached() -> bool | None:
            state = self.instance["state"]
            if state in FINISHED and state not in states:
                raise AssertionError(f"{self.at} ended as {state}, not as one of {states}:\n{self.log}")
            return state in states or None

        self._wait(f"one of {states}", reached)

    def wait_for_end(self) -> None:
        """Wait until the task has ended."""
        self._wait("its end", lambda: self.instance["state"] in FINISHED or None)

    def wait_for_attempt(self, number: int) -> None:
        """Wait until an attempt runs on a worker."""

        def runs() -> bool | None:
            found = self.instance
            return (found["state"], found["try_number"]) == ("running", number) or None

        self._wait(f"attempt {number}", runs)

    def wait_until_watched(self, attempt: int = 1) -> None:
        """Wait until the triggerer has the task: before that, Airflow calls nobody when the task is killed.

        The scheduler knows by then that the worker is through, so that a trigger that fires does not begin a race.
        """
        self.wait_for_task("deferred")
        self.wait_for_log("(ID ", attempt)
        self._wait("its worker's end", lambda: is_left_by_worker(self.airflow.output, self.at, attempt) or None)

    def wait_for_log(self, text: str, attempt: int = 1, times: int = 1) -> None:
        """Wait until the log of an attempt holds a text so many times."""
        self._wait(f"{text!r} in its log", lambda: self.attempt_log(attempt).count(text) >= times or None)

    def wait_for_run(self, state: str, number: int = -1) -> None:
        """Wait until one of its runs is in a state."""
        self._wait(f"run {number} {state}", lambda: self.run_state(number) == state or None)

    def attempt_log(self, number: int) -> str:
        """The log of one attempt; "" before it begins, and if it never did: a clear may use up a number."""
        if self.instance["try_number"] < number:
            return ""
        return self.airflow.api.task_log(self.at, number)

    @property
    def log(self) -> str:
        """The logs of all attempts."""
        return "\n".join(self._attempt_logs)

    @property
    def _attempt_logs(self) -> list[str]:
        return [self.attempt_log(number) for number in range(1, self.instance["try_number"] + 1)]

    @property
    def raced(self) -> int:
        """How many attempts Airflow has lost to its race at deferral."""
        return races(self.airflow.output, self.at, self._attempt_logs)

    def outcome(self) -> Outcome:
        """What has come of the row by now."""
        counts = self.service.under_test.counts(self.workflow)
        instance = self.instance
        retries = instance["try_number"] - 1 - self.clears
        return Outcome(
            starts=counts.starts,
            stops=counts.stops,
            idle_stops=counts.idle_stops,
            retries=retries - min(retries, self.raced),
            task=instance["state"],
            run=self.run_state(),
        )

    def _wait(self, what: str, look: Any) -> None:
        self.airflow.api.wait_for(f"{self.at}: {what}", look, PATIENCE)
