"""What successive reads of a run mean: keep waiting, or stop and say why.

Worker, sensor and trigger share this judgement, so that all modes see the same run the same way. It does
no input or output; time is passed in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Protocol, Self

from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ThrottledError,
    TransportError,
    UnexpectedReplyError,
    UnusableEventError,
)
from airflow_provider_mlworkflows.runs import NewLog, Run, RunRef, RunState, Step

POLL_ERROR_LIMIT = 5
"""Consecutive failed reads that are taken in stride."""
UNKNOWN_LIMIT = 3600.0
"""Seconds that a status nobody knows is put up with."""
MISSING_GRACE = 60.0
"""Seconds for which a run may be invisible before it counts as deleted."""
LOOKS_IN_VAIN = 2
"""How often a look may find nothing before a run is stopped unseen."""
REFUSED_GRACE = 900.0
"""Seconds for which credentials may be refused, so that a rotated key can be put into the connection."""
REFUSED_PAUSES = (60.0, 240.0, 660.0)
"""Seconds between two attempts with refused credentials. That makes four until the grace is over, and five in a row
may get the access key blocked."""
SLOWEST_POLL = 300.0
"""Seconds after which a throttled service is asked again, even if it asks for a day: runs end meanwhile."""
MOST_DOUBLINGS = 16
"""Of a pause; more would make no difference to it, and some day a number that is too large."""
MEMORY_KEY = "mlworkflows_watch"
"""XCom and task state store key under which a watch keeps its memory."""


class Verdict(StrEnum):
    """Why the waiting ends."""

    OVER = "over"
    """The run, or the watched step, is terminal."""
    WAITING = "waiting"
    """A person is waited for, and somebody wants to know."""
    TIMEOUT = "timeout"
    """The deadline has passed."""
    UNKNOWN = "unknown"
    """An unknown status for too long."""
    GONE = "gone"
    """The run does not exist any more."""
    REFUSED = "refused"
    """The connection's credentials are refused."""
    ERROR = "error"
    """The run cannot be read."""
    UNCLEAR = "unclear"
    """Several steps of the run are called what the watched one is called."""


class Log(Protocol):
    """Where notices go."""

    def info(self, event: Any, *args: Any) -> Any: ...  # noqa: D102
    def warning(self, event: Any, *args: Any) -> Any: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class WatchRules:
    """When to stop waiting.

    :param deadline: seconds since the epoch.
    :param report_waiting: end the waiting when the run waits for a person.
    :param answerable: end the waiting when one of these steps waits for inputs; others may go on waiting.
    :param approvable: end the waiting when one of these steps is held by a person.
    :param step_name: follow this step instead of the whole run.
    """

    deadline: float
    report_waiting: bool = False
    answerable: tuple[str, ...] = ()
    approvable: tuple[str, ...] = ()
    step_name: str | None = None

    def payload(self) -> dict[str, str | float | bool | None]:
        """The rules as flat JSON, for a trigger's arguments."""
        return {
            "deadline": self.deadline,
            "report_waiting": self.report_waiting,
            "answerable": json.dumps(self.answerable, ensure_ascii=False),
            "approvable": json.dumps(self.approvable, ensure_ascii=False),
            "step_name": self.step_name,
        }


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """What a trigger tells the worker: which run, and why the waiting ended. The worker reads the run anew."""

    ref: RunRef
    verdict: Verdict
    deadline: float
    message: str = ""
    step_name: str | None = None
    try_number: int = 0
    """Of the attempt that the trigger was for; 0 if it does not say."""

    def is_of_another_attempt(self, try_number: int) -> bool:
        """Whether the task has been cleared since: Airflow repeats an old event if that is being handled then."""
        return self.try_number not in (0, try_number)

    def payload(self) -> dict[str, str | float]:
        """The event as flat JSON."""
        step = {} if self.step_name is None else {"step_name": self.step_name}
        return {
            "workflow_id": self.ref.workflow_id,
            "run_id": self.ref.run_id,
            "verdict": self.verdict.value,
            "deadline": self.deadline,
            "message": self.message,
            "try_number": self.try_number,
            **step,
        }

    @classmethod
    def parse(cls, payload: Mapping[str, Any] | None) -> Self:
        """Read an event back.

        :raises UnusableEventError: if it is not one; a triggerer of another version may have sent it.
        """
        try:
            event = payload or {}
            ref = RunRef(event["workflow_id"], event["run_id"])
            verdict, deadline = Verdict(event["verdict"]), float(event["deadline"])
            told = str(event.get("message", "")), event.get("step_name"), int(event.get("try_number", 0))
            return cls(ref, verdict, deadline, *told)
        except (KeyError, ValueError, TypeError) as error:
            raise UnusableEventError(
                f"The trigger ended without a usable event: {payload!r}. Triggerer and workers may have different "
                "versions of this provider installed."
            ) from error


