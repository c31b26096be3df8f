"""The life of one execution, computed from its own clock and the actions upon it.

Changes carry the time at which the script puts them, whenever somebody looks. What no document describes: a state
that is tried again stays ``RUNNING`` between the tries; an execution begins in its first state at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.obs.definitions import StateAttempt, default_attempt
from airflow_provider_mlworkflows.emulator.obs.names import new_execution_name
from airflow_provider_mlworkflows.emulator.scripted import Phase, Track

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.clock import RunClock

RUNNING, SUCCESS, FAILED = "RUNNING", "SUCCESS", "FAILED"
USUAL_RETRIES = 3

Scale = Callable[[float], timedelta]


class IllegalAction(Exception):
    """An action that the present state forbids."""


class StateRun:
    """One state of one execution."""

    def __init__(self, execution: Execution, definition: Mapping[str, Any], attempts: Sequence[StateAttempt]) -> None:
        self.name: str = definition["state_name"]
        self.type: str = definition["type"]
        self.next_state: str | None = definition.get("next_state")
        self.attempt = 0
        self.started_at: datetime | None = None
        self.stopped_at: datetime | None = None
        self._results = [result for action in definition.get("actions") or [] for result in action.get("results") or []]
        self._attempts = tuple(attempts) or (default_attempt(definition),)
        self._execution = execution
        self.track = Track("NOTRUNNING", execution.started_at, execution.scaled, self._changed)

    @property
    def status(self) -> str:
        """Present status."""
        return self.track.status

    @property
    def script(self) -> StateAttempt:
        """What the present attempt does."""
        return self._attempts[min(max(self.attempt, 1), len(self._attempts)) - 1]

    @property
    def way_out(self) -> str | None:
        """The state that follows a failure, if the definition leads past it."""
        result = self._result()
        return None if result is None or result.get("is_terminal", True) else str(result["next_state"])

    def begin(self, at: datetime) -> None:
        """Start the next attempt, with the tries that the definition allows when it fails."""
        self.attempt += 1
        self.started_at = at
        self.stopped_at = None
        result = self._result()
        script = list(self.script.script)
        for _ in range(_retries(result)):
            if result is None or script[-1].status != FAILED:
                break
            self.attempt += 1
            script[-1] = Phase(RUNNING, float(result.get("retry_interval") or 0))
            script += self.script.script
        # Left first, so that a second attempt is a change like the first.
        self.track.status = "NOTRUNNING"
        self.track.play(script, at)

    def _result(self) -> Mapping[str, Any] | None:
        wanted = ("MatchAny", self.script.error)
        return next((result for result in self._results if result.get("match") in wanted), None)

    def _changed(self, at: datetime, before: str, after: str) -> None:
        if after in (SUCCESS, FAILED):
            self.stopped_at = at
        self._execution.state_changed(self, at, after)


class Execution:
    """One execution of a workflow.

    Args:
        graph_name: The workflow.
        kind: ``APICALL`` or ``TRIGGERCAL``.
        input_text: What it was started with, as JSON text.
        states: State objects of the workflow.
        scripts: Scripted attempts by state name.
        clock: The execution's own clock.
        scaled: Turns scripted seconds into a duration.
        status_script: Literals to show instead of the computed state.
    """

    def __init__(
        self,
        *,
        graph_name: str,
        kind: str,
        input_text: str,
        states: Sequence[Mapping[str, Any]],
        scripts: Mapping[str, tuple[StateAttempt, ...]],
        clock: RunClock,
        scaled: Scale,
        status_script: Sequence[Phase] = (),
    ) -> None:
        self.execution_name = new_execution_name()
        self.graph_name = graph_name
        self.kind = kind
        self.input_text = input_text
        self.clock = clock
        self.scaled = scaled
        self.started_at = clock.now()
        self.stopped_at: datetime | None = None
        self.forced_state: str | None = None
        self.states = {body["state_name"]: StateRun(self, body, scripts.get(body["state_name"], ())) for body in states}
        self.start_state: str = next(body["state_name"] for body in states if body.get("start"))
        self._current = self.states[self.start_state]
        self._shown = Track(RUNNING, self.started_at, scaled, lambda *_: None) if status_script else None
        if self._shown is not None:
            self._shown.play(status_script, self.started_at)
        self._current.begin(self.started_at)
        self.advance()

    @property
    def marker(self) -> str:
        """Its place in lists: they are in the order of kind and name together."""
        return self.kind + self.execution_name

    @property
    def state(self) -> str:
        """Present state; forced or scripted, else what follows from the states."""
        if self.forced_state is not None:
            return self.forced_state
        return self._shown.status if self._shown is not None else self._computed_state()

    def advance(self) -> datetime:
        """Make every change that is due by the execution's own clock; return that clock's time."""
        now = self.clock.now()
        while (due := self._next_due()) is not None and due <= now:
            for track in self._tracks():
                if track.due is not None and track.due <= due:
                    track.proceed(due)
        return now

    def force(self, state: str | None, states: Mapping[str, str]) -> None:
        """Show a literal and put states into statuses, whatever the scripts say.

        Raises:
            KeyError: There is no state of that name.
        """
        now = self.advance()
        chosen = [(self.states[name], status) for name, status in states.items()]
        for run, status in chosen:
            run.started_at = run.started_at or now
            run.track.jump(status, now)
        self.forced_state = state
        self.advance()

    def finish(self, status: str, name: str | None = None) -> str:
        """End a state now, by default the one that runs; return its name.

        Raises:
            IllegalAction: The state does not run.
            KeyError: There is no state of that name.
        """
        self.advance()
        run = self._current if name is None else self.states[name]
        if run.status != RUNNING:
            raise IllegalAction(f"state {run.name} is {run.status}")
        self.force(self.forced_state, {run.name: status})
        return run.name

    def restore(self) -> datetime:
        """Go on from the state that failed; states that succeeded stay as they are. Return the time.

        Raises:
            IllegalAction: The execution has not failed.
        """
        now = self.advance()
        if self.state != FAILED:
            raise IllegalAction(f"execution {self.execution_name} is {self.state}, not {FAILED}")
        self.forced_state = None
        self._shown = None
        if self._current.status not in (RUNNING, SUCCESS):
            self.stopped_at = None
            self._current.begin(now)
        self.advance()
        return now

    def state_changed(self, run: StateRun, at: datetime, after: str) -> None:
        """Go on to the state that follows, or note the end."""
        if run is not self._current or after not in (SUCCESS, FAILED):
            return
        following = run.next_state if after == SUCCESS else run.way_out
        if following is None or (after == SUCCESS and run.type == "END"):
            self.stopped_at = at
            return
        # A state that was made a success by hand after its failure leads out of the end.
        self.stopped_at = None
        self._current = self.states[following]
        self._current.begin(at)

    def _computed_state(self) -> str:
        return RUNNING if self.stopped_at is None else self._current.status

    def _tracks(self) -> list[Track]:
        return [self._current.track, *([self._shown] if self._shown is not None else [])]

    def _next_due(self) -> datetime | None:
        return min((track.due for track in self._tracks() if track.due is not None), default=None)


def _retries(result: Mapping[str, Any] | None) -> int:
    if result is None:
        return 0
    most = result.get("max_retry")
    return USUAL_RETRIES if most is None else int(most)
