"""Starting a run once, however often the task that starts it is tried."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from math import inf
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
    BadRequestError,
    MLWorkflowsError,
    NotFoundError,
    RunInterruptedError,
    StartUncertainError,
    UnusableEventError,
    is_uncertain,
)
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.records import RECORD_KEY, StartRecord
from airflow_provider_mlworkflows.operators.resuming import LaterAttempt
from airflow_provider_mlworkflows.runs import Run, RunRef
from airflow_provider_mlworkflows.watching import (
    REFUSED_GRACE,
    Memory,
    Pace,
    RunWatch,
    Verdict,
    WatchRules,
    is_refusal,
)

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
        self.intent: StartRecord | None = None
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
            return self.start(context)
        self.intent = None if record.run_id else record
        return LaterAttempt(self, context, record).run()

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

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str | None:
        """Take up the task again after the event; without a usable one, this worker follows the run itself."""
        try:
            return super().execute_complete(context, event)
        except UnusableEventError as failure:
            ref, deadline = self._left_to_trigger(context)
            if not ref.run_id or self.is_outdated(context):
                raise
            self.log.warning("%s Following run %s on this worker.", failure, ref)
            self.deferrable = False
            return self.take_up(context, ref, deadline, None)

    def _left_to_trigger(self, context: Context) -> tuple[RunRef, float]:
        """The run that a trigger was to follow, and its deadline; its id is "" if it is not known."""
        memory = self.handler.memory(context)
        ref = RunRef(*memory.ref) if memory.ref else RunRef("", "")
        self.current = ref if ref.run_id else None
        with self.ended_in_order(context):
            record = self._load_record(context)
        return (ref, memory.deadline) if record is None else (record.ref, record.deadline)

    def start(self, context: Context) -> tuple[Run, float]:
        """Start a run, or find out that an unanswered call has; returns it and its deadline."""
        self.prepare_start()
        self.give_way(context, "started anything")
        record = StartRecord.intended(self, context)
        self.save_record(context, record)
        self.current = None
        if self.bell.rung:
            self._forget_record(context)
            self.give_way(context, "started anything")
        self.intent = record
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
            return self._keep(context, record, found)
        run, deadline = self._keep(context, record, run)
        return self.shown(run), deadline

    def shown(self, run: Run) -> Run:
        """A run that was just started, once it shows that; what is read here decides nothing about the start."""
        return run

    def _keep(self, context: Context, record: StartRecord, run: Run) -> tuple[Run, float]:
        """Record the run that a start has created."""
        started_at = run.started_at.timestamp() if run.started_at else self.clock.time()
        self.current = run.ref
        # One that is run again has begun long before.
        deadline = max(record.deadline, started_at + self.timeout)
        record = replace(record, deadline=deadline).of_run(run.ref)
        self.save_record(context, record)
        return run, record.deadline

    def recorded_run(
        self, context: Context, record: StartRecord, *, is_cleared: bool, is_here: bool = True
    ) -> Run | None:
        """The run of a record as it is now; None if there is none (any more).

        :param is_here: what is asked has told of the run before, so that a failed read is no reason to give it up.
        """
        if not record.run_id:
            try:
                return self.look_for_started(record)
            except StartUncertainError as doubt:
                if not is_cleared:
                    raise
                self.log.warning("The task was cleared, so another run is started in spite of this: %s", doubt)
                return None
        self.current = record.ref
        deadline = inf if is_cleared else max(record.deadline, self.clock.time() + REFUSED_GRACE)
        return self._read_patiently(context, record.ref, deadline, is_here=is_here)

    def _read_patiently(self, context: Context, ref: RunRef, deadline: float, *, is_here: bool) -> Run | None:
        patience = WatchRules(deadline)
        watch, pace = RunWatch(patience, self.log, Memory(has_read=True)), Pace()
        while True:
            try:
                return self.read(ref)
            except MLWorkflowsError as error:
                if not is_here and (is_refusal(error) or isinstance(error, BadRequestError)):
                    raise
                verdict = watch.see_error(error, self.clock.time())
                if verdict is Verdict.GONE:
                    self.current = None
                    return None
                if verdict is Verdict.TIMEOUT:  # whatever it does, its time is up
                    return Run.unseen(ref)
                if verdict is not None:
                    raise
                if is_refusal(error):
                    self.forget_connection()
                usual = LOOKUP_INTERVAL if isinstance(error, NotFoundError) else self.poll_interval
                self.clock.sleep(pace.after([error], usual), self.bell)
                self.give_way(context, "found its run")

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

    def is_in_the_way(self, run: Run) -> bool:
        """Whether an earlier run must be stopped before another is started."""
        return not run.is_over

    def give_way(self, context: Context, what: str) -> None:
        """End if the task is told to, and see to the run that it may have."""
        if self.bell.rung:
            story = f"The task was told to end before it had {what}."
            if self.current is not None:
                self.handler.heed_kill(context, Run.unseen(self.current), story)
            raise RunInterruptedError(story)

    def state_before(self) -> Any:
        """What a later attempt has to know of the start, as JSON, beside what was started and the marker."""
        return None

    @property
    def is_taken_up_again(self) -> bool:
        """Whether a later attempt finds the run."""
        return self.durable

    def note_end(self, context: Context, error: Exception) -> None:
        """Note in the record that this attempt ends by itself, and not because somebody has ended it."""
        if self.bell.rung or isinstance(error, RunInterruptedError):
            return
        try:
            record = self._load_record(context)
            if record is not None and self.current is not None and record.run_id == self.current.run_id:
                self.save_record(context, replace(record, has_ended=True))
        except Exception as failure:  # such as for a task that has been cleared: the record is no longer its own
            self.log.info("That the attempt has ended was not kept. %s", failure)

    def stop_current(self, why: str) -> None:
        """Stop the run; one that only an intent is known of is looked for first."""
        if self.current is None and self.intent is not None:
            try:
                found = self.look_for_started(self.intent)
            except MLWorkflowsError as error:
                self.log.error("%s, and whether a run was started is not known: %s", why, error)
            else:
                self.current = None if found is None else found.ref
        super().stop_current(why)

    def _load_record(self, context: Context) -> StartRecord | None:
        return StartRecord.load(context) if self.durable else None

    def save_record(self, context: Context, record: StartRecord) -> None:
        """Keep a record for later attempts."""
        if self.durable:
            record.save(context)

    def _forget_record(self, context: Context) -> None:
        """Nothing was started for sure: then no later attempt needs to look for it."""
        self.intent = None
        if self.durable:
            context["task_state_store"].delete(RECORD_KEY)