def is_refusal(error: MLWorkflowsError) -> bool:
    """Whether the connection itself may be at fault, so that it should be read again."""
    return isinstance(error, AuthenticationError | PermissionDeniedError | ConfigurationError)


def untold_step(run: Run, step_name: str | None) -> MLWorkflowsError | None:
    """The error for a run that is over, but does not show its steps to somebody who waits for one; else None."""
    if step_name is None or run.unread is None or run.has_steps or not run.state.is_terminal:
        return None
    if isinstance(run.unread, NotFoundError):  # it is not the run that is missing
        return UnexpectedReplyError(str(run.unread), status=run.unread.status)
    return run.unread


@dataclass(slots=True)
class Pace:
    """How long to hold still between reads: longer while the service throttles or refuses the credentials."""

    _throttled: int = 0
    _refused: int = 0

    def after(self, errors: Iterable[MLWorkflowsError], interval: float) -> float:
        """Seconds until the next read, given the errors of this one (none if it went well)."""
        throttled = [error for error in errors if isinstance(error, ThrottledError)]
        refused = [error for error in errors if is_refusal(error)]
        self._throttled = self._throttled + 1 if throttled else 0
        self._refused = self._refused + 1 if refused else 0
        if throttled:
            asked = max(error.retry_after or 0.0 for error in throttled)
            doubled = interval * 2.0 ** min(self._throttled, MOST_DOUBLINGS)
            return max(interval, min(SLOWEST_POLL, max(asked, doubled)))
        if refused:
            return REFUSED_PAUSES[min(self._refused, len(REFUSED_PAUSES)) - 1]
        return interval


