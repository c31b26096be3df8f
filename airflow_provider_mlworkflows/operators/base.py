"""What every operator does with a run once it has one: publish it, wait, stop it if need be, report its end."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator, conf
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_provider_mlworkflows.choices import ON_WAITING, checked_choice, checked_seconds
from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Bell, BellRungError, Clock, InterruptibleClock
from airflow_provider_mlworkflows.exceptions import (
    InvalidInputError,
    MLWorkflowsError,
    RunError,
    RunTimeoutError,
)
from airflow_provider_mlworkflows.links import RUN_URL_KEY, ConsoleLink
from airflow_provider_mlworkflows.operators.asking import COMPLETE_SECONDS
from airflow_provider_mlworkflows.operators.handling import OVER_BY_THEN, RunHandler
from airflow_provider_mlworkflows.outcomes import (
    cut_to_limit,
    lost_error,
    publish_outcome,
    run_error,
    unfinished_error,
)
from airflow_provider_mlworkflows.runs import Run, RunRef
from airflow_provider_mlworkflows.watching import (
    MEMORY_KEY,
    Memory,
    Pace,
    RunWatch,
    Verdict,
    WatchEvent,
    WatchRules,
    is_refusal,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.hooks.base import RunHook
    from airflow_provider_mlworkflows.services import Service

DEFAULT_TIMEOUT = timedelta(days=7).total_seconds()
BACKSTOP = 300.0
"""Seconds after the deadline at which Airflow itself gives up on a trigger that never answered."""


class RunOperator(BaseOperator):
    """Base of the operators that have a run to follow.

    A subclass names its service, and says in `obtain_run` how it comes by the run.

    :param wait_for_completion: wait until the run ends; otherwise succeed as soon as it is there.
    :param deferrable: wait in the triggerer instead of on a worker.
    :param poll_interval: seconds between two reads of the run.
    :param timeout: seconds from the remote start until the run is stopped and the task fails (7 days).
    :param on_waiting: what to do while the run waits for a person: ``wait``, ``fail``, or ``continue`` with
        ``waiting_inputs`` and ``approve_steps``; a step that neither names is waited for.
    :param waiting_inputs: ``{step name: inputs}`` to continue waiting steps with.
    :param approve_steps: names of steps held by a person that may be passed.
    :param fetch_metrics: push what the steps measured as XCom ``metrics``.
    :param stream_logs: show the steps' own log lines in the task's log, each once, where the service keeps them.
    :param cancel_on_kill: stop the run when a person fails, clears or finishes the task.
    :param cancel_on_timeout: stop the run when its time is up.
    :raises RunError: if the run does not succeed; see the subclasses of that error.
    """

    service: ClassVar[Service]
    clock: ClassVar[Clock] = SYSTEM_CLOCK
    step_name: str | None = None
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
        waiting_inputs: Mapping[str, Any] | None = None,
        approve_steps: Sequence[str] = (),
        fetch_metrics: bool = False,
        stream_logs: bool = False,
        cancel_on_kill: bool = True,
        cancel_on_timeout: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = checked_seconds("poll_interval", poll_interval)
        self.timeout = checked_seconds("timeout", timeout)
        self.on_waiting = checked_choice("on_waiting", on_waiting, ON_WAITING)
        self.waiting_inputs = waiting_inputs
        self.approve_steps = approve_steps
        self.fetch_metrics = fetch_metrics
        self.stream_logs = stream_logs
        self.cancel_on_kill = cancel_on_kill
        self.cancel_on_timeout = cancel_on_timeout
        self.current: RunRef | None = None
        self.unsettled = False
        self.is_unseen = False
        self._bell: Bell | None = None
        self._memory = Memory()

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

    def forget_connection(self) -> None:
        """Let the next call read the connection again."""
        self.__dict__.pop("hook", None)

    @property
    def handler(self) -> RunHandler:
        """Acts on the run."""
        return RunHandler(self)

    def execute(self, context: Context) -> str | None:
        """Obtain the run and follow it to its end; returns its id."""
        self._memory = Memory()
        if self.on_waiting == "continue" and not (self.waiting_inputs or self.approve_steps):
            raise InvalidInputError("on_waiting='continue' needs waiting_inputs or approve_steps.")
        with self.ended_in_order(context):
            run, deadline = self.obtain_run(context)
            self.current = run.ref
            self._publish(context, run)
            self.handler.heed_kill(context, run)
            if not self.wait_for_completion:
                self.log.info("Run %s goes on by itself; this task does not wait for it.", run.ref)
                return run.ref.run_id
            return self._follow(context, run, deadline)

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str | None:
        """Take up the task again after the trigger's event; returns the run's id."""
        news = WatchEvent.parse(event)
        if news.is_of_another_attempt(context["ti"].try_number):
            return self.execute(context)
        self.step_name = news.step_name
        self.current = news.ref
        with self.ended_in_order(context):
            is_outdated = self.is_outdated(context)
        if is_outdated:
            return self.execute(context)
        return self.take_up(context, news.ref, news.deadline, news.verdict, news.message)

    def take_up(
        self, context: Context, ref: RunRef, deadline: float, verdict: Verdict | None, message: str = ""
    ) -> str:
        """Go on with a run whose waiting has ended, with a verdict if there is one; returns its id."""
        self.current = ref
        with self.ended_in_order(context):
            self._memory = self.handler.memory(context)
            return self._conclude(context, ref, deadline, verdict, message)

    def is_outdated(self, context: Context) -> bool:
        """Whether the task has been cleared since the event, so that it must begin anew.

        Airflow repeats an old event if a task is cleared while it handles that event.
        """
        return False

    def on_kill(self) -> None:
        """Called inside a signal handler, for a shutdown as well as for a kill: only rings the bell."""
        self.bell.ring()

    def read(self, ref: RunRef) -> Run:
        """The run as it is now.

        :raises BellRungError: if the task is told to end before the service has answered: a worker has five seconds
            then, in which it must stop its run.
        """
        self.is_unseen = True
        run = self.bell.outwait(partial(self.hook.get_run, ref))
        self.is_unseen = False
        return run

    @contextmanager
    def ended_in_order(self, context: Context) -> Iterator[None]:
        """See to the run if the task uses up its ``execution_timeout``, or is told to end while it reads the run."""
        try:
            yield
        except AirflowTaskTimeout:
            if self.cancel_on_timeout:
                self.stop_current("The task has used up its execution_timeout")
            raise
        except MLWorkflowsError as error:
            self.note_end(context, error)
            if not isinstance(error, RunError):  # which says itself what is with the run
                self.handler.heed_kill_unread(context)
            raise
        except Exception as error:
            self.note_end(context, error)
            self.handler.heed_kill_unread(context)
            if isinstance(error, BellRungError):
                raise
            if self.cancel_on_kill and self.is_last_life(context):
                self.stop_current("The task has failed for a reason of its own, and no later attempt takes up the run")
            elif self.current is not None:
                self.log.warning("The task has failed for a reason of its own; run %s is left as it is.", self.current)
            raise

    def note_end(self, context: Context, error: Exception) -> None:
        """Note for later attempts why this one ends."""

    def stop_current(self, why: str) -> None:
        """Stop the run, if there is one yet."""
        if self.current is not None:
            self.handler.stop_patiently(self.current, why)

    @property
    def is_taken_up_again(self) -> bool:
        """Whether a later attempt of the task finds the run, or the run is none of this task's."""
        return True

    def is_last_life(self, context: Context) -> bool:
        """Whether no later attempt of the task takes up the run."""
        ti = context["ti"]
        return ti.try_number > ti.max_tries or not self.is_taken_up_again

    def _publish(self, context: Context, run: Run) -> None:
        self.log.info("%s run %s is %s. %s", self.service.name, run.ref, run.status, run.url)
        ti = context["ti"]
        ti.xcom_push(key="run_id", value=run.ref.run_id)
        if run.url:
            ti.xcom_push(key=RUN_URL_KEY, value=run.url)
            for link in self.operator_extra_links:
                ti.xcom_push(key=link.xcom_key, value=run.url)

    def _follow(self, context: Context, run: Run, deadline: float) -> str:
        watch = self._watch(deadline)
        return self._go_on(context, run, watch, watch.see(run, self.clock.time()))

    def _go_on(self, context: Context, run: Run, watch: RunWatch, verdict: Verdict | None, message: str = "") -> str:
        """Wait for the run, in the triggerer or here, unless there is a verdict already."""
        if verdict is None and self.deferrable:
            self._defer(context, run, watch)
        if verdict is None:
            verdict, message = self._wait(context, run, watch)
        return self._conclude(context, run.ref, watch.rules.deadline, verdict, message)

    def _watch(self, deadline: float) -> RunWatch:
        answers = self.on_waiting == "continue"
        rules = WatchRules(
            deadline,
            report_waiting=self.on_waiting == "fail",
            answerable=tuple(self.waiting_inputs or ()) if answers else (),
            approvable=tuple(self.approve_steps) if answers else (),
            step_name=self.step_name,
        )
        return RunWatch(rules, self.log, self._memory)

    def _defer(self, context: Context, run: Run, watch: RunWatch) -> NoReturn:
        watch.memory.ref, watch.memory.deadline = list(run.ref), watch.rules.deadline
        memory = watch.memory.dump()
        # The trigger believes this more than its arguments, because it may be in its second life.
        context["ti"].xcom_push(key=MEMORY_KEY, value=memory)
        trigger = self.service.trigger(
            self.service.scope_of(self),
            workflow_id=run.ref.workflow_id,
            run_id=run.ref.run_id,
            poll_interval=self.poll_interval,
            stream_logs=self.stream_logs,
            cancel_on_kill=self.cancel_on_kill,
            durable=getattr(self, "durable", False),
            memory=memory,
            try_number=context["ti"].try_number,
            **watch.rules.payload(),
        )
        left = max(0.0, watch.rules.deadline - self.clock.time())
        self.handler.heed_kill(context, run)
        self.handler.heed_mark(context, run)
        self.defer(
            trigger=trigger,
            method_name=self.execute_complete.__name__,
            timeout=timedelta(seconds=left + 2 * self.poll_interval + BACKSTOP),
        )
        raise AssertionError("defer() does not return")

    def _wait(self, context: Context, run: Run, watch: RunWatch) -> tuple[Verdict, str]:
        """Read the run on this worker until there is a verdict."""
        pace = Pace()
        pause = self.poll_interval
        verdict: Verdict | None = None
        while verdict is None:
            left = watch.rules.deadline - self.clock.time()
            self.clock.sleep(min(pause, max(0.0, left)), self.bell)
            self.handler.heed_kill(context, run)
            try:
                run = self.read(run.ref)
            except MLWorkflowsError as error:
                verdict = watch.see_error(error, self.clock.time())
                pause = pace.after([error], self.poll_interval)
                if is_refusal(error):
                    self.forget_connection()
            else:
                verdict = watch.see(run, self.clock.time())
                if verdict is not Verdict.OVER:  # then it is left to whoever sees to the end
                    self.handler.stream_log(run, watch)
                pause = pace.after([], self.poll_interval)
        return verdict, str(watch.last_error or "")

    def _conclude(self, context: Context, ref: RunRef, deadline: float, verdict: Verdict | None, message: str) -> str:
        """End the task as the verdict on its run demands, or go on waiting if it no longer holds."""
        lost = lost_error(ref, verdict, message)
        if lost is not None:
            raise lost
        watch = self._watch(deadline)
        # There is no later look at a run whose time is up.
        patience = COMPLETE_SECONDS if verdict is Verdict.TIMEOUT else 0.0
        try:
            run = self.handler.persisted(partial(self.read, ref), self.clock.time() + patience)
        except MLWorkflowsError as error:
            return self._go_on_unread(context, ref, watch, verdict, error)
        current = watch.see(run, self.clock.time())
        if current is Verdict.OVER:
            return self._end_with(context, run, watch)
        self.handler.stream_log(run, watch)
        if verdict is Verdict.TIMEOUT:
            return self._end_at_deadline(context, run, watch)
        if Verdict.WAITING in (verdict, current) and self.on_waiting == "continue":
            run = self.handler.answered(run, self._memory.noted)
            self.handler.heed_kill(context, run)
        elif current is not None and (unfinished := unfinished_error(run, current)) is not None:
            raise unfinished
        return self._follow(context, run, deadline)

    def _go_on_unread(
        self, context: Context, ref: RunRef, watch: RunWatch, verdict: Verdict | None, error: MLWorkflowsError
    ) -> str:
        """Take a failed read for what it is while waiting, too: no reason to give the run up."""
        unread = Run.unseen(ref, watch.memory.url)
        judged = watch.see_error(error, self.clock.time())
        if Verdict.TIMEOUT in (verdict, judged):
            return self._end_at_deadline(context, unread, watch)
        if is_refusal(error):
            self.forget_connection()
        return self._go_on(context, unread, watch, judged, str(error))

    def _end_with(self, context: Context, run: Run, watch: RunWatch) -> str:
        """End with a run that is over, once all that it has left can be read, or as much as can be for a minute."""
        run = self.handler.complete(run)
        self.handler.stream_last_words(run, watch)
        return self._finish(context, run)

    def _finish(self, context: Context, run: Run) -> str:
        """Report a run that is over: its id if it succeeded, otherwise its error."""
        publish_outcome(context, self.log, run)
        if self.fetch_metrics and (metrics := self.handler.metrics(run)) is not None:
            context["ti"].xcom_push(key="metrics", value=cut_to_limit(metrics))
        error = self.outcome_error(run)
        if error is not None:
            raise error
        return run.ref.run_id

    def outcome_error(self, run: Run) -> RunError | None:
        """The error for a run that is over; None if it ended as it should."""
        return run_error(run, service=self.service.name, details=self.handler.failure_details(run))

    def _end_at_deadline(self, context: Context, run: Run, watch: RunWatch) -> str:
        """Stop a run whose time is up. One that is over by then has ended in time for all that is known."""
        ending = "It goes on, because cancel_on_timeout is False."
        if self.cancel_on_timeout:
            ending = self.handler.stop_patiently(run.ref, "Its time is up")
        if ending == OVER_BY_THEN and (ended := self.handler.reread(run)).is_over:
            return self._end_with(context, ended, watch)
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(watch.rules.deadline))
        raise RunTimeoutError(
            f"Run {run.ref} was still {run.status} at its deadline, {at} ({self.timeout:.0f} s allowed). {ending}"
            + (f" See {run.url}" if run.url else ""),
            ref=run.ref,
            url=run.url,
        )
