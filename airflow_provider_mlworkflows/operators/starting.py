"""Starting a run once, however often the task that starts it is tried."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout

from airflow_provider_mlworkflows.choices import (
    ON_CLEAR,
    ON_RETRY,
    ON_STOPPED,
    ON_UNREPAIRABLE,
    checked_choice,
)
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    RunInterruptedError,
    RunNotFoundError,
    StartUncertainError,
    is_uncertain,
)
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.places import FormerPlace
from airflow_provider_mlworkflows.operators.records import RECORD_KEY, StartRecord
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState
from airflow_provider_mlworkflows.watching import MISSING_GRACE, Verdict

if TYPE_CHECKING:
    from airflow.sdk import Context

LOOKUP_SECONDS = 30.0
"""How long a run that an unanswered call may have started is looked for."""
LOOKUP_INTERVAL = 3.0
FORGET_SECONDS = 600.0
"""Age of an intent from which on its run would long be visible."""


class StartOperator(RunOperator):
    """Base of the operators that start a run.

    The intent to start is written into the task state store before the call, the run's id right after it, so
    that a later attempt of the task finds the run instead of starting another.

    :param durable: keep that record. Without it every attempt of the task starts a run of its own.
    :param on_retry: what an automatic retry does with a failed run: ``repair`` it from its failed step, or
        ``restart`` from the beginning.
    :param on_unrepairable: what to do if that is impossible: ``fail`` or ``restart``.
    :param on_stopped: what a retry does with a run that somebody stopped: ``fail``, ``repair`` or ``restart``.
    :param on_clear: what a cleared task does: ``restart``, after stopping a run that still goes on, or
        ``repair``.
    """

    def __init__(
        self,
        *,
        durable: bool = True,
        on_retry: str = "repair",
        on_unrepairable: str = "fail",
        on_stopped: str = "fail",
        on_clear: str = "restart",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._intent: StartRecord | None = None
        self.durable = durable
        self.on_retry = checked_choice("on_retry", on_retry, ON_RETRY)
        self.on_unrepairable = checked_choice("on_unrepairable", on_unrepairable, ON_UNREPAIRABLE)
        self.on_stopped = checked_choice("on_stopped", on_stopped, ON_STOPPED)
        self.on_clear = checked_choice("on_clear", on_clear, ON_CLEAR)

    @property
    @abstractmethod
    def started_workflow(self) -> str:
        """The id of the workflow to be started, as runs of it are filed."""

    def prepare_start(self) -> None:
        """Check the arguments against the service, before anything is started."""

    @abstractmethod
    def start_run(self, marker: str) -> Run:
        """Start a run that carries the marker."""

    @abstractmethod
    def find_started(self, record: StartRecord) -> Run | None:
        """The run that a recorded intent has started, by its marker; None if none is to be seen."""

    @abstractmethod
    def repair_run(self, run: Run) -> None:
        """Ask the service to resume a run from where it failed.

        :raises MLWorkflowsError: if it cannot be resumed.
        """

    def obtain_run(self, context: Context) -> tuple[Run, float]:
        """Take up the run of an earlier attempt, or start one."""
        record = self._load_record(context)
        if record is None:
            return self._start(context)
        is_cleared = record.max_tries != context["ti"].max_tries
        self._intent = None if record.run_id else record
        if record.place in ({}, self.service.place_of(self)):
            run = self._recorded_run(context, record, is_cleared=is_cleared)
        else:
            run, has_made_way = self._run_elsewhere(context, record, is_cleared=is_cleared)
            if has_made_way:
                return self._start(context)
        if record.is_given_up or self.is_changed_since(record):
            return self._replace(context, record, run)
        if is_cleared:
            return self._after_clear(context, record, run)
        return self._after_retry(context, record, run)

    def is_changed_since(self, record: StartRecord) -> bool:
        """Whether the task is about something else now: the run of its record must not pass for the new one."""
        return record.workflow_id != self.started_workflow

    def is_outdated(self, context: Context) -> bool:
        """Whether the task has been cleared since the event, so that it must begin anew."""
        record = self._load_record(context)
        return record is not None and record.max_tries != context["ti"].max_tries

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume the task; if its trigger has not fired, see what has become of the run.

        After a failure of the trigger the next attempt does so; the last one follows the run itself.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralTimeout, TaskDeferralError) as failure:
            is_over = isinstance(failure, TaskDeferralTimeout)
            ref, deadline = self._left_to_trigger(context)
            if not ref.run_id or not (is_over or self.is_last_life(context)):
                raise
            if self.is_outdated(context):
                return self.execute(context)
            if is_over:
                self.log.warning("No triggerer has followed run %s to its deadline; looking at it now.", ref)
                return self.take_up(context, ref, deadline, Verdict.TIMEOUT)
            self.log.warning("The trigger of run %s has failed; this worker follows the run itself.", ref)
            self.deferrable = False
            return self.take_up(context, ref, deadline, None)

    def _left_to_trigger(self, context: Context) -> tuple[RunRef, float]:
        """The run that a trigger was to follow, and its deadline; its id is "" if it is not known."""
        memory = self.load_memory(context)
        ref = RunRef(*memory.ref) if memory.ref else RunRef("", "")
        self.current = ref if ref.run_id else None
        with self._ended_in_order(context):
            record = self._load_record(context)
        return (ref, memory.deadline) if record is None else (record.ref, record.deadline)

    def _start(self, context: Context) -> tuple[Run, float]:
        self.prepare_start()
        self._give_way(context, "started anything")
        record = StartRecord.intended(self, context)
        self._save_record(context, record)
        self._intent, self.current = record, None
        try:
            run = self.start_run(record.token)
        except MLWorkflowsError as error:
            if not is_uncertain(error):
                self._forget_record(context)
                raise
            self.log.warning("Looking for the run that the unanswered start may have created. %s", error)
            found = self.look_for_started(record)
            if found is None:
                raise
            run = found
        return self._keep(context, record, run)

    def _keep(self, context: Context, record: StartRecord, run: Run) -> tuple[Run, float]:
        """Record the run that a start has created."""
        started_at = run.started_at.timestamp() if run.started_at else self.clock.time()
        self.current = run.ref
        # One that is run again has begun long before.
        deadline = max(record.deadline, started_at + self.timeout)
        record = replace(record, deadline=deadline).of_run(run.ref)
        self._save_record(context, record)
        return run, record.deadline

    def _recorded_run(self, context: Context, record: StartRecord, *, is_cleared: bool) -> Run | None:
        if not record.run_id:
            try:
                return self.look_for_started(record)
            except StartUncertainError as doubt:
                if not is_cleared:
                    raise
                self.log.warning("The task was cleared, so another run is started in spite of this: %s", doubt)
                return None
        self.current = record.ref
        give_up = self.clock.time() + MISSING_GRACE
        while True:
            try:
                return self.read(record.ref)
            except NotFoundError:
                if self.clock.time() >= give_up:
                    self.current = None
                    return None
                self.clock.sleep(LOOKUP_INTERVAL, self.bell)
                self._give_way(context, "found its run")

    def look_for_started(self, record: StartRecord) -> Run | None:
        """Look for a run by its marker until it would surely be visible.

        :raises StartUncertainError: if there is a run that may be the one, and no telling whether it is.
        """
        give_up = self.visible_at(record)
        while True:
            run = self.handler.persisted(lambda: self.find_started(record), give_up)
            if run is not None:
                self.log.info("Found run %s by its marker %s.", run.ref, record.token)
                self.current = run.ref
                return run
            if self.bell.rung or self.clock.time() >= give_up:
                return None
            self.clock.sleep(LOOKUP_INTERVAL, self.bell)

    def visible_at(self, record: StartRecord) -> float:
        """From when on a run that the intent has started is surely visible, in seconds since the epoch."""
        now = self.clock.time()
        # Counted from now, because the call itself may have taken long; after a while one look is enough.
        return now + LOOKUP_SECONDS if now - record.intent_at < FORGET_SECONDS else now

    def _after_clear(self, context: Context, record: StartRecord, run: Run | None) -> tuple[Run, float]:
        if run is None or self.on_clear != "repair":
            return self._replace(context, record, run)
        run = self.handler.after_kill(run)
        self._give_way(context, "taken up its run")
        if run.state is RunState.SUCCEEDED:
            return self._replace(context, record, run)
        if not run.state.is_terminal:
            return self._adopt(context, record, run)
        self.log.info("The task was cleared; repairing its run %s.", run.ref)
        return self._repair(context, record, run)

    def _after_retry(self, context: Context, record: StartRecord, run: Run | None) -> tuple[Run, float]:
        if run is None:
            return self._after_loss(context, record)
        # Another task was cleared since, or this one while it ran: then its worker has told the run to stop.
        perhaps_cleared = record.clear_number != context["dag_run"].clear_number
        if perhaps_cleared or run.state is RunState.STOPPING:
            run = self.handler.after_kill(run)
            self._give_way(context, "taken up its run")
        if run.state in (RunState.STOPPING, RunState.STOPPED):
            if perhaps_cleared:
                return self._replace(context, record, run)
            return self._choose(self.on_stopped, context, record, run)
        if run.state in (RunState.FAILED, RunState.SKIPPED):
            return self._choose(self.on_retry, context, record, run)
        return self._adopt(context, record, run)

    def _after_loss(self, context: Context, record: StartRecord) -> tuple[Run, float]:
        if record.run_id and self.on_unrepairable == "fail":
            raise RunNotFoundError(
                f"Run {record.ref} of an earlier attempt does not exist any more. Set on_unrepairable='restart' or "
                "clear the task to start another.",
                ref=record.ref,
            )
        return self._start(context)

    def _choose(self, choice: str, context: Context, record: StartRecord, run: Run) -> tuple[Run, float]:
        match choice:
            case "repair":
                return self._repair(context, record, run)
            case "restart":
                self.log.info("Run %s has ended (%s); starting another.", run.ref, run.status)
                return self._replace(context, record, run)
            case _:
                return run, record.deadline

    def _adopt(self, context: Context, record: StartRecord, run: Run) -> tuple[Run, float]:
        self.log.info("Reattached to run %s of an earlier attempt; it is %s.", run.ref, run.status)
        record = record.of_attempt(self, context).of_run(run.ref)
        self._save_record(context, record)
        return run, record.deadline

    def _repair(self, context: Context, record: StartRecord, before: Run) -> tuple[Run, float]:
        self._give_way(context, "repaired its run")
        # Written first: were it lost afterwards, the repaired run would be held to its old deadline.
        record = replace(record.of_attempt(self, context).of_run(before.ref), deadline=self.clock.time() + self.timeout)
        self._save_record(context, record)
        try:
            self.repair_run(before)
        except MLWorkflowsError as error:
            self.log.warning(
                "Run %s: the repair was not confirmed; looking whether it took effect. %s", before.ref, error
            )
            run = self.handler.settled(before, before.failed_steps)
            if self.unsettled:
                return self._unrepaired(context, record, run, error)
        else:
            run = self.handler.settled(before, before.failed_steps)
        self.log.info("Run %s of an earlier attempt (%s) is being repaired and watched on.", run.ref, before.status)
        return run, record.deadline

    def _unrepaired(
        self, context: Context, record: StartRecord, run: Run, error: MLWorkflowsError
    ) -> tuple[Run, float]:
        """Only a plain refusal means that a run cannot be repaired; anything else may pass."""
        if self.on_unrepairable == "restart" and isinstance(error, BadRequestError | NotFoundError):
            self._give_way(context, "started another run")
            self.log.warning("Run %s cannot be repaired; starting another.", run.ref)
            return self._replace(context, record, run)
        raise error

    def _replace(self, context: Context, record: StartRecord, run: Run | None) -> tuple[Run, float]:
        """Start another run. The old one is stopped first if it still goes on, or is kept by the service."""
        if run is not None:
            self._give_up(context, record, run)
        return self._start(context)

    def _give_up(self, context: Context, record: StartRecord, run: Run) -> None:
        # Written first: a later attempt must neither take up a run that was told to make way, nor ask why it has
        # stopped or where it is.
        self._save_record(context, replace(record, is_given_up=True).of_run(run.ref))
        if self.is_in_the_way(run):
            self.log.info("Stopping the earlier run %s before starting another.", run.ref)
            self.handler.stop_before_start(run.ref)
            self._give_way(context, "started another run")
        self._intent = None

    def _run_elsewhere(self, context: Context, record: StartRecord, *, is_cleared: bool) -> tuple[Run | None, bool]:
        """The run of a record from another place, and whether it has made way there, being out of reach from here."""
        former = FormerPlace(self, record.place)
        self.log.warning("The task's run was started with %s; looking for it there.", former)
        run: Run | None = None
        trouble: MLWorkflowsError | None = None
        try:
            with former.visited(), self._ended_in_order(context):
                run = self._recorded_run(context, record, is_cleared=is_cleared)
                if run is not None and not former.is_seen_from_here(run.ref):
                    self._give_up(context, record, run)
                    self.current = None
                    return run, True
        except (AuthenticationError, ConfigurationError, PermissionDeniedError) as error:
            if run is not None:
                raise
            trouble = error
        if run is None and record.run_id:
            with suppress(BadRequestError, PermissionDeniedError):  # what is asked of a place that never had it
                run = self._recorded_run(context, record, is_cleared=is_cleared)
        if run is None and trouble is not None:
            if not is_cleared:
                raise trouble
            self.log.warning("Whether a run started with %s still goes on cannot be told. %s", former, trouble)
        return run, False

    def is_in_the_way(self, run: Run) -> bool:
        """Whether an earlier run must be stopped before another is started."""
        return not run.is_over

    def _give_way(self, context: Context, what: str) -> None:
        """End if the task is told to, and see to the run that it may have."""
        if self.bell.rung:
            story = f"The task was told to end before it had {what}."
            if self.current is not None:
                self.handler.heed_kill(context, Run(self.current, RunState.UNKNOWN, "not to be read"), story)
            raise RunInterruptedError(story)

    def state_before(self) -> Any:
        """What there was before the start, as JSON, for operators whose starts leave no marker."""
        return None

    @property
    def is_taken_up_again(self) -> bool:
        """Whether a later attempt finds the run."""
        return self.durable

    def stop_current(self, why: str) -> None:
        """Stop the run; one that only an intent is known of is looked for first."""
        if self.current is None and self._intent is not None:
            try:
                found = self.look_for_started(self._intent)
            except MLWorkflowsError as error:
                self.log.error("%s, and whether a run was started is not known: %s", why, error)
            else:
                self.current = None if found is None else found.ref
        super().stop_current(why)

    def _load_record(self, context: Context) -> StartRecord | None:
        return StartRecord.load(context) if self.durable else None

    def _save_record(self, context: Context, record: StartRecord) -> None:
        if self.durable:
            record.save(context)

    def _forget_record(self, context: Context) -> None:
        """Nothing was started for sure: then no later attempt needs to look for it."""
        self._intent = None
        if self.durable:
            context["task_state_store"].delete(RECORD_KEY)