@dataclass(slots=True)
class Memory:
    """What a watch knows from earlier reads. Survives a change of process as a string.

    :param seen: step statuses already logged, by step name.
    :param since: when a trouble began that has lasted ever since, in seconds since the epoch.
    :param noted: troubles that have been logged.
    :param errors: reads in a row that failed.
    :param refusals: reads in a row that were refused for their credentials.
    :param has_read: whether the run has ever been read.
    :param cursor: how many lines of each step's log are in the task's log, by step id.
    :param url: the run's page in the cloud console, "" while it is not known.
    :param ref: the workflow and the id of the run that is left to a trigger.
    :param deadline: its deadline, in seconds since the epoch.
    """

    seen: dict[str, str] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    noted: list[str] = field(default_factory=list)
    errors: int = 0
    refusals: int = 0
    has_read: bool = False
    cursor: dict[str, int] = field(default_factory=dict)
    url: str = ""
    ref: list[str] = field(default_factory=list)
    deadline: float = 0.0

    @classmethod
    def load(cls, stored: object) -> Self:
        """Read it from a string; an empty one if there is none."""
        known = json.loads(stored) if isinstance(stored, str) and stored else {}
        return cls(**{each.name: known[each.name] for each in fields(cls) if each.name in known})

    def dump(self) -> str:
        """Write it as a string."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class RunWatch:
    """Judges one run, read after read, and logs what changed.

    :param rules: when to stop waiting.
    :param log: where step changes and notices go.
    :param memory: what is known from earlier reads.
    """

    rules: WatchRules
    log: Log
    memory: Memory = field(default_factory=Memory)
    last_error: MLWorkflowsError | None = None

    def see(self, run: Run, now: float) -> Verdict | None:
        """Judge a read; None to keep waiting.

        :raises InvalidInputError: if several steps are called what the watched one is called.
        """
        self._recover()
        self.memory.url = run.url
        self._log_changes(run.steps)
        state = self._watched_state(run)
        if state.is_terminal:
            return Verdict.OVER
        if self._is_answerable(run, state):
            return Verdict.WAITING
        if state is RunState.WAITING:
            self._note_waiting(run)
        else:
            self._forget("waiting")
        if state is not RunState.UNKNOWN:
            self._forget("unknown")
        elif self._lasts("unknown", now, UNKNOWN_LIMIT):
            return Verdict.UNKNOWN
        else:
            self._note_unknown(run)
        return self._overdue(now)

    def may_ask(self, now: float) -> bool:
        """Whether it is time for another read: refused credentials are tried again rarely, or the key gets blocked."""
        paused = sum(REFUSED_PAUSES[: self.memory.refusals])
        return now >= self.memory.since.get("refused", now) + paused

    def show_log(self, new: NewLog) -> None:
        """Put a run's new log lines into the task's log."""
        self.memory.cursor.update(new.cursor)
        for name, line in new.lines:
            self.log.info("[%s] %s", name, line)
        if new.missed is None:
            self._forget("log")
        else:
            self.miss_log(new.missed)

    def miss_log(self, error: MLWorkflowsError) -> None:
        """Note that a run's log cannot be read; the run itself is not affected."""
        self._note("log", "Log lines of the steps cannot be shown for now. %s", error)

    def see_error(self, error: MLWorkflowsError, now: float) -> Verdict | None:
        """Judge a read that failed; None to try again at the next poll."""
        self.last_error = error
        match error:
            case NotFoundError():
                if not self.memory.has_read or self._lasts("missing", now, MISSING_GRACE):
                    return Verdict.GONE
            case ThrottledError():
                self._note("throttled", "Polling is being throttled; slowing down. %s", error)
            case AuthenticationError() | PermissionDeniedError() | ConfigurationError():
                self.memory.refusals += 1
                if not self.memory.has_read or self._lasts("refused", now, REFUSED_GRACE):
                    return Verdict.REFUSED
                self._note(
                    "refused", "The connection does not work any more; reading it again for 15 minutes. %s", error
                )
            case BadRequestError() if not self.memory.has_read:
                return Verdict.ERROR
            case TransportError() | ServerError() | UnexpectedReplyError() | BadRequestError():
                self.memory.errors += 1
                if self.memory.errors > POLL_ERROR_LIMIT:
                    return Verdict.ERROR
                self.log.warning(
                    "Could not read the run (%d of at most %d times in a row); it goes on by itself, reading it "
                    "again at the next poll. %s",
                    self.memory.errors,
                    POLL_ERROR_LIMIT,
                    error,
                )
            case _:
                return Verdict.ERROR
        return self._overdue(now)

    def _recover(self) -> None:
        self.last_error = None
        self.memory.has_read = True
        self.memory.errors = self.memory.refusals = 0
        for trouble in ("missing", "refused", "throttled"):
            self._forget(trouble)

    def _forget(self, trouble: str) -> None:
        self.memory.since.pop(trouble, None)
        if trouble in self.memory.noted:
            self.memory.noted.remove(trouble)

    def _lasts(self, trouble: str, now: float, limit: float) -> bool:
        """Whether a trouble, seen now, has lasted for ``limit`` seconds."""
        return now - self.memory.since.setdefault(trouble, now) >= limit

    def _note(self, trouble: str, message: str, *args: object) -> None:
        """Log a trouble once, until it has passed."""
        if trouble not in self.memory.noted:
            self.memory.noted.append(trouble)
            self.log.warning(message, *args)

    def _watched_state(self, run: Run) -> RunState:
        if self.rules.step_name is None or run.state.is_terminal:
            return run.state
        step = run.step(self.rules.step_name)
        if run.state in (RunState.WAITING, RunState.UNKNOWN) and (step is None or not step.state.is_terminal):
            return run.state
        return RunState.ACTIVE if step is None else step.state

    def _is_answerable(self, run: Run, state: RunState) -> bool:
        if self.rules.report_waiting and state is RunState.WAITING:
            return True
        rules = self.rules
        return any(step.name in (rules.approvable if step.is_gate else rules.answerable) for step in run.waiting_steps)

    def _overdue(self, now: float) -> Verdict | None:
        return Verdict.TIMEOUT if now >= self.rules.deadline else None

    def _note_unknown(self, run: Run) -> None:
        self._note(
            "unknown",
            "The run shows the status %r, which this provider does not know. It counts neither as success nor "
            "as failure; watching on for at most %d minutes.",
            run.status,
            UNKNOWN_LIMIT // 60,
        )

    def _note_waiting(self, run: Run) -> None:
        steps = ", ".join(f"{step.name} ({step.status})" for step in run.waiting_steps) or run.status
        self._note("waiting", "The run waits for a person at %s. %s", steps, run.url)

    def _log_changes(self, steps: Iterable[Step]) -> None:
        for step in steps:
            before = self.memory.seen.get(step.name)
            if before == step.status:
                continue
            self.memory.seen[step.name] = step.status
            took = "" if step.duration is None or not step.state.is_terminal else f" after {step.duration:.0f} s"
            why = f": {step.error}" if step.error else ""
            self.log.info("Step %s: %s%s%s", step.name, step.status, took, why)
