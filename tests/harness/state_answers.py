"""What the Execution API says when a task or trigger asks for task states."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx

States = dict[str, dict[str, str | None]]

# As long as the client of the Execution API waits by default.
_LONGEST_SILENCE = 5.0


@dataclass(frozen=True)
class StatesAnswer:
    """One way of answering ``GET /task-instances/states``.

    Build one with a class method; the constructor is not part of the interface.
    """

    _build: Callable[[States], httpx.Response]
    _silence: threading.Event | None = field(default=None)
    _heard: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def truth(cls) -> StatesAnswer:
        """The state that the task instance is in."""
        return cls(_states)

    @classmethod
    def of(cls, state: str | None) -> StatesAnswer:
        """Another state than the true one; None is a task instance without a state."""

        def build(truth: States) -> httpx.Response:
            return _states({run: dict.fromkeys(tasks, state) for run, tasks in truth.items()})

        return cls(build)

    @classmethod
    def unknown_instance(cls) -> StatesAnswer:
        """No task instance matches."""
        return cls(lambda _: _states({}))

    @classmethod
    def error(cls, status: int = HTTPStatus.INTERNAL_SERVER_ERROR) -> StatesAnswer:
        """An HTTP error."""
        return cls(lambda _: httpx.Response(status, json={"detail": "states are not available"}))

    @classmethod
    def silence(cls) -> StatesAnswer:
        """No answer until whoever asked does something else, then a time-out.

        The connection to the supervisor is one line: a caller who stopped waiting still finds it taken by
        the unanswered question. Here the line is freed at that moment instead of seconds later.
        """

        def build(_: States) -> httpx.Response:
            raise httpx.ReadTimeout("the Execution API did not answer")

        return cls(build, threading.Event())

    def respond(self, truth: States) -> httpx.Response:
        """Answer, after the silence if there is one."""
        self._heard.set()
        if self._silence is not None:
            self._silence.wait(_LONGEST_SILENCE)
        return self._build(truth)

    def wait_until_asked(self, timeout: float = 10.0) -> bool:
        """Wait until the question has arrived, for at most ``timeout`` seconds."""
        return self._heard.wait(timeout)

    def break_silence(self) -> None:
        """Let a silent answer time out now."""
        if self._silence is not None and self._heard.is_set():
            self._silence.set()


def _states(states: dict[str, Any]) -> httpx.Response:
    return httpx.Response(HTTPStatus.OK, json={"task_states": states})
