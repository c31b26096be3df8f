"""Starting a run once where the service keeps no mark of whoever started it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.choices import ON_UNCERTAIN, checked_choice
from airflow_provider_mlworkflows.exceptions import RunInterruptedError, StartUncertainError
from airflow_provider_mlworkflows.operators.starting import LOOKUP_SECONDS, StartOperator

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.records import StartRecord
    from airflow_provider_mlworkflows.runs import Run

NOTED_SECONDS = 900.0
"""Age up to which runs are noted before a start: older ones cannot be taken for the new one."""
START_WINDOW = 120.0
"""Seconds after the intent within which its run has begun, if it has: the call is given up long before."""
CLOCK_GRAIN = 2.0
"""Seconds by which the service's clock may be off as it is read from here: it is told in whole seconds."""


class UnmarkedStartOperator(StartOperator):
    """Base of the operators whose runs may carry no marker.

    The runs that exist are noted before the call. If its answer is lost, the one run is adopted that is not among
    them, began when the call was made and has the same inputs; but not before it would surely be visible. If there
    is no such run or more than one, nobody can tell.

    :param on_uncertain: what to do then: ``fail``, so that a person decides, or ``start`` another run.
    :raises StartUncertainError: if nobody can tell, and ``on_uncertain="fail"``. Clearing the task starts another.
    """

    def __init__(self, *, on_uncertain: str = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_uncertain = checked_choice("on_uncertain", on_uncertain, ON_UNCERTAIN)

    @property
    def leaves_marker(self) -> bool:
        """Whether the runs of this task carry its marker all the same."""
        return False

    @property
    def listed_workflow(self) -> str:
        """The id under which the runs of the workflow are listed."""
        return self.started_workflow

    @abstractmethod
    def recent_runs(self, workflow_id: str, since: float) -> Sequence[Run]:
        """The runs of a workflow that have begun since, in seconds since the epoch by the service's clock."""

    def given(self) -> Any:
        """What a run is started with, as JSON, if a run tells."""
        return None

    def resembles(self, run: Run, given: Any) -> bool:
        """Whether a run may have been started with this."""
        return True

    def state_before(self) -> dict[str, Any] | None:
        """The runs that are there already, the service's time, and what the new run is started with."""
        if self.leaves_marker:
            return None
        workflow_id = self.listed_workflow
        runs = self.recent_runs(workflow_id, self.hook.service_time() - NOTED_SECONDS)
        return {
            "workflow_id": workflow_id,
            # Only an answer tells the service's time, and this may have been the first.
            "time": self.hook.service_time(),
            "run_ids": [run.ref.run_id for run in runs],
            "given": self.given(),
        }

    def look_for_started(self, record: StartRecord) -> Run | None:
        """Look for the run by its marker, or for the only run that can be the one.

        :raises StartUncertainError: if there is none or more than one, and ``on_uncertain="fail"``.
        :raises RunInterruptedError: if the worker shuts down before that can be seen; the next attempt looks again.
        """
        if "run_ids" not in (record.before or {}):
            return super().look_for_started(record)  # that run carries a marker, whatever this task's would do now
        # Waited out: the run that is visible at once may be somebody else's, and ours the one that is not yet.
        self.clock.sleep(max(0.0, self.visible_at(record) - self.clock.time()), self.bell)
        if self.bell.rung:
            raise RunInterruptedError(
                "The task was told to end before it could be seen which run its unanswered start has created. The next "
                f"attempt looks again; if there is none, look for a new run of {record.workflow_id} in the console."
            )
        candidates = self.handler.persisted(lambda: self._candidates(record), self.clock.time() + LOOKUP_SECONDS)
        if len(candidates) == 1:
            self.log.info("Found run %s: no other can be the one that was started.", candidates[0].ref)
            self.current = candidates[0].ref
            return candidates[0]
        doubt = _doubt(record, candidates)
        if self.on_uncertain == "fail":
            raise doubt
        self.log.warning("Another run may be started although one may exist. %s", doubt)
        return None

    def _candidates(self, record: StartRecord) -> list[Run]:
        before = record.before
        since, noted = before["time"], frozenset(before["run_ids"])
        begun = self.recent_runs(before["workflow_id"], since - CLOCK_GRAIN)
        return [
            run
            for run in begun
            if run.ref.run_id not in noted
            and (run.started_at is None or run.started_at.timestamp() <= since + START_WINDOW)
            and self.resembles(run, before["given"])
        ]


def _doubt(record: StartRecord, candidates: Sequence[Run]) -> StartUncertainError:
    ids = tuple(run.ref.run_id for run in candidates)
    if ids:
        story = f"{len(ids)} runs of {record.workflow_id} began just then and cannot be told apart: {', '.join(ids)}."
    else:
        story = f"no new run of {record.workflow_id} is to be seen, and none may come."
    return StartUncertainError(
        f"The start of {record.workflow_id} was not answered; {story} Look at them in the console, stop what is not "
        "wanted, and clear the task to start another, or set on_uncertain='start' where a second run does no harm.",
        candidates=ids,
    )
