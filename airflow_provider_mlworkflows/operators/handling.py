"""Asking about a run from the worker, and acting on it: stopping it, and waiting until it shows what it was told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NoReturn, TypeVar

from airflow_provider_mlworkflows.clock import Bell, BellRungError
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    MLWorkflowsError,
    NotFoundError,
    RunInterruptedError,
    RunWaitingError,
    StopImpossibleError,
    UnexpectedReplyError,
    is_to_be_stopped_again,
    is_transient,
)
from airflow_provider_mlworkflows.operators.asking import ASK_INTERVAL, RunReader
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step
from airflow_provider_mlworkflows.task_states import ENDED_BY_SOMEBODY, MARKED, TaskKey
from airflow_provider_mlworkflows.watching import LOOKS_IN_VAIN, MISSING_GRACE

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.hooks.base import RunHook

T = TypeVar("T")

KILL_REQUEST_TIMEOUT = 3.0
"""Seconds for one request of a worker that has five before it is ended by force."""
KILL_LAST_ATTEMPT = 1.0
"""Seconds within which it must have failed to be sent again."""
KILL_PAUSES = (0.2, 0.5)
"""Seconds between these attempts."""
SETTLE_SECONDS = 120.0
"""How long a run may still show its old state after an action."""
CONTINUE_SECONDS = 300.0
"""How long a step is tried to be continued while the service fails."""
STOP_SECONDS = 60.0
"""How long a run that was told to stop may show no sign of it."""
ECHO_SECONDS = 30.0
"""How long a stop that came before a retry may take to show."""
OVER_BY_THEN = "It was over by then."
"""What comes of stopping a run that has ended by itself, or is stopping already."""


class RunHandler(RunReader):
    """Acts on the runs of an operator.

    All actions are asynchronous: a service accepts them, and the run shows their effect some reads later.
    """

    def settled(self, before: Run, steps: Iterable[Step] = (), *, alone: bool = False) -> Run:
        """After an action: the run once it shows a change, or as it is after two minutes.

        :param steps: those that the action was for. Others of the run may change meanwhile; if there are none given,
            any change counts.
        :param alone: nor does it count that the run goes on again as a whole.
        """
        names = frozenset(step.name for step in steps)

        def is_changed(run: Run) -> bool:
            turned = run.state.is_terminal != before.state.is_terminal
            has_ended = run.is_over and not before.is_over
            # Steps that could not be read have not changed.
            may_compare = run.unread is None and before.unread is None
            looks_new = may_compare and _look_of(run, names) != _look_of(before, names)
            return looks_new or (has_ended if alone else turned)

        self._operator.unsettled = True
        run = self.read_until(before, is_changed, SETTLE_SECONDS, is_patient=True)
        self._operator.unsettled = not is_changed(run)
        return run

    def answered(self, run: Run, noted: list[str]) -> Run:
        """Continue the waiting steps that the arguments have an answer for; the run once that shows.

        If the service fails just now it is asked again for five minutes.

        :param noted: keeps which steps were continued.
        :raises RunWaitingError: if one waits again.
        """
        operator = self._operator
        seen = [run]

        def answer() -> Run:
            return self._answered(seen.pop() if seen else operator.read(run.ref), noted)

        until = operator.clock.time() + CONTINUE_SECONDS
        return self.persisted(answer, until, f"Run {run.ref} could not be continued")

    def _answered(self, run: Run, noted: list[str]) -> Run:
        operator = self._operator
        inputs = operator.waiting_inputs or {}
        continued: list[Step] = []
        for step in run.waiting_steps:
            if step.name not in (operator.approve_steps if step.is_gate else inputs):
                continue
            mark = f"answered:{step.id}:{step.attempt}"
            doubt = f"perhaps {mark}"
            if mark in noted:
                raise RunWaitingError(
                    f"Step {step.name} of run {run.ref} was continued, but waits again ({step.status}). See {run.url}",
                    ref=run.ref,
                    url=run.url,
                )
            noted.append(mark)
            operator.log.info("Step %s waits (%s); continuing it.", step.name, step.status)
            try:
                operator.hook.continue_step(run, step, inputs.get(step.name) or {})
            except MLWorkflowsError as error:
                noted.remove(mark)
                if is_transient(error) and doubt not in noted:
                    noted.append(doubt)
                if not (isinstance(error, BadRequestError) and doubt in noted):
                    self._settled_if_any(run, continued)
                    raise
                operator.log.info("Step %s seems to have been continued before. %s", step.name, error)
                noted.append(mark)
            continued.append(step)
        return self._settled_if_any(run, continued)

    def _settled_if_any(self, run: Run, continued: list[Step]) -> Run:
        return self.settled(run, continued) if continued else run

    def over(self, run: Run) -> Run:
        """A run that is stopping once it is over, or as it is after two minutes."""
        return self.read_until(run, lambda run: run.state is not RunState.STOPPING, SETTLE_SECONDS)

    def after_kill(self, run: Run) -> Run:
        """Give a run that may have been told to stop the time to show it, and a stopping one the time to end."""
        run = self.read_until(run, _is_ending, ECHO_SECONDS)
        if run.state is RunState.STOPPING:
            run = self.read_until(run, lambda run: run.state.is_terminal, SETTLE_SECONDS)
        return run

    def stop_before_start(self, ref: RunRef) -> None:
        """Stop a run and see that it is stopping, for a minute at most.

        One that cannot be stopped is left alone, one that does not exist any more is no longer in the way.

        :raises BadRequestError: if the service refuses, and the run does not end by itself.
        """
        operator = self._operator
        give_up = operator.clock.time() + MISSING_GRACE
        while operator.clock.time() <= give_up and not operator.bell.rung:
            try:
                self._stop_visibly(ref)
            except NotFoundError:
                operator.clock.sleep(ASK_INTERVAL, operator.bell)
            else:
                return
        if not operator.bell.rung:
            operator.log.info("Run %s does not exist any more.", ref)

    def _stop_visibly(self, ref: RunRef) -> None:
        operator = self._operator
        refusal: MLWorkflowsError | None = None
        try:
            if not operator.bell.outwait(partial(operator.hook.stop_run, ref)):
                return
        except StopImpossibleError as fact:
            operator.log.warning("Another run is started beside the earlier one. %s", fact)
            return
        except (BadRequestError, UnexpectedReplyError) as error:
            refusal = error  # it may be stopping already and not show it yet
        run = self.read_until(operator.read(ref), _shows_stop, STOP_SECONDS)
        if _shows_stop(run):
            return
        if refusal is not None:
            raise refusal
        operator.log.warning("Run %s was told to stop, but does not show it yet.", ref)

    def stop_patiently(self, ref: RunRef, why: str) -> str:
        """Ask for a run to be stopped, again for a minute if the service fails just now.

        :returns: what has come of it, in a sentence.
        """
        operator = self._operator
        stop = _Stop(ref, is_forced=operator.unsettled)
        until, failure = operator.clock.time() + STOP_SECONDS, f"Run {ref} could not be stopped yet"

        def ask() -> bool:
            return operator.bell.outwait(lambda: stop.ask(operator.hook))

        try:
            stopped = self.persisted(ask, until, failure, is_to_be_stopped_again)
        except (BellRungError, MLWorkflowsError) as error:
            if operator.bell.rung:
                return self.stop_quickly(ref, why)
            if isinstance(error, NotFoundError):
                operator.log.warning("%s, but run %s does not exist any more.", why, ref)
                return "It does not exist any more."
            return self._told_unstopped(ref, why, error)
        return self._told_stopped(ref, why, stopped)

    def heed_mark(self, context: Context, run: Run) -> None:
        """End the task if somebody has ended it by now, before the run is left to a trigger.

        Airflow tells a worker so with its next heartbeat only, and nobody of a task that has deferred before that.

        :raises RunInterruptedError: if that is so.
        """
        state = TaskKey.of(context["ti"]).state_if_answered()
        if state in MARKED:
            self._end_as_told(run, f"The task was ended from outside (its state is {state})")

    def heed_kill_unread(self, context: Context) -> None:
        """The same as `heed_kill`, for the run that the task has, of which nothing is known just now.

        :raises RunInterruptedError: if Airflow has told this worker to end the task.
        """
        if self._operator.current is not None:
            self._operator.is_unseen = True
            self.heed_kill(context, Run.unseen(self._operator.current))

    def heed_kill(self, context: Context, run: Run, story: str = "") -> None:
        """If Airflow has told this worker to end the task, find out why, and stop or leave the run.

        :param story: what to say if it is left; that the next attempt takes it up, unless given.
        :raises RunInterruptedError: if it has.
        """
        operator = self._operator
        if not operator.bell.rung:
            return
        state = TaskKey.of(context["ti"]).state_if_answered()
        if state in ENDED_BY_SOMEBODY:
            self._end_as_told(run, f"The task was ended from outside (its state is {state})")
        if operator.cancel_on_kill and operator.is_last_life(context):
            self._end_as_told(run, "The worker is shutting down and no later attempt takes up the run")
        usual = (
            f"The worker is shutting down. Run {run.ref} goes on, and the task's next attempt takes it up "
            f"again. See {run.url}"
        )
        raise RunInterruptedError(story or usual, ref=run.ref, url=run.url)

    def _end_as_told(self, run: Run, why: str) -> NoReturn:
        if self._operator.cancel_on_kill:
            self.stop_quickly(run.ref, why)
        raise RunInterruptedError(f"{why}.", ref=run.ref, url=run.url)

    def stop_quickly(self, ref: RunRef, why: str) -> str:
        """Ask for a run to be stopped, three times at most, as a task does that has only seconds left.

        :returns: what has come of it, in a sentence.
        """
        operator = self._operator
        ask_again_until = operator.clock.time() + KILL_LAST_ATTEMPT
        # A run that does not show its last action yet may look over and be alive; one that could not be read a moment
        # ago is not read again, for want of time.
        stop = _Stop(ref, is_forced=operator.unsettled or operator.is_unseen)
        pauses = iter(KILL_PAUSES)
        while True:
            try:
                hook = operator.service.hook(
                    operator.service.scope_of(operator), attempts=1, timeout=KILL_REQUEST_TIMEOUT, clock=operator.clock
                )
                return self._told_stopped(ref, why, stop.ask(hook))
            except MLWorkflowsError as error:
                pause = next(pauses, None)
                if pause is None or not is_to_be_stopped_again(error) or operator.clock.time() >= ask_again_until:
                    return self._told_unstopped(ref, why, error)
                operator.clock.sleep(pause, Bell())  # not the operator's, which has rung

    def _told_unstopped(self, ref: RunRef, why: str, error: Exception) -> str:
        if isinstance(error, StopImpossibleError):
            self._operator.log.warning("%s. %s", why, error)
        else:
            self._operator.log.error("%s, but run %s could not be stopped and may go on: %s", why, ref, error)
        return "It could not be stopped and may go on."

    def _told_stopped(self, ref: RunRef, why: str, stopped: bool) -> str:
        self._operator.log.info("%s; run %s %s.", why, ref, "is being stopped" if stopped else "was over already")
        return "It was told to stop." if stopped else OVER_BY_THEN


@dataclass(slots=True)
class _Stop:
    """A stop that is asked for until it goes through."""

    ref: RunRef
    is_forced: bool
    missed: int = 0

    def ask(self, hook: RunHook) -> bool:
        try:
            return hook.stop_run(self.ref, force=self.is_forced or self.missed >= LOOKS_IN_VAIN)
        except NotFoundError:
            self.missed += 1
            raise


def _look_of(run: Run, names: frozenset[str]) -> object:
    """What changes with the steps of these names, or with any if there are none."""
    if not names:
        return run.fingerprint
    return [(step.id, step.status, step.attempt, step.updated_at) for step in run.steps if step.name in names]


def _is_ending(run: Run) -> bool:
    return run.state.is_terminal or run.state is RunState.STOPPING


def _shows_stop(run: Run) -> bool:
    return run.is_over or run.state is RunState.STOPPING
