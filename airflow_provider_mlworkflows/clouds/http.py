"""Bytes over HTTP, and nothing else: the only module that knows the HTTP library.

Clients and SSL contexts are shared, because building one costs milliseconds and half a megabyte. A request
once sent is never cancelled: the library would lose its connection slot for good, and for a write nobody
would know whether it took effect. Cancelling a waiter therefore only stops the waiting.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from functools import cache, lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import httpx

from airflow_provider_mlworkflows.exceptions import ConfigurationError, MLWorkflowsError, TransportError

log = logging.getLogger(__name__)

C = TypeVar("C", httpx.Client, httpx.AsyncClient)

_ClientKey = tuple[bool | str, str | None, bool]

MAX_CONNECTIONS = 16
KEEPALIVE_SECONDS = 60.0
CONNECT_TIMEOUT = 10.0

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_UNSENDABLE_HEADER = (httpx.LocalProtocolError, UnicodeError)
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.InvalidURL,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_NO_ANSWER = (httpx.HTTPError, httpx.InvalidURL, UnicodeError)


@dataclass(frozen=True, slots=True)
class WireRequest:
    """A request as it goes over the wire, already signed. Its headers hold credentials: keep it out of logs."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class WireReply:
    """An answer as it came; header names in lower case.

    ``hidden`` is what a proxy on the way was sent and no text may show; the answer may be a page of that proxy.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    hidden: tuple[str, ...] = field(repr=False, default=())

    def json(self) -> Any:
        """The content as JSON.

        :raises ValueError: if it is none, or too deeply nested to be meant.
        """
        try:
            return json.loads(self.content)
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


@dataclass(frozen=True, slots=True)
class Connectivity:
    """How to reach the outside.

    :param verify: True for the usual certificate authorities (``SSL_CERT_FILE`` is honoured), False for no check,
        or a CA file's path.
    :param proxy: proxy URL; None leaves the choice to the environment (``HTTPS_PROXY``, ``NO_PROXY``).
    :param timeout: seconds without any data from the service before an answer is given up, and seconds that an
        answer may take as a whole once it has begun.
    :param direct: past every proxy, also one that the environment names; for addresses of this machine's own network.
    """

    verify: bool | str = True
    proxy: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    direct: bool = False

    @property
    def _client_key(self) -> _ClientKey:
        return self.verify, self.proxy, self.direct

    @property
    def hidden(self) -> tuple[str, ...]:
        """What no text may show of the proxy: its password, and the header that holds it."""
        return proxy_secrets(self.proxy) if self.proxy else _secrets_of_environment()

    @property
    def _timeout(self) -> httpx.Timeout:
        return httpx.Timeout(self.timeout, connect=min(self.timeout, CONNECT_TIMEOUT))

    def transmit(self, request: WireRequest) -> WireReply:
        """Send a request and wait for the answer.

        :raises TransportError: if none came.
        :raises ConfigurationError: if a proxy, a CA file or a credential cannot be used.
        """
        client = _client(os.getpid(), *self._client_key)
        try:
            with closing(client.send(self._built(request, client), stream=True)) as reply:
                deadline = monotonic() + self.timeout
                chunks = []
                for chunk in reply.iter_bytes():
                    chunks.append(chunk)
                    _check_in_time(deadline)
        except _NO_ANSWER as error:
            raise _no_answer(request, error) from _cause(error)
        return _wire_reply(reply, b"".join(chunks), self.hidden)

    def _built(self, request: WireRequest, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        # What a client builds itself takes twice as long, and of its own headers only this is of use.
        return httpx.Request(
            request.method,
            _parsed(request.url),
            headers={"Accept-Encoding": client.headers["Accept-Encoding"], **request.headers},
            content=request.content,
            extensions={"timeout": self._timeout.as_dict()},
        )

    async def atransmit(self, request: WireRequest) -> WireReply:
        """The same in an event loop. Cancelling it leaves the request to finish on its own."""
        clients = _loop_clients.setdefault(asyncio.get_running_loop(), _LoopClients())
        sending = asyncio.create_task(clients.send(self, request))
        clients.pending.add(sending)
        sending.add_done_callback(clients.settle)
        return await asyncio.shield(sending)


async def wait_for_pending() -> None:
    """Wait until every request of this event loop has its answer, also those nobody waits for any more."""
    clients = _loop_clients.get(asyncio.get_running_loop())
    while clients is not None and clients.pending:
        await asyncio.wait(set(clients.pending))


async def close_clients() -> None:
    """Close this event loop's connections once all pending requests have their answer."""
    await wait_for_pending()
    clients = _loop_clients.pop(asyncio.get_running_loop(), None)
    if clients is not None:
        for client, _ in clients.by_key.values():
            await client.aclose()


