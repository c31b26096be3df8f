"""What every operator does with a run once it has one: publish it, wait, stop it if need be, report its end."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator, conf
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Bell, Clock, InterruptibleClock
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    RunInterruptedError,
    RunNotFoundError,
    RunTimeoutError,
    RunWaitingError,
    UnknownStatusError,
)
from airflow_provider_mlworkflows.links import RUN_URL_KEY, ConsoleLink
from airflow_provider_mlworkflows.outcomes import cut_to_limit, run_error, run_facts, step_facts, step_table
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState
from airflow_provider_mlworkflows.task_states import ENDED_BY_SOMEBODY, TaskKey
from airflow_provider_mlworkflows.watching import Pace, RunWatch, Verdict, WatchRules

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.hooks.base import RunHook
    from airflow_provider_mlworkflows.services import Service

DEFAULT_TIMEOUT = timedelta(days=7).total_seconds()
KILL_REQUEST_TIMEOUT = 3.0
"""Seconds for one request of a worker that has five before it is ended by force."""
SETTLE_SECONDS = 120.0
"""How long a run may still show its old state after an action."""
STOP_SECONDS = 60.0
SETTLE_INTERVAL = 3.0
BACKSTOP = 300.0
"""Seconds after the deadline at which Airflow itself gives up on a trigger that never answered."""

Event = Mapping[str, Any]


class RunOperator(BaseOperator):
    """Base of the operators that have a run to follow.

    A subclass names its service, and says in `obtain_run` how it comes by the run.

    :param wait_for_completion: wait until the run ends; otherwise succeed as soon as it is there.
    :param deferrable: wait in the triggerer instead of on a worker.
    :param poll_interval: seconds between two reads of the run.
    :param timeout: seconds from the remote start until the run is stopped and the task fails (7 days).
    :param on_waiting: what to do while the run waits for a person: ``wait`` or ``fail``.
    :param cancel_on_kill: stop the run when a person fails, clears or finishes the task.
    :param cancel_on_timeout: stop the run when its time is up.
    :raises RunError: if the run does not succeed; see the subclasses of that error.
    """

    service: ClassVar[Service]
    clock: ClassVar[Clock] = SYSTEM_CLOCK
    operator_extra_links = (ConsoleLink(),)
    template_fields: Sequence[str] = ()
    ui_color = "#e8f0fb"

    def __init__(
        self,
        *,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = 30.0,
        timeout: float | timedelta = DEFAULT_TIMEOUT,
        on_waiting: str = "wait",
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        self.on_waiting = on_waiting
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self._bell: Bell | None = None

    @abstractmethod
    def obtain_run(self, context: Context) -> tuple[Run, float]:
        """The run to follow, and its deadline in seconds since the epoch."""

    @property
    def bell(self) -> Bell:
        """Rings when Airflow tells the worker to end the task."""
        if self._bell is None:
            self._bell = Bell()
        return self._bell

    @cached_property
    def hook(self) -> RunHook:
        """The service's hook; its waits end when the bell rings."""
        return self.service.hook(self.service.scope_of(self), clock=InterruptibleClock(self.clock, self.bell))

    def execute(self, context: Context) -> str:
        """Obtain the run and follow it to its end; returns its id."""
        run, deadline = self.obtain_run(context)
        self._publish(context, run)
        self._heed_kill(context, run)
        if not self.wait_for_completion:
            self.log.info("Run %s goes on by itself; this task does not wait for it.", run.ref)
            return run.ref.run_id
        watch = self._watch(deadline)
        verdict = watch.see(run, self.clock.time())
        if verdict is None and self.deferrable:
            self._defer(run.ref, watch)
        return self._conclude(context, run.ref, deadline, verdict or self._wait(context, run, watch), "")

    def execute_complete(self, context: Context, event: Event | None = None) -> str:
        """Take up the task again after the trigger's event; returns the run's id."""
        if event is None or event.get("verdict") not in set(Verdict):
            raise MLWorkflowsError(f"The trigger ended without a usable event: {event!r}")
        ref = RunRef(event["workflow_id"], event["run_id"])
        verdict = Verdict(event["verdict"])
        return self._conclude(context, ref, float(event["deadline"]), verdict, str(event.get("message", "")))

    def on_kill(self) -> None:
        """Called inside a signal handler, for a shutdown as well as for a kill: only rings the bell."""
        self.bell.ring()

    def _publish(self, context: Context, run: Run) -> None:
        self.log.info("%s run %s is %s. %s", self.service.name, run.ref, run.status, run.url)
        ti = context["ti"]
        ti.xcom_push(key="run_id", value=run.ref.run_id)
        ti.xcom_push(key=RUN_URL_KEY, value=run.url)
        for link in self.operator_extra_links:
            ti.xcom_push(key=link.xcom_key, value=run.url)

    def _watch(self, deadline: float) -> RunWatch:
        return RunWatch(WatchRules(deadline, report_waiting=self.on_waiting != "wait"), self.log)

    def _defer(self, ref: RunRef, watch: RunWatch) -> None:
        trigger = self.service.trigger(
            self.service.scope_of(self),
            workflow_id=ref.workflow_id,
            run_id=ref.run_id,
            deadline=watch.rules.deadline,
            poll_interval=self.poll_interval,
            report_waiting=watch.rules.report_waiting,
            cancel_on_kill=self.cancel_on_kill,
            memory=watch.memory.dump(),
        )
        left = max(0.0, watch.rules.deadline - self.clock.time())
        self.defer(
            trigger=trigger,
            method_name=self.execute_complete.__name__,
            timeout=timedelta(seconds=left + 2 * self.poll_interval + BACKSTOP),
        )

    def _wait(self, context: Context, run: Run, watch: RunWatch) -> Verdict:
        """Read the run on this worker until there is a verdict."""
        pace = Pace()
        pause = self.poll_interval
        try:
            while True:
                left = watch.rules.deadline - self.clock.time()
                self.clock.sleep(min(pause, max(0.0, left)), self.bell)
                self._heed_kill(context, run)
                try:
                    run = self.hook.get_run(run.ref)
                except MLWorkflowsError as error:
                    verdict = watch.see_error(error, self.clock.time())
                    pause = pace.after([error], self.poll_interval)
                    if isinstance(error, AuthenticationError | PermissionDeniedError):
                        del self.hook  # the next one reads the connection again
                else:
                    verdict = watch.see(run, self.clock.time())
                    pause = pace.after([], self.poll_interval)
                if verdict is Verdict.ERROR and watch.last_error is not None:
                    raise watch.last_error
                if verdict is not None:
                    return verdict
        except AirflowTaskTimeout:
            if self.cancel_on_timeout:
                self._stop(run.ref, "The task has used up its execution_timeout")
            raise

    def _conclude(self, context: Context, ref: RunRef, deadline: float, verdict: Verdict, message: str) -> str:
        """End the task as the verdict on its run demands."""
        if verdict is Verdict.ERROR:
            raise MLWorkflowsError(f"Run {ref} goes on, but could not be read any more. {message}")
        try:
            run = self.hook.get_run(ref)
        except NotFoundError as error:
            raise RunNotFoundError(f"Run {ref} does not exist any more: {error}", ref=ref) from error
        if run.state.is_terminal:
            return self._finish(context, run)
        match verdict:
            case Verdict.TIMEOUT:
                self._raise_timeout(run, deadline)
            case Verdict.UNKNOWN:
                raise UnknownStatusError(
                    f"Run {ref} has shown the status {run.status!r} for an hour, which this provider does not "
                    f"know. It is left alone; look at {run.url}",
                    ref=ref,
                    url=run.url,
                )
            case Verdict.WAITING:
                self._raise_waiting(run)
        return self._follow_again(context, run, deadline)

    def _follow_again(self, context: Context, run: Run, deadline: float) -> str:
        """Go on waiting for a run that has come back to life since the verdict."""
        watch = self._watch(deadline)
        verdict = watch.see(run, self.clock.time())
        if verdict is None and self.deferrable:
            self._defer(run.ref, watch)
        return self._conclude(context, run.ref, deadline, verdict or self._wait(context, run, watch), "")

    def _finish(self, context: Context, run: Run) -> str:
        """Report a run that is over: its id if it succeeded, otherwise its error."""
        self.log.info("Run %s is over: %s.\n%s", run.ref, run.status, step_table(run))
        ti = context["ti"]
        ti.xcom_push(key="run", value=cut_to_limit(run_facts(run)))
        ti.xcom_push(key="steps", value=cut_to_limit([step_facts(step) for step in run.steps]))
        ti.xcom_push(key="outputs", value=cut_to_limit(dict(run.outputs)))
        error = run_error(run, service=self.service.name)
        if error is not None:
            raise error
        return run.ref.run_id

    def _raise_timeout(self, run: Run, deadline: float) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(deadline))
        ending = "It goes on, because cancel_on_timeout is False."
        if self.cancel_on_timeout:
            self._stop(run.ref, "Its time is up")
            ending = "It was told to stop."
        raise RunTimeoutError(
            f"Run {run.ref} was still {run.status} at its deadline, {at} ({self.timeout:.0f} s allowed). {ending} "
            f"See {run.url}",
            ref=run.ref,
            url=run.url,
        )

    def _raise_waiting(self, run: Run) -> None:
        steps = ", ".join(f"{step.name} ({step.status})" for step in run.waiting_steps) or run.status
        raise RunWaitingError(
            f"Run {run.ref} waits for a person at {steps}, and on_waiting is 'fail'. It is left as it is; "
            f"see {run.url}",
            ref=run.ref,
            url=run.url,
        )

    def _heed_kill(self, context: Context, run: Run) -> None:
        """If Airflow has told this worker to end the task, find out why, and stop or leave the run."""
        if not self.bell.rung:
            return
        ti = context["ti"]
        state = TaskKey.of(ti).state_if_answered()
        if state in ENDED_BY_SOMEBODY:
            why = f"The task was ended from outside (its state is {state})"
            if self.cancel_on_kill:
                self._stop(run.ref, why)
            raise RunInterruptedError(f"{why}.", ref=run.ref, url=run.url)
        if ti.try_number > ti.max_tries and self.cancel_on_kill:
            self._stop(run.ref, "The worker is shutting down and the task has no retry left")
            raise RunInterruptedError("The worker is shutting down.", ref=run.ref, url=run.url)
        raise RunInterruptedError(
            f"The worker is shutting down. Run {run.ref} goes on, and the task's next attempt takes it up "
            f"again. See {run.url}",
            ref=run.ref,
            url=run.url,
        )

    def _settle(self, before: Run) -> Run:
        """After an action: read until the run shows a change, because it still shows its old state for a while."""
        give_up = self.clock.time() + SETTLE_SECONDS
        run = before
        while run.fingerprint == before.fingerprint and self.clock.time() < give_up and not self.bell.rung:
            self.clock.sleep(SETTLE_INTERVAL, self.bell)
            run = self.hook.get_run(before.ref)
        return run

    def _wait_until_over(self, run: Run) -> Run:
        """Read a run that is stopping until it is over, for two minutes at most."""
        give_up = self.clock.time() + SETTLE_SECONDS
        while not run.state.is_terminal and self.clock.time() < give_up and not self.bell.rung:
            self.clock.sleep(SETTLE_INTERVAL, self.bell)
            run = self.hook.get_run(run.ref)
        return run

    def _stop_and_wait(self, ref: RunRef) -> None:
        """Stop a run and see that it is stopping, for a minute at most."""
        self.hook.stop_run(ref)
        give_up = self.clock.time() + STOP_SECONDS
        while self.clock.time() < give_up and not self.bell.rung:
            run = self.hook.get_run(ref)
            if run.state.is_terminal or run.state is RunState.STOPPING:
                return
            self.clock.sleep(SETTLE_INTERVAL, self.bell)
        self.log.warning("Run %s was told to stop, but does not show it yet.", ref)

    def _stop(self, ref: RunRef, why: str) -> None:
        """Ask once, quickly, for the run to be stopped."""
        try:
            stopped = self.service.hook(self.service.scope_of(self), attempts=1, timeout=KILL_REQUEST_TIMEOUT).stop_run(
                ref
            )
        except MLWorkflowsError as error:
            self.log.error("%s, but run %s could not be stopped and may go on: %s", why, ref, error)
        else:
            self.log.info("%s; run %s %s.", why, ref, "is being stopped" if stopped else "was over already")
