"""From a Request to its answer: addressed, signed, sent, repeated where that is safe, and read.

Everything here is a flow (see `flow`): it yields one of three effects and is sent what came of it.
"""

from __future__ import annotations

import logging
import random
import threading
from asyncio import AbstractEventLoop, Lock, get_running_loop
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_mlworkflows import __version__
from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Clock
from airflow_provider_mlworkflows.clouds.flow import adrive, drive
from airflow_provider_mlworkflows.clouds.http import Connectivity, WireReply, WireRequest
from airflow_provider_mlworkflows.clouds.retry import pause_before_retry
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    MLWorkflowsError,
    ThrottledError,
    TransportError,
    UnexpectedReplyError,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import Request

log = logging.getLogger(__name__)

T = TypeVar("T")

USER_AGENT = f"airflow-provider-mlworkflows/{__version__}"
EXCERPT_LENGTH = 300
DEFAULT_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Pause:
    """Effect: let this many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Lookup(Generic[T]):
    """Effect: the value of a cell, found out by ``flow`` if nobody has yet."""

    cell: Cell[T]
    flow: Callable[[], Exchange[T]]


Exchange = Generator["WireRequest | Pause | Lookup[Any]", Any, T]
"""A flow that ends with a T."""


class Cell(Generic[T]):
    """A value found out at most once at a time, however many ask for it."""

    def __init__(self) -> None:
        self.value: T | None = None
        self.lock = threading.Lock()
        self._loop_locks: WeakKeyDictionary[AbstractEventLoop, Lock] = WeakKeyDictionary()

    @property
    def loop_lock(self) -> Lock:
        """The lock of the running event loop."""
        return self._loop_locks.setdefault(get_running_loop(), Lock())


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a service says when it does not do what it was asked.

    :param kind: the error to raise.
    :param code: the service's error code.
    :param text: its message.
    :param request_id: its id of the request.
    :param advice: what the reader can change.
    """

    kind: type[ApiError]
    code: str = ""
    text: str = ""
    request_id: str = ""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service lives, and how to tell its refusals from its answers.

    :param name: as shown in messages.
    :param endpoint: scheme and host, perhaps a port.
    :param refusal: reads a reply as a refusal, None if it is an answer.
    """

    name: str
    endpoint: str
    refusal: Callable[[WireReply], Refusal | None] = field(repr=False)


class Identity(Protocol):
    """Whoever makes a call."""

    @property
    def path_params(self) -> Mapping[str, str]:
        """What a request's path takes from the account, such as ``project_id``."""

    def sign(self, request: WireRequest, now: float) -> WireRequest:
        """The request with its credentials added, signed at ``now``."""

    def redact(self, text: str) -> str:
        """The text without anything secret that the identity knows."""


class Account(Protocol):
    """Supplies identities."""

    def identity(self) -> Exchange[Identity]:
        """The identity to use now."""

    def renewed(self, refused: Identity) -> Exchange[Identity | None]:
        """A fresh identity after ``refused`` was not accepted, None if there can be none."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How hard to try.

    :param attempts: how often a request is sent at most.
    :param jitter: source of random numbers in [0, 1).
    """

    attempts: int = DEFAULT_ATTEMPTS
    jitter: Callable[[], float] = field(default=random.random, repr=False)