class _LoopClients:
    """The clients of one event loop, each with the gate that keeps callers off a full connection pool."""

    def __init__(self) -> None:
        self.by_key: dict[_ClientKey, tuple[httpx.AsyncClient, asyncio.Semaphore]] = {}
        self.pending: set[asyncio.Task[WireReply]] = set()

    async def send(self, connectivity: Connectivity, request: WireRequest) -> WireReply:
        key = connectivity._client_key
        if key not in self.by_key:
            self.by_key[key] = _made(httpx.AsyncClient, *key), asyncio.Semaphore(MAX_CONNECTIONS)
        client, gate = self.by_key[key]
        async with gate:
            try:
                async with aclosing(await client.send(connectivity._built(request, client), stream=True)) as reply:
                    deadline = monotonic() + connectivity.timeout
                    chunks = []
                    async for chunk in reply.aiter_bytes():
                        chunks.append(chunk)
                        _check_in_time(deadline)
            except _NO_ANSWER as error:
                raise _no_answer(request, error) from _cause(error)
        return _wire_reply(reply, b"".join(chunks), connectivity.hidden)

    def settle(self, task: asyncio.Task[WireReply]) -> None:
        self.pending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("a request ended without an answer: %s", error)


_loop_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClients] = WeakKeyDictionary()


@lru_cache(maxsize=1024)
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


@cache
def _ssl_context(verify: bool | str) -> ssl.SSLContext:
    if isinstance(verify, str):
        if not os.path.isfile(verify):
            raise ConfigurationError(f"The CA file {verify!r} named by the connection's 'verify' does not exist.")
        try:
            return ssl.create_default_context(cafile=verify)
        except ssl.SSLError as error:
            raise ConfigurationError(f"The file {verify!r} named by 'verify' holds no certificate (PEM).") from error
        except OSError as error:
            raise ConfigurationError(
                f"The CA file {verify!r} named by the connection's 'verify' cannot be read ({error.strerror})."
            ) from error
    try:
        return httpx.create_ssl_context(verify=verify)
    except OSError as error:
        raise ConfigurationError(
            f"The CA certificates named by {_named_in_environment(CA_VARIABLES)} cannot be read: {error}."
        ) from error


@cache
def _client(process_id: int, verify: bool | str, proxy: str | None, direct: bool) -> httpx.Client:
    # Keyed by process: a connection inherited through fork() would be shared with the parent.
    return _made(httpx.Client, verify, proxy, direct)


def _made(kind: type[C], verify: bool | str, proxy: str | None, direct: bool) -> C:
    context = _ssl_context(verify)
    try:
        return kind(verify=context, proxy=proxy, limits=_limits(), cookies=_no_cookies(), trust_env=not direct)
    except (ImportError, ValueError, httpx.InvalidURL):
        # What these say may quote the proxy's password.
        where = _named_in_environment(PROXY_VARIABLES) if proxy is None else "the connection's 'proxy'"
        raise ConfigurationError(
            f"A proxy named by {where} cannot be used. It should look like http://proxy.example.com:3128; for "
            "socks5:// the Python package socksio has to be installed."
        ) from None


def _named_in_environment(variables: Iterable[str]) -> str:
    names = [name for each in variables for name in (each, each.lower()) if os.environ.get(name)]
    return f"the environment ({', '.join(names)})"


def _check_in_time(deadline: float) -> None:
    if monotonic() > deadline:
        raise httpx.ReadTimeout("the answer goes on for longer than the timeout")


def _limits() -> httpx.Limits:
    return httpx.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEPALIVE_SECONDS)


def _no_cookies() -> CookieJar:
    # Accounts share clients, so what a service tells one must not be sent for another.
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def _wire_reply(reply: httpx.Response, content: bytes, hidden: tuple[str, ...]) -> WireReply:
    return WireReply(reply.status_code, {k.lower(): v for k, v in reply.headers.items()}, content, hidden)


@cache
def proxy_secrets(proxy: str) -> tuple[str, ...]:
    """The password in a proxy's address, and what is made of it to be sent; nothing if there is none."""
    try:
        parts = urlsplit(proxy)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        return ()
    return (password, b64encode(f"{user}:{password}".encode()).decode()) if password else ()


def _secrets_of_environment() -> tuple[str, ...]:
    addresses = (os.environ.get(name, "") for each in PROXY_VARIABLES[:-1] for name in (each, each.lower()))
    return tuple({secret for address in addresses for secret in proxy_secrets(address)})


def _no_answer(request: WireRequest, error: Exception) -> MLWorkflowsError:
    host = urlsplit(request.url).netloc
    if isinstance(error, _UNSENDABLE_HEADER):
        return ConfigurationError(
            f"The request to {host} could not be sent: a header holds a character that no header may hold. Look for "
            "line breaks and letters beyond ASCII in the connection's access key and token."
        )
    sent = not isinstance(error, _NEVER_SENT)
    story = "was sent, but no complete answer came back" if sent else "could not be sent"
    reason = f"{type(error).__name__}: {error}".rstrip(": ")
    return TransportError(f"the request to {host} {story} ({reason})", may_have_taken_effect=sent)


def _cause(error: Exception) -> Exception | None:
    """The error as the cause of another, None if it quotes a header and so may tell a secret."""
    return None if isinstance(error, _UNSENDABLE_HEADER) else error
