"""Reading a run on behalf of an operator, patiently: what fails just now may be answered a moment later."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_provider_mlworkflows.clock import BellRungError
from airflow_provider_mlworkflows.exceptions import InvalidInputError, MLWorkflowsError, NotFoundError, is_transient
from airflow_provider_mlworkflows.task_states import TaskKey
from airflow_provider_mlworkflows.watching import MEMORY_KEY, Memory, Pace, RunWatch, WatchRules, is_refusal

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.operators.base import RunOperator
    from airflow_provider_mlworkflows.runs import Run

T = TypeVar("T")

ASK_INTERVAL = 3.0
"""Seconds between two questions about what is expected to change, or to be answered, any moment."""
COMPLETE_SECONDS = 60.0
"""For how long what a run has left is asked for while the service fails."""


class RunReader:
    """Asks about the runs of an operator.

    :param operator: whose hook, clock, bell and log it uses.
    """

    def __init__(self, operator: RunOperator) -> None:
        self._operator = operator

    def memory(self, context: Context) -> Memory:
        """What a trigger, or the worker before it, has seen of the run; nothing if that cannot be read."""
        try:
            return Memory.load(TaskKey.of(context["ti"]).xcom(MEMORY_KEY))
        except Exception as error:  # whatever keeps an XCom backend from answering: the run matters more
            self._operator.log.warning("What was seen of the run before is not known; lines may show twice. %s", error)
            return Memory()

    def persisted(
        self,
        ask: Callable[[], T],
        until: float,
        failure: str = "The service could not be asked",
        is_worth_it: Callable[[MLWorkflowsError], bool] = is_transient,
    ) -> T:
        """What asking the service comes to, asked again while it fails just now.

        :param until: when to give up, in seconds since the epoch.
        :param failure: what has failed then, for the log.
        :param is_worth_it: whether to ask again after an error.
        :raises MLWorkflowsError: if it fails in another way, or still then.
        """
        operator, pace = self._operator, Pace()
        while True:
            try:
                return ask()
            except MLWorkflowsError as error:
                if not is_worth_it(error) or operator.bell.rung or operator.clock.time() >= until:
                    raise
                operator.log.warning("%s; trying again. %s", failure, error)
                operator.clock.sleep(pace.after([error], ASK_INTERVAL), operator.bell)

    def read_until(self, run: Run, done: Callable[[Run], bool], seconds: float, *, is_patient: bool = False) -> Run:
        """The run once it shows something, or as it is after so many seconds. Reads that fail just now are repeated.

        :param is_patient: repeat others, too, with refused credentials for 15 minutes, and do not take a run that could
            not be read in the end for what it was before.
        :raises MLWorkflowsError: a read that failed otherwise, or in the end.
        """
        operator = self._operator
        give_up = operator.clock.time() + seconds
        watch, pace = RunWatch(WatchRules(inf), operator.log, Memory(has_read=True)), Pace()
        failures: list[MLWorkflowsError] = []
        while (
            not done(run) and (operator.clock.time() < give_up or (is_patient and failures)) and not operator.bell.rung
        ):
            operator.clock.sleep(pace.after(failures, ASK_INTERVAL), operator.bell)
            try:
                run, failures = operator.read(run.ref), []
            except BellRungError:
                break
            except MLWorkflowsError as error:
                failures = [error]
                if is_patient and is_refusal(error):
                    if watch.see_error(error, operator.clock.time()) is not None:
                        raise
                    operator.forget_connection()
                elif is_patient:
                    if operator.clock.time() >= give_up or isinstance(error, InvalidInputError):
                        raise
                elif not is_transient(error):
                    raise
                operator.log.warning("Run %s could not be read; reading it again. %s", run.ref, error)
        return run

    def reread(self, run: Run) -> Run:
        """The run as it is now, asked for during a minute; as it was if it cannot be read."""
        operator = self._operator
        try:
            return self.persisted(partial(operator.read, run.ref), operator.clock.time() + COMPLETE_SECONDS)
        except MLWorkflowsError as error:
            operator.log.warning("Run %s could not be read any more. %s", run.ref, error)
            return run

    def complete(self, run: Run) -> Run:
        """A run that is over with all that it has left, or with as much as can be read within a minute."""
        try:
            fuller = self.read_until(run, _is_all_told, COMPLETE_SECONDS)
        except MLWorkflowsError as error:
            self._operator.log.warning("Run %s could not be read any more. %s", run.ref, error)
            return run
        return fuller if fuller.state is run.state else run

    def metrics(self, run: Run) -> dict[str, Any] | None:
        """What the steps of a run that is over measured; None if it cannot be read, which decides nothing."""
        operator = self._operator
        until = operator.clock.time() + COMPLETE_SECONDS
        try:
            return dict(self.persisted(partial(operator.hook.get_metrics, run), until))
        except MLWorkflowsError as error:
            operator.log.warning("What the steps of run %s measured could not be read. %s", run.ref, error)
            return None

    def failure_details(self, run: Run) -> str:
        """The last log lines of the failed steps. As part of the error they get into the task's log, too."""
        if not run.failed_steps:
            return ""
        if not self._operator.stream_logs:  # else that has been waited for
            self._let_logs_arrive(run)
        try:
            return self._operator.hook.get_failure_log(run)
        except MLWorkflowsError as error:
            self._operator.log.warning("The log of the failed step could not be read: %s", error)
            return ""

    def stream_log(self, run: Run, watch: RunWatch) -> bool:
        """Show what the steps have logged since; returns whether there is no reason to look again at once."""
        operator = self._operator
        if not operator.stream_logs:
            return True
        try:
            new = operator.bell.outwait(partial(operator.hook.get_new_log, run, watch.memory.cursor))
        except BellRungError:
            return True
        except MLWorkflowsError as error:
            watch.miss_log(error)
            return not is_transient(error)
        watch.show_log(new)
        return new.missed is None or not is_transient(new.missed)

    def stream_last_words(self, run: Run, watch: RunWatch) -> None:
        """The same for a run that is over, during a minute if the service fails: nobody looks again later."""
        operator = self._operator
        if operator.stream_logs:
            self._let_logs_arrive(run)
        until = operator.clock.time() + COMPLETE_SECONDS
        while not self.stream_log(run, watch) and operator.clock.time() < until and not operator.bell.rung:
            operator.clock.sleep(ASK_INTERVAL, operator.bell)

    def _let_logs_arrive(self, run: Run) -> None:
        """Wait until the last lines of a run that has just ended can be read. What the run is, they do not decide."""
        operator = self._operator
        lag = operator.hook.log_lag
        left = lag if run.ended_at is None else run.ended_at.timestamp() + lag - operator.hook.service_time()
        if left <= 0:
            return
        try:
            operator.clock.sleep(min(left, lag), operator.bell)
        except AirflowTaskTimeout:
            operator.log.warning(
                "The task's execution_timeout is over, and so is run %s; not waiting for its log.", run.ref
            )


def _is_all_told(run: Run) -> bool:
    missing = run.unread
    return missing is None or not (is_transient(missing) or isinstance(missing, NotFoundError))
