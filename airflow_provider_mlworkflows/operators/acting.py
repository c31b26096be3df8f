"""Bases of the operators that act on a run which exists already."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_mlworkflows.choices import checked_choice
from airflow_provider_mlworkflows.exceptions import (
    InvalidInputError,
    NotFoundError,
    UnexpectedReplyError,
    is_transient,
)
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.handling import SETTLE_SECONDS
from airflow_provider_mlworkflows.operators.starting import LOOKUP_SECONDS, StartOperator
from airflow_provider_mlworkflows.outcomes import step_error, step_facts
from airflow_provider_mlworkflows.runs import RunRef

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.exceptions import RunError
    from airflow_provider_mlworkflows.operators.records import StartRecord
    from airflow_provider_mlworkflows.runs import Run, RunState, Step


class RerunOperator(StartOperator):
    """Base of the operators that run a run again, within the same record.

    An answered rerun is not sent again by a later attempt of the task, and is followed as a start is. If the answer was
    lost, the rerun is sent again only if the run has shown no change for half a minute.
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
        self._before = self.handler.complete(self.handler.over(self.hook.get_run(self.ref)))

    def start_run(self, marker: str) -> Run:
        """Send the rerun."""
        # Until it shows, the run may look over and be alive.
        self.unsettled = True
        self.rerun(self._before)
        return self._before

    def shown(self, run: Run) -> Run:
        """The run once it shows the rerun."""
        return self.handler.settled(run, run.failed_steps)

    def state_before(self) -> Any:
        """Which run it is and how it looked, because a rerun leaves no marker."""
        before = self._before
        return {"run_id": self.ref.run_id, "fingerprint": before.fingerprint, "status": before.status}

    def is_changed_since(self, record: StartRecord) -> bool:
        """Whether another run is to be run again now."""
        return super().is_changed_since(record) or record.before["run_id"] != self.ref.run_id

    def find_started(self, record: StartRecord) -> Run | None:
        """The run that was to be run again, if it has changed since before."""
        try:
            run = self.handler.complete(self.hook.get_run(RunRef(record.workflow_id, record.before["run_id"])))
        except NotFoundError:
            return None
        if not self._looks_as_before(run, record):
            return run
        if run.unread is not None and is_transient(run.unread):
            raise UnexpectedReplyError(f"Whether run {run.ref} was run again does not show. {run.unread}")
        return None

    def visible_at(self, record: StartRecord) -> float:
        """From when on a rerun surely shows: half a minute from now, for it has no age that tells."""
        return self.clock.time() + LOOKUP_SECONDS

    def _looks_as_before(self, run: Run, record: StartRecord) -> bool:
        """Whether it shows no rerun."""
        if run.unread is not None:  # its steps have not changed for that
            return bool(run.status == record.before.get("status"))
        return bool(run.fingerprint == record.before["fingerprint"])

    def recorded_run(
        self, context: Context, record: StartRecord, *, is_cleared: bool, is_here: bool = True
    ) -> Run | None:
        """The run, once it shows the rerun: an earlier attempt may have ended before it did."""
        run = super().recorded_run(context, record, is_cleared=is_cleared, is_here=is_here)
        if run is None or is_cleared or not self._looks_as_before(run, record):
            return run
        is_recent = self.clock.time() - record.intent_at < SETTLE_SECONDS
        return self.handler.settled(run, run.failed_steps) if is_recent else run

    def repair_run(self, run: Run) -> None:
        """Ask once more."""
        self.rerun(run)

    def is_in_the_way(self, run: Run) -> bool:
        """Whether it still goes on. One that has failed can be run again as it is, even if the service keeps it."""
        return not run.state.is_terminal


class StopOperator(RunOperator):
    """Base of the operators that stop a run. They succeed once it is over, also if it was over already."""

    @property
    @abstractmethod
    def ref(self) -> RunRef:
        """The run."""

    def obtain_run(self, context: Context) -> tuple[Run, float]:
        """Ask for the run to be stopped."""
        stopped = self.hook.stop_run(self.ref)
        run = self.hook.get_run(self.ref)
        if stopped and run.held:
            run = self.handler.settled(run)  # it looks as if it had ended before
        return run, self.clock.time() + self.timeout

    def outcome_error(self, run: Run) -> RunError | None:
        """None: however it ended, it no longer runs."""
        return None


class StepActionOperator(RunOperator):
    """Base of the operators that act on one step of a run which exists already.

    The action is sent only if the step's state calls for it, so that a repeated attempt of the task does no harm.

    :param wait_for_completion: wait until the step is over; otherwise succeed once the action shows.
    :param cancel_on_kill: as in `RunOperator`, but False, because the run belongs to another task.
    :param cancel_on_timeout: likewise.
    """

    actions: ClassVar[Mapping[str, frozenset[RunState]]]
    """Actions, and the states of a step that call for them."""
    intended: ClassVar[Mapping[str, RunState]] = {}
    """The state that an action is meant to end in, if it is not success."""
    action: str

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        cancel_on_kill: bool = False,
        cancel_on_timeout: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            wait_for_completion=wait_for_completion,
            cancel_on_kill=cancel_on_kill,
            cancel_on_timeout=cancel_on_timeout,
            **kwargs,
        )

    @property
    @abstractmethod
    def ref(self) -> RunRef:
        """The run."""

    @property
    @abstractmethod
    def acted_step(self) -> str:
        """Name or id of the step."""

    @property
    def shows_on_step(self) -> bool:
        """Whether the step itself shows the action, and not only the run."""
        return True

    @abstractmethod
    def act(self, run: Run, step: Step) -> None:
        """Send the action."""

    def obtain_run(self, context: Context) -> tuple[Run, float]:
        """Send the action if the step's state calls for it, and wait until the run shows it."""
        checked_choice("action", self.action, self.actions)
        run = self.hook.get_run(self.ref)
        step = self._find_step(run)
        self.step_name = step.name
        if step.state in self.actions[self.action]:
            self.act(run, step)
            run = self.handler.settled(run, [step], alone=self.shows_on_step)
        else:
            self.log.warning("Step %s is %s; there is nothing to %s.", step.name, step.status, self.action)
        return run, self.clock.time() + self.timeout

    def _finish(self, context: Context, run: Run) -> str:
        context["ti"].xcom_push(key="step", value=step_facts(self._find_step(run)))
        return super()._finish(context, run)

    def outcome_error(self, run: Run) -> RunError | None:
        """The error for the step; None if it ended as the action intends."""
        step = self._find_step(run)
        if step.state is self.intended.get(self.action):
            return None
        return step_error(run, step, service=self.service.name)

    def _find_step(self, run: Run) -> Step:
        found = run.step(self.acted_step)
        if found is None:
            names = ", ".join(step.name for step in run.steps) or "none yet"
            raise InvalidInputError(f"Run {run.ref} has no step {self.acted_step!r}. Its steps are: {names}.")
        return found
