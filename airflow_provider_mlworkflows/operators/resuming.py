"""What a later attempt of a task does with the run of an earlier one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    RunNotFoundError,
)
from airflow_provider_mlworkflows.operators.places import FormerPlace
from airflow_provider_mlworkflows.runs import Run, RunState

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.operators.records import StartRecord
    from airflow_provider_mlworkflows.operators.starting import StartOperator

Followed = tuple[Run, float]
"""A run, and its deadline in seconds since the epoch."""


class LaterAttempt:
    """Takes up, repairs or replaces the run of an earlier attempt.

    :param operator: of the task.
    :param context: of this attempt.
    :param record: what the earlier attempt left.
    """

    def __init__(self, operator: StartOperator, context: Context, record: StartRecord) -> None:
        self._operator = operator
        self._context = context
        self._record = record
        self._is_cleared = record.max_tries != context["ti"].max_tries

    def run(self) -> Followed:
        """The run to follow now, which may be another."""
        operator = self._operator
        if self._record.has_ended and not self._is_cleared:
            # What is cleared from now on concerns this attempt, which has not ended.
            cleared = self._context["dag_run"].clear_number
            self._record = replace(self._record, has_ended=False, clear_number=cleared)
            operator.save_record(self._context, self._record)
        record = self._record
        if record.place in ({}, operator.service.place_of(operator)):
            run = operator.recorded_run(self._context, record, is_cleared=self._is_cleared)
        else:
            run, has_made_way = self._run_elsewhere()
            if has_made_way:
                return operator.start(self._context)
        if record.is_given_up or operator.is_changed_since(record):
            return self._replace(run)
        return self._after_clear(run) if self._is_cleared else self._after_retry(run)

    def _after_clear(self, run: Run | None) -> Followed:
        operator = self._operator
        if run is None or operator.on_clear != "repair":
            return self._replace(run)
        run = operator.handler.after_kill(run)
        operator.give_way(self._context, "taken up its run")
        if run.state is RunState.SUCCEEDED:
            return self._replace(run)
        if not run.state.is_terminal:
            return self._adopt(run)
        operator.log.info("The task was cleared; repairing its run %s.", run.ref)
        return self._repair(run)

    def _after_retry(self, run: Run | None) -> Followed:
        operator, record = self._operator, self._record
        if run is None:
            return self._after_loss()
        # Another task was cleared since, or this one while it ran: then its worker has told the run to stop.
        perhaps_cleared = record.clear_number != self._context["dag_run"].clear_number
        if perhaps_cleared or run.state is RunState.STOPPING:
            run = operator.handler.after_kill(run)
            operator.give_way(self._context, "taken up its run")
        if run.state in (RunState.STOPPING, RunState.STOPPED):
            return self._replace(run) if perhaps_cleared else self._choose(operator.on_stopped, run)
        if run.state in (RunState.FAILED, RunState.SKIPPED):
            return self._choose(operator.on_retry, run)
        if perhaps_cleared:
            operator.log.warning(
                "A task of this Dag run was cleared since run %s was started. If it was this one, for the sake of "
                "other arguments, clear it once more: then another run is started.",
                run.ref,
            )
        return self._adopt(run)

    def _after_loss(self) -> Followed:
        record = self._record
        if record.run_id and self._operator.on_unrepairable == "fail":
            raise RunNotFoundError(
                f"Run {record.ref} of an earlier attempt does not exist any more. Set on_unrepairable='restart' or "
                "clear the task to start another.",
                ref=record.ref,
            )
        return self._operator.start(self._context)

    def _choose(self, choice: str, run: Run) -> Followed:
        match choice:
            case "repair":
                return self._repair(run)
            case "restart":
                self._operator.log.info("Run %s has ended (%s); starting another.", run.ref, run.status)
                return self._replace(run)
            case _:
                return run, self._record.deadline

    def _adopt(self, run: Run) -> Followed:
        operator = self._operator
        operator.log.info("Reattached to run %s of an earlier attempt; it is %s.", run.ref, run.status)
        record = self._record.of_attempt(operator, self._context).of_run(run.ref)
        operator.save_record(self._context, record)
        return run, record.deadline

    def _repair(self, before: Run) -> Followed:
        operator = self._operator
        operator.give_way(self._context, "repaired its run")
        # Written first: were it lost afterwards, the repaired run would be held to its old deadline.
        taken_up = self._record.of_attempt(operator, self._context).of_run(before.ref)
        record = replace(taken_up, deadline=operator.clock.time() + operator.timeout)
        operator.save_record(self._context, record)
        # Until it shows, the run may look over and be alive.
        operator.unsettled = True
        refusal: MLWorkflowsError | None = None
        try:
            operator.repair_run(before)
        except MLWorkflowsError as error:
            operator.log.warning(
                "Run %s: the repair was not confirmed; looking whether it took effect. %s", before.ref, error
            )
            refusal = error
        run = operator.handler.settled(before, before.failed_steps)
        if refusal is not None and operator.unsettled:
            return self._unrepaired(run, refusal)
        operator.log.info("Run %s of an earlier attempt (%s) is being repaired and watched on.", run.ref, before.status)
        return run, record.deadline

    def _unrepaired(self, run: Run, error: MLWorkflowsError) -> Followed:
        """Only a plain refusal means that a run cannot be repaired; anything else may pass."""
        if self._operator.on_unrepairable == "restart" and isinstance(error, BadRequestError | NotFoundError):
            self._operator.give_way(self._context, "started another run")
            self._operator.log.warning("Run %s cannot be repaired; starting another.", run.ref)
            return self._replace(run)
        raise error

    def _replace(self, run: Run | None) -> Followed:
        """Start another run. The old one is stopped first if it still goes on, or is kept by the service."""
        if run is not None:
            self._give_up(run)
        return self._operator.start(self._context)

    def _give_up(self, run: Run) -> None:
        operator = self._operator
        # Written first: a later attempt must neither take up a run that was told to make way, nor ask why it has
        # stopped or where it is.
        operator.save_record(self._context, replace(self._record, is_given_up=True).of_run(run.ref))
        if operator.is_in_the_way(run):
            operator.log.info("Stopping the earlier run %s before starting another.", run.ref)
            operator.handler.stop_before_start(run.ref)
            operator.give_way(self._context, "started another run")
        operator.intent = None

    def _run_elsewhere(self) -> tuple[Run | None, bool]:
        """The run from another place, and whether it has made way there, being out of reach from here."""
        operator, record = self._operator, self._record
        former = FormerPlace(operator, record.place)
        operator.log.warning("The task's run was started with %s; looking for it there.", former)
        run: Run | None = None
        trouble: MLWorkflowsError | None = None
        try:
            with former.visited(), operator.ended_in_order(self._context):
                run = self._seen_elsewhere()
                if run is not None and not former.is_seen_from_here(run.ref):
                    self._give_up(run)
                    operator.current = None
                    return run, True
        except (AuthenticationError, ConfigurationError, PermissionDeniedError) as error:
            if run is not None:
                raise
            trouble = error
        if run is None and record.run_id:
            with suppress(BadRequestError, PermissionDeniedError):  # what is asked of a place that never had it
                run = self._seen_elsewhere()
        if run is None and trouble is not None:
            if not self._is_cleared:
                raise trouble
            operator.log.warning("Whether a run started with %s still goes on cannot be told. %s", former, trouble)
        return run, False

    def _seen_elsewhere(self) -> Run | None:
        return self._operator.recorded_run(self._context, self._record, is_cleared=self._is_cleared, is_here=False)