class Client:
    """Sends Requests to one service on behalf of one account.

    :param service: where to.
    :param account: on whose behalf.
    :param region: the service's region id, "" if only an endpoint is known.
    :param connectivity: certificates, proxy and time-out.
    :param patience: how often to try.
    :param clock: where time comes from.
    """

    def __init__(
        self,
        service: Service,
        account: Account,
        *,
        region: str = "",
        connectivity: Connectivity | None = None,
        patience: Patience | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.service = service
        self.account = account
        self.region = region
        self.connectivity = connectivity or Connectivity()
        self.patience = patience or Patience()
        self.clock = clock

    def send(self, request: Request[T]) -> T:
        """Send a request and wait for its answer.

        :raises ApiError: if the service refuses or its reply cannot be read.
        :raises TransportError: if no answer came.
        """
        return drive(self._exchange(request), self._perform)

    async def asend(self, request: Request[T]) -> T:
        """The same in an event loop."""
        return await adrive(self._exchange(request), self._aperform)

    def _exchange(self, request: Request[T]) -> Exchange[T]:
        identity = yield from self.account.identity()
        try:
            return (yield from exchange(self.service, request, identity, self.patience, self.clock))
        except AuthenticationError:
            renewed = yield from self.account.renewed(identity)
            if renewed is None:
                raise
        return (yield from exchange(self.service, request, renewed, self.patience, self.clock))

    def _perform(self, effect: WireRequest | Pause | Lookup[Any]) -> Any:
        match effect:
            case WireRequest():
                return self.connectivity.transmit(effect)
            case Pause(seconds):
                self.clock.sleep(seconds)
                return None
            case Lookup(cell, flow):
                with cell.lock:
                    if cell.value is None:
                        cell.value = drive(flow(), self._perform)
                return cell.value

    async def _aperform(self, effect: WireRequest | Pause | Lookup[Any]) -> Any:
        match effect:
            case WireRequest():
                return await self.connectivity.atransmit(effect)
            case Pause(seconds):
                await self.clock.asleep(seconds)
                return None
            case Lookup(cell, flow):
                async with cell.loop_lock:
                    if cell.value is None:
                        cell.value = await adrive(flow(), self._aperform)
                return cell.value


def exchange(
    service: Service, request: Request[T], identity: Identity, patience: Patience, clock: Clock
) -> Exchange[T]:
    """Send one request as one identity, again where that is safe, until it is answered or hopeless."""
    attempt = 1
    while True:
        # Signed anew for each attempt: a signature carries its time and soon grows stale.
        wire_request = identity.sign(_address(service, request, identity), clock.time())
        try:
            reply = yield wire_request
            return _read(service, request, reply, identity)
        except (ApiError, TransportError) as error:
            failure = _explained(service, request, error, identity)
        pause = pause_before_retry(
            failure,
            attempt=attempt,
            max_attempts=patience.attempts,
            safe_to_repeat=request.safe_to_repeat,
            jitter=patience.jitter(),
        )
        if pause is None:
            raise failure
        _log_retry(service, request, failure, pause)
        yield Pause(pause)
        attempt += 1


def _address(service: Service, request: Request[Any], identity: Identity) -> WireRequest:
    query = request.url_query()
    url = service.endpoint + request.url_path(identity.path_params) + (f"?{query}" if query else "")
    headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
    content = request.content()
    if content:
        headers["Content-Type"] = "application/json"
    headers.update(request.headers)
    return WireRequest(request.method, url, headers, content)


def _read(service: Service, request: Request[T], reply: WireReply, identity: Identity) -> T:
    refusal = service.refusal(reply)
    if refusal is not None:
        raise _api_error(service, request, reply, refusal, identity)
    try:
        return request.read(reply.content)
    except ValueError as error:
        text = f"a reply that is not the promised {_reply_name(request)} ({_first_line(error)}): {_excerpt(reply)}"
        unreadable = Refusal(
            UnexpectedReplyError,
            text=text,
            request_id=reply.headers.get("x-request-id", ""),
            advice="Check that the endpoint is the service itself and not a proxy's page.",
        )
        raise _api_error(service, request, reply, unreadable, identity) from None


def _api_error(
    service: Service, request: Request[Any], reply: WireReply, refusal: Refusal, identity: Identity
) -> ApiError:
    parts = [f"{service.name} refused {request.operation}: HTTP {reply.status}"]
    if refusal.code:
        parts.append(f" {refusal.code}")
    if refusal.text:
        parts.append(f", {refusal.text.rstrip('.')}")
    if refusal.request_id:
        parts.append(f" (request id {refusal.request_id})")
    parts.append(f". Asked: {request.method} {request.url_path(identity.path_params)} at {service.endpoint}.")
    if refusal.advice:
        parts.append(f" {refusal.advice}")
    return refusal.kind(
        identity.redact("".join(parts)),
        operation=request.operation,
        status=reply.status,
        code=refusal.code,
        request_id=refusal.request_id,
        retry_after=retry_after_seconds(reply),
    )


def _explained(
    service: Service, request: Request[Any], error: ApiError | TransportError, identity: Identity
) -> MLWorkflowsError:
    if isinstance(error, ApiError):
        return error
    effect = "" if request.safe_to_repeat or not error.may_have_taken_effect else " It may have taken effect."
    explained = TransportError(
        f"{service.name} did not answer {request.operation}: {identity.redact(str(error))}.{effect} "
        "Check the connection's region or endpoint, the proxy and the network.",
        may_have_taken_effect=error.may_have_taken_effect,
    )
    explained.__cause__ = error.__cause__
    return explained


def _log_retry(service: Service, request: Request[Any], failure: MLWorkflowsError, pause: float) -> None:
    what = "is throttling" if isinstance(failure, ThrottledError) else "failed at"
    log.warning("%s %s %s; trying again in %.1f s.", service.name, what, request.operation, pause)


def retry_after_seconds(reply: WireReply) -> float | None:
    """Seconds named by a ``Retry-After`` header, as a number or as a date; None if there is none."""
    value = reply.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        pause = _http_date(value) - _http_date(reply.headers.get("date", ""))
    except ValueError:
        return None
    return max(0.0, pause.total_seconds())


def _http_date(text: str) -> datetime:
    date = parsedate_to_datetime(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _reply_name(request: Request[Any]) -> str:
    return getattr(request.reply, "__name__", str(request.reply))


def _first_line(error: ValueError) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _excerpt(reply: WireReply) -> str:
    text = reply.content[:EXCERPT_LENGTH].decode("utf-8", "replace")
    return repr(text + ("..." if len(reply.content) > EXCERPT_LENGTH else ""))
