"""What every sensor of this provider does: read a run, and judge it as the operators do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue, conf
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Clock
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    MLWorkflowsError,
    PermissionDeniedError,
    RunNotFoundError,
    RunWaitingError,
    UnknownStatusError,
)
from airflow_provider_mlworkflows.links import RUN_URL_KEY, ConsoleLink
from airflow_provider_mlworkflows.outcomes import cut_to_limit, run_error, run_facts, step_facts, step_table
from airflow_provider_mlworkflows.runs import Run, RunRef
from airflow_provider_mlworkflows.watching import Memory, RunWatch, Verdict, WatchRules

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.hooks.base import RunHook
    from airflow_provider_mlworkflows.services import Service

MEMORY_KEY = "mlworkflows_watch"
BACKSTOP = 300.0


class RunSensor(BaseSensorOperator):
    """Base of the sensors that wait for a run.

    ``poke_interval``, ``timeout``, ``mode``, ``soft_fail`` and their like are Airflow's.

    :param deferrable: wait in the triggerer instead of on a worker.
    :param on_waiting: what to do while the run waits for a person: ``wait`` or ``fail``.
    :raises RunError: if the run does not succeed; see the subclasses of that error.
    :raises AirflowSensorTimeout: if it is not over in time. The run goes on: a sensor stops nothing.
    """

    service: ClassVar[Service]
    clock: ClassVar[Clock] = SYSTEM_CLOCK
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
        self.on_waiting = on_waiting
        self._watch: RunWatch | None = None

    @abstractmethod
    def run_ref(self) -> RunRef:
        """The run to wait for."""

    @cached_property
    def hook(self) -> RunHook:
        """The service's hook."""
        return self.service.hook(self.service.scope_of(self), clock=self.clock)

    def execute(self, context: Context) -> Any:
        """Wait for the run; returns its id."""
        if not self.deferrable:
            return super().execute(context)
        result = self.poke(context)
        if result:
            return result.xcom_value
        deadline = self.clock.time() + self.timeout
        watch = self._watch_for(context)
        ref = self.run_ref()
        trigger = self.service.trigger(
            self.service.scope_of(self),
            workflow_id=ref.workflow_id,
            run_id=ref.run_id,
            deadline=deadline,
            poll_interval=self.poke_interval,
            report_waiting=watch.rules.report_waiting,
            cancel_on_kill=False,
            memory=watch.memory.dump(),
        )
        self.defer(
            trigger=trigger,
            method_name=self.execute_complete.__name__,
            timeout=timedelta(seconds=self.timeout + 2 * self.poke_interval + BACKSTOP),
        )

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str | None:
        """Take up the task again after the trigger's event; returns the run's id."""
        if event is None or event.get("verdict") not in set(Verdict):
            raise MLWorkflowsError(f"The trigger ended without a usable event: {event!r}")
        ref = RunRef(event["workflow_id"], event["run_id"])
        verdict = Verdict(event["verdict"])
        if verdict is Verdict.ERROR:
            raise MLWorkflowsError(f"Run {ref} could not be read any more. {event.get('message', '')}")
        if verdict is Verdict.GONE:
            raise RunNotFoundError(f"Run {ref} does not exist. {event.get('message', '')}", ref=ref)
        run = self.hook.get_run(ref)
        if run.state.is_terminal:
            return self._finish(context, run)
        self._raise_unfinished(run, verdict)
        raise AirflowSensorTimeout(
            f"Run {ref} was still {run.status} after {self.timeout:.0f} s. It goes on; see {run.url}"
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Read the run once."""
        try:
            return self._poke(context)
        except MLWorkflowsError as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipped instead of failing: {error}") from error
            raise

    def _poke(self, context: Context) -> PokeReturnValue:
        watch = self._watch_for(context)
        before = watch.memory.dump()
        run: Run | None = None
        try:
            run = self.hook.get_run(self.run_ref())
        except MLWorkflowsError as error:
            verdict = watch.see_error(error, self.clock.time())
            if isinstance(error, AuthenticationError | PermissionDeniedError):
                del self.hook  # the next one reads the connection again
        else:
            context["ti"].xcom_push(key=RUN_URL_KEY, value=run.url)
            verdict = watch.see(run, self.clock.time())
        if self.reschedule and watch.memory.dump() != before:
            context["task_state_store"].set(MEMORY_KEY, watch.memory.dump())
        if verdict is None:
            return PokeReturnValue(False)
        if run is None:
            raise self._unreadable(verdict, watch.last_error)
        if verdict is not Verdict.OVER:
            self._raise_unfinished(run, verdict)
            return PokeReturnValue(False)
        return PokeReturnValue(True, self._finish(context, run))

    def _watch_for(self, context: Context) -> RunWatch:
        if self._watch is None:
            stored = context["task_state_store"].get(MEMORY_KEY) if self.reschedule else None
            rules = WatchRules(float("inf"), report_waiting=self.on_waiting != "wait")
            self._watch = RunWatch(rules, self.log, Memory.load(stored if isinstance(stored, str) else None))
        return self._watch

    def _unreadable(self, verdict: Verdict, error: MLWorkflowsError | None) -> MLWorkflowsError:
        ref = self.run_ref()
        if verdict is Verdict.GONE:
            return RunNotFoundError(f"Run {ref} does not exist. {error}", ref=ref)
        return error or MLWorkflowsError(f"Run {ref} could not be read any more.")

    def _raise_unfinished(self, run: Run, verdict: Verdict) -> None:
        """Raise what a verdict on a run that is not over demands; a time-out is Airflow's to raise."""
        if verdict is Verdict.UNKNOWN:
            raise UnknownStatusError(
                f"Run {run.ref} has shown the status {run.status!r} for an hour, which this provider does not know.",
                ref=run.ref,
                url=run.url,
            )
        if verdict is Verdict.WAITING:
            steps = ", ".join(f"{step.name} ({step.status})" for step in run.waiting_steps) or run.status
            raise RunWaitingError(
                f"Run {run.ref} waits for a person at {steps}, and on_waiting is 'fail'. See {run.url}",
                ref=run.ref,
                url=run.url,
            )

    def _finish(self, context: Context, run: Run) -> str:
        self.log.info("Run %s is over: %s.\n%s", run.ref, run.status, step_table(run))
        ti = context["ti"]
        ti.xcom_push(key="run", value=cut_to_limit(run_facts(run)))
        ti.xcom_push(key="steps", value=cut_to_limit([step_facts(step) for step in run.steps]))
        error = run_error(run, service=self.service.name)
        if error is not None:
            raise error
        return run.ref.run_id
