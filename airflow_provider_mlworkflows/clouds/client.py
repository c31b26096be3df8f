"""From a Request to its answer: addressed, signed, sent, repeated where that is safe, and read.

Everything here is a flow (see `flow`): it yields one of a few effects and is sent what came of it.
"""

from __future__ import annotations

import logging
import random
import threading
from asyncio import AbstractEventLoop, Lock, get_running_loop, to_thread
from collections.abc import Callable, Generator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from airflow_provider_mlworkflows import __version__
from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Clock
from airflow_provider_mlworkflows.clouds.flow import adrive, drive
from airflow_provider_mlworkflows.clouds.http import Connectivity, WireReply, WireRequest
from airflow_provider_mlworkflows.clouds.replies import Service, explained, http_date, read_reply
from airflow_provider_mlworkflows.clouds.retry import pause_before_retry
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    MLWorkflowsError,
    PermissionDeniedError,
    ThrottledError,
    TransportError,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import Request

log = logging.getLogger(__name__)

T = TypeVar("T")

USER_AGENT = f"airflow-provider-mlworkflows/{__version__}"
DEFAULT_ATTEMPTS = 4
REFUSAL_REMEMBERED = 60.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Effect: let this many seconds pass before another attempt.

    :param failure: of the attempt before.
    :param story: the same in a few words.
    """

    seconds: float
    failure: MLWorkflowsError
    story: str


@dataclass(frozen=True, slots=True)
class Through:
    """Effect: the answer to a request that goes another way than the service's."""

    request: WireRequest
    connectivity: Connectivity


@dataclass(frozen=True, slots=True)
class FileText:
    """Effect: what a file holds now, without the blanks around it.

    :param path: where it is.
    :param role: what it is for, for messages.
    """

    path: str
    role: str

    def read(self) -> str:
        """Read it. Blocks.

        :raises ConfigurationError: if it cannot be read, or is empty.
        """
        try:
            text = Path(self.path).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise ConfigurationError(f"The {self.role} {self.path!r} cannot be read: {reason}.") from None
        if not text:
            raise ConfigurationError(f"The {self.role} {self.path!r} is empty.")
        return text


@dataclass(frozen=True, slots=True)
class Lookup(Generic[T]):
    """Effect: the value of a cell, found out by ``flow`` if nobody has yet.

    :param meanwhile: what will do while somebody else is finding it out; None to wait for that.
    """

    cell: Cell[T]
    flow: Callable[[], Exchange[T]]
    meanwhile: T | None = None


Effect = WireRequest | Through | Pause | FileText | Lookup[Any]

Exchange = Generator[Effect, Any, T]
"""A flow that ends with a T."""


class Cell(Generic[T]):
    """A value found out at most once at a time, however many ask for it.

    Refused credentials are remembered for a minute, or as long as ``refusal_remembered`` says: asking again would get
    the key blocked.

    :param failure_remembered: seconds for which any other failure is told to all who ask.
    """

    def __init__(self, *, failure_remembered: float = 0.0) -> None:
        self.value: T | None = None
        self.refusal_remembered = REFUSAL_REMEMBERED
        self._failure_remembered = failure_remembered
        self.lock = threading.Lock()
        self._loop_locks: WeakKeyDictionary[AbstractEventLoop, Lock] = WeakKeyDictionary()
        self._failed: tuple[MLWorkflowsError, float] | None = None

    @property
    def loop_lock(self) -> Lock:
        """The lock of the running event loop."""
        return self._loop_locks.setdefault(get_running_loop(), Lock())

    def known(self, now: float) -> T | None:
        """The value, None if nobody knows it yet.

        :raises MLWorkflowsError: the remembered failure.
        """
        if self.value is None and self._failed is not None and now < self._failed[1]:
            raise _another(self._failed[0])
        return self.value

    def failed(self, error: MLWorkflowsError, now: float) -> None:
        """Remember an error, for longer if it or the error behind it says that credentials were refused."""
        self._failed = (error, now + (self.refusal_remembered if is_refusal(error) else self._failure_remembered))


def is_refusal(error: MLWorkflowsError) -> bool:
    """Whether an error, or the one behind it, says that credentials were refused."""
    return any(isinstance(each, AuthenticationError | PermissionDeniedError) for each in (error, error.__cause__))


def _another(error: MLWorkflowsError) -> MLWorkflowsError:
    """A copy, since each raise adds to an error's traceback."""
    copied = copy(error)
    copied.__cause__ = error.__cause__
    return copied


class Signer(Protocol):
    """Whoever makes a call."""

    @property
    def path_params(self) -> Mapping[str, str]:
        """What a request takes from the account, such as ``project_id`` in its path."""

    def sign(self, request: WireRequest, now: float) -> WireRequest:
        """The request with its credentials added, signed at ``now``."""

    def redact(self, text: str) -> str:
        """The text without anything secret that the signer knows."""


