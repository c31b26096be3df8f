"""A clock, a network and an API session that do what a test tells them."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_mlworkflows.clock import Clock
from airflow_provider_mlworkflows.clouds.http import Connectivity, WireReply, WireRequest
from airflow_provider_mlworkflows.clouds.huawei.modelarts import ModelArtsApi

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_mlworkflows.clock import Bell
    from airflow_provider_mlworkflows.clouds.operation import Request
    from airflow_provider_mlworkflows.exceptions import TransportError

T = TypeVar("T")

NOON = 1_768_478_400.0
"""2026-01-15T12:00:00Z."""


class FakeClock(Clock):
    """Time that passes only while somebody sleeps."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float, bell: Bell | None = None) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@dataclass(frozen=True)
class ScriptedNetwork(Connectivity):
    """Answers with the next outcome of a script and keeps what was sent."""

    script: deque[WireReply | TransportError] = field(default_factory=deque)
    sent: list[WireRequest] = field(default_factory=list)

    def transmit(self, request: WireRequest) -> WireReply:
        self.sent.append(request)
        outcome = self.script.popleft()
        if isinstance(outcome, WireReply):
            return outcome
        raise outcome

    async def atransmit(self, request: WireRequest) -> WireReply:
        return self.transmit(request)


def network(*script: WireReply | TransportError) -> ScriptedNetwork:
    """A network with a script."""
    return ScriptedNetwork(script=deque(script))


def json_reply(body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None) -> WireReply:
    """A reply with a JSON body, or an empty one for None."""
    content = b"" if body is None else json.dumps(body).encode()
    return WireReply(status, {name.lower(): value for name, value in (headers or {}).items()}, content)


class RecordingApi(ModelArtsApi):
    """Keeps each request and answers with the next reply, read as the operation promises."""

    def __init__(self, *replies: Any) -> None:
        self.replies = deque(replies)
        self.requests: list[Request[Any]] = []

    def send(self, request: Request[T]) -> T:
        self.requests.append(request)
        reply = self.replies.popleft()
        return request.read(b"" if request.reply is None else json.dumps(reply).encode())

    async def asend(self, request: Request[T]) -> T:
        return self.send(request)
