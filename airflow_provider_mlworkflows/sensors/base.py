"""What every sensor of this provider does: read a run, and judge it as the operators do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_provider_mlworkflows.choices import checked_choice
from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Clock
from airflow_provider_mlworkflows.exceptions import MLWorkflowsError, RunFailedError
from airflow_provider_mlworkflows.links import RUN_URL_KEY, ConsoleLink
from airflow_provider_mlworkflows.outcomes import (
    lost_error,
    publish_outcome,
    run_error,
    step_error,
    step_facts,
    unfinished_error,
)
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState
from airflow_provider_mlworkflows.task_states import TaskKey
from airflow_provider_mlworkflows.watching import (
    MEMORY_KEY,
    Memory,
    RunWatch,
    Verdict,
    WatchEvent,
    WatchRules,
    is_refusal,
    untold_step,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.hooks.base import RunHook
    from airflow_provider_mlworkflows.services import Service

BACKSTOP = 300.0
"""Seconds after the time-out at which Airflow itself gives up on a trigger that never answered."""


class RunSensor(BaseSensorOperator):
    """Base of the sensors that wait for a run, or for one step of it.

    ``poke_interval``, ``timeout``, ``mode``, ``soft_fail`` and their like are Airflow's.

    :param deferrable: wait in the triggerer instead of on a worker.
    :param on_waiting: what to do while the run waits for a person: ``wait`` or ``fail``.
    :raises RunError: if the run or the step does not succeed; see the subclasses of that error.
    :raises AirflowSensorTimeout: if it is not over in time. The run goes on: a sensor stops nothing.
    """

    service: ClassVar[Service]
    clock: ClassVar[Clock] = SYSTEM_CLOCK
    skip_on_missing: bool = False
    operator_extra_links = (ConsoleLink(),)
    template_fields: Sequence[str] = ()
    ui_color = "#eef5e9"

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        on_waiting: str = "wait",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.on_waiting = checked_choice("on_waiting", on_waiting, ("wait", "fail"))
        self._memory: Memory | None = None

    @property
    @abstractmethod
    def ref(self) -> RunRef:
        """The run to wait for."""

    @property
    def watched_step(self) -> str | None:
        """Name or id of the step to wait for, None for the whole run."""
        return None

    @cached_property
    def hook(self) -> RunHook:
        """The service's hook."""
        return self.service.hook(self.service.scope_of(self), clock=self.clock)

    def execute(self, context: Context) -> Any:
        """Wait for the run; returns its id."""
        if not self.deferrable:
            return self._poke_until_over(context)
        result = self.poke(context)
        if result:
            return result.xcom_value
        deadline = self.clock.time() + self.timeout
        self._defer(context, self.ref, self._watch(context, deadline))

    def _defer(self, context: Context, ref: RunRef, watch: RunWatch) -> NoReturn:
        memory = watch.memory.dump()
        # The trigger believes this more than its arguments, because it may be in its second life.
        context["ti"].xcom_push(key=MEMORY_KEY, value=memory)
        trigger = self.service.trigger(
            self.service.scope_of(self),
            workflow_id=ref.workflow_id,
            run_id=ref.run_id,
            poll_interval=self.poke_interval,
            cancel_on_kill=False,
            memory=memory,
            try_number=context["ti"].try_number,
            **watch.rules.payload(),
        )
        left = max(0.0, watch.rules.deadline - self.clock.time())
        self.defer(
            trigger=trigger,
            method_name=self.execute_complete.__name__,
            timeout=timedelta(seconds=left + 2 * self.poke_interval + BACKSTOP),
        )
        raise AssertionError("defer() does not return")

    def _poke_until_over(self, context: Context) -> Any:
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            if self.never_fail:  # as Airflow does on resuming a deferred sensor
                raise AirflowSkipException(f"Skipped instead of failing: {error}") from error
            raise

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Take up the task again after the trigger's event; returns the run's id."""
        news = WatchEvent.parse(event)
        if news.is_of_another_attempt(context["ti"].try_number):
            return str(self.execute(context))
        stored = TaskKey.of(context["ti"]).xcom(MEMORY_KEY)
        self._memory = Memory.load(stored)
        try:
            return self._complete(context, news)
        except MLWorkflowsError as error:
            if not self.silent_fail or self.clock.time() >= news.deadline:
                raise
            self.log.error("Sensor poke failed, waiting on: %s", error)
        watch = self._watch(context, news.deadline)
        watch.memory.errors = 0
        self._defer(context, news.ref, watch)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume the task; if no triggerer has followed the run in time, take a last look at it."""
        if _is_timeout(next_method, next_kwargs):
            self.log.warning("No triggerer has followed run %s in time; looking at it now.", self.ref)
            news = WatchEvent(self.ref, Verdict.TIMEOUT, self.clock.time(), step_name=self.watched_step)
            next_method, next_kwargs = self.execute_complete.__name__, {"event": news.payload()}
        return super().resume_execution(next_method, next_kwargs, context)

    def _complete(self, context: Context, news: WatchEvent) -> str:
        lost = lost_error(news.ref, news.verdict, news.message)
        if lost is not None:
            raise lost
        watch = self._watch(context, news.deadline)
        try:
            run = self._read(news.ref)
        except MLWorkflowsError as error:
            self._go_on_unread(context, news, watch, error)
        current = watch.see(run, self.clock.time())
        if current is Verdict.OVER:
            return self._finish(context, run)
        if Verdict.TIMEOUT in (news.verdict, current):
            raise AirflowSensorTimeout(
                f"Run {news.ref} was still {run.status} after {self.timeout:.0f} s. It goes on; see {run.url}"
            )
        unfinished = unfinished_error(run, current) if current is not None else None
        if unfinished is not None:
            raise unfinished
        self._defer(context, news.ref, watch)

    def _go_on_unread(self, context: Context, news: WatchEvent, watch: RunWatch, error: MLWorkflowsError) -> NoReturn:
        """Take a failed read for what it is while waiting, too: no reason to give the run up."""
        judged = watch.see_error(error, self.clock.time())
        if Verdict.TIMEOUT in (news.verdict, judged):
            raise AirflowSensorTimeout(
                f"Run {news.ref} was not over, or not to be read, after {self.timeout:.0f} s. It may go on. {error}"
            ) from error
        lost = lost_error(news.ref, judged, str(error)) if judged is not None else None
        if lost is not None:
            raise lost from error
        self._defer(context, news.ref, watch)

    def poke(self, context: Context) -> PokeReturnValue:
        """Read the run once."""
        try:
            return self._poke(context)
        except MLWorkflowsError as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipped instead of failing: {error}") from error
            raise

    def _poke(self, context: Context) -> PokeReturnValue:
        watch = self._watch(context, float("inf"))
        if not watch.may_ask(self.clock.time()):
            self._show(context, watch.memory.url)
            return PokeReturnValue(False)
        before = watch.memory.dump()
        try:
            run = self._read(self.ref)
        except MLWorkflowsError as error:
            verdict = watch.see_error(error, self.clock.time())
            if is_refusal(error):
                del self.hook  # the next one reads the connection again
            self._show(context, watch.memory.url)
            if verdict in (Verdict.REFUSED, Verdict.ERROR) and not (watch.memory.has_read or watch.memory.errors):
                raise  # at the very first read: its own error says best what is wrong
            lost = lost_error(self.ref, verdict, str(error)) if verdict is not None else None
            if lost is not None:
                raise lost from error
            self._remember(context, watch.memory, before)
            return PokeReturnValue(False)
        if self.reschedule or not watch.memory.has_read:
            self._show(context, run.url)
        verdict = watch.see(run, self.clock.time())
        self._remember(context, watch.memory, before)
        if verdict is Verdict.OVER:
            return PokeReturnValue(True, self._finish(context, run))
        unfinished = unfinished_error(run, verdict) if verdict is not None else None
        if unfinished is not None:
            raise unfinished
        return PokeReturnValue(False)

    def _read(self, ref: RunRef) -> Run:
        run = self.hook.get_run(ref)
        untold = untold_step(run, self.watched_step)
        if untold is not None:
            raise untold
        return run

    def _show(self, context: Context, url: str) -> None:
        """Tell where the run is to be seen, at each poke: Airflow clears the XComs of a task that was rescheduled."""
        if url:
            context["ti"].xcom_push(key=RUN_URL_KEY, value=url)

    def _watch(self, context: Context, deadline: float) -> RunWatch:
        if self._memory is None:
            stored = context["task_state_store"].get(_memory_key(context)) if self.reschedule else None
            self._memory = Memory.load(stored)
        rules = WatchRules(deadline, report_waiting=self.on_waiting == "fail", step_name=self.watched_step)
        return RunWatch(rules, self.log, self._memory)

    def _remember(self, context: Context, memory: Memory, before: str) -> None:
        """Keep what was seen for the next poke, which in mode ``reschedule`` happens in another process."""
        if self.reschedule and memory.dump() != before:
            context["task_state_store"].set(_memory_key(context), memory.dump())

    def _finish(self, context: Context, run: Run) -> str:
        """Report the end: the run's id if it went well, otherwise the error."""
        publish_outcome(context, self.log, run, outputs=self.watched_step is None)
        error = run_error(run, service=self.service.name) if self.watched_step is None else self._step_end(context, run)
        if error is not None:
            raise error
        return run.ref.run_id

    def _step_end(self, context: Context, run: Run) -> MLWorkflowsError | None:
        """The error for the watched step; None if it succeeded."""
        step = run.step(self.watched_step or "")
        if step is None or step.state in (RunState.SKIPPED, RunState.ACTIVE):
            story = f"Step {self.watched_step} of run {run.ref} did not run; the run is over ({run.status})."
            if self.skip_on_missing:
                raise AirflowSkipException(story)
            if step is not None and step.state is RunState.SKIPPED and not _has_failed(run):
                self.log.info("%s", story)
                return None
            names = ", ".join(step.name for step in run.steps)
            return RunFailedError(f"{story} Its steps are: {names}. See {run.url}", ref=run.ref, url=run.url)
        context["ti"].xcom_push(key="step", value=step_facts(step))
        return step_error(run, step, service=self.service.name)


def _is_timeout(next_method: str, next_kwargs: Mapping[str, Any] | None) -> bool:
    """Whether a task is resumed because its trigger has not fired in time."""
    error = (next_kwargs or {}).get("error")
    return next_method == TRIGGER_FAIL_REPR and error == TriggerFailureReason.TRIGGER_TIMEOUT


def _memory_key(context: Context) -> str:
    """Another attempt begins with a memory of its own."""
    return f"{MEMORY_KEY}_{context['ti'].try_number}"


def _has_failed(run: Run) -> bool:
    """Whether a skipped step may have been left out because of a failure instead of by a condition."""
    return bool(run.failed_steps) or run.state in (RunState.FAILED, RunState.STOPPING, RunState.STOPPED)