class Identity(Signer, Protocol):
    """Whoever makes the calls of an account."""

    @property
    def name(self) -> str:
        """What to call it in front of people: the kind of its credentials, and the beginning of a key's id."""


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
    :param hasty: whether somebody waits who cannot wait long: then whoever issues credentials is asked once too, and
        waited for no longer than the service.
    """

    attempts: int = DEFAULT_ATTEMPTS
    jitter: Callable[[], float] = field(default=random.random, repr=False)
    hasty: bool = False


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
        self._dated: tuple[str, float] = ("", 0.0)

    def service_time(self) -> float:
        """Seconds since the epoch by the service's clock, as its last answer told it; by this machine's before."""
        date, at = self._dated
        now = self.clock.time()
        try:
            return http_date(date).timestamp() + now - at
        except ValueError:
            return now

    def identity(self) -> Identity:
        """Whoever makes the calls; found out now if it is not known yet.

        :raises MLWorkflowsError: if it cannot be found out.
        """
        return drive(self.account.identity(), self._perform)

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

    def _noted(self, reply: WireReply) -> WireReply:
        self._dated = reply.headers.get("date", ""), self.clock.time()
        return reply

    def _in_time(self, connectivity: Connectivity) -> Connectivity:
        if not self.patience.hasty:
            return connectivity
        return replace(connectivity, timeout=min(connectivity.timeout, self.connectivity.timeout))

    def _begin(self, pause: Pause) -> None:
        if self.patience.hasty:
            raise pause.failure
        log.warning("%s; trying again in %.1f s.", pause.story, pause.seconds)

    def _found_out(self, cell: Cell[T], flow: Callable[[], Exchange[T]]) -> Exchange[T | None]:
        """The value of a cell whose lock is held; a failure to find it out is remembered."""
        if cell.known(self.clock.time()) is None:
            try:
                cell.value = yield from flow()
            except MLWorkflowsError as error:
                # Given up for want of time only, it may be found out by whoever asks next, such as for a stop.
                if not self.clock.is_interrupted or isinstance(error, AuthenticationError):
                    cell.failed(error, self.clock.time())
                raise
        return cell.value

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case WireRequest():
                return self._noted(self.connectivity.transmit(effect))
            case Through(request, connectivity):
                return self._in_time(connectivity).transmit(request)
            case FileText():
                return effect.read()
            case Pause(seconds):
                self._begin(effect)
                self.clock.sleep(seconds)
                if self.clock.is_interrupted:
                    raise effect.failure
                return None
            case Lookup(cell, flow, meanwhile):
                if not cell.lock.acquire(blocking=meanwhile is None):
                    return meanwhile
                try:
                    return drive(self._found_out(cell, flow), self._perform)
                finally:
                    cell.lock.release()

    async def _aperform(self, effect: Effect) -> Any:
        match effect:
            case WireRequest():
                return self._noted(await self.connectivity.atransmit(effect))
            case Through(request, connectivity):
                return await self._in_time(connectivity).atransmit(request)
            case FileText():
                return await to_thread(effect.read)
            case Pause(seconds):
                self._begin(effect)
                await self.clock.asleep(seconds)
                return None
            case Lookup(cell, flow, meanwhile):
                if meanwhile is not None and cell.loop_lock.locked():
                    return meanwhile
                async with cell.loop_lock:
                    return await adrive(self._found_out(cell, flow), self._aperform)


def exchange(
    service: Service,
    request: Request[T],
    identity: Signer,
    patience: Patience,
    clock: Clock,
    connectivity: Connectivity | None = None,
) -> Exchange[T]:
    """Send one request in one name, again where that is safe, until it is answered or hopeless.

    :param connectivity: how to reach the service; None for the way of the client that runs this flow.
    """
    request = request.filled(identity.path_params)
    attempt = 1
    while True:
        # Signed anew for each attempt: a signature carries its time and soon grows stale.
        wire_request = identity.sign(_address(service, request, identity), clock.time())
        try:
            reply = yield (Through(wire_request, connectivity) if connectivity else wire_request)
            return read_reply(service, request, request.url_path(identity.path_params), reply, identity.redact)
        except (ApiError, TransportError) as error:
            failure = explained(service, request, error, identity.redact)
        pause = pause_before_retry(
            failure,
            attempt=attempt,
            max_attempts=patience.attempts,
            safe_to_repeat=request.safe_to_repeat,
            jitter=patience.jitter(),
        )
        if pause is None:
            raise failure
        yield Pause(pause, failure, _story(service, request, failure))
        attempt += 1


def _address(service: Service, request: Request[Any], identity: Signer) -> WireRequest:
    query = request.url_query()
    url = service.url(request.url_path(identity.path_params), request.host_label) + (f"?{query}" if query else "")
    headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
    content = request.content()
    if content:
        headers["Content-Type"] = "application/json"
    headers.update(request.headers)
    return WireRequest(request.method, url, headers, content)


def _story(service: Service, request: Request[Any], failure: MLWorkflowsError) -> str:
    what = "is throttling" if isinstance(failure, ThrottledError) else "failed at"
    return f"{service.name} {what} {request.operation}"
