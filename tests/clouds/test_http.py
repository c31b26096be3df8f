from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.clouds import http
from airflow_provider_mlworkflows.clouds.http import (
    MAX_CONNECTIONS,
    Connectivity,
    WireReply,
    WireRequest,
    close_clients,
    wait_for_pending,
)
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Refusal, Service, read_reply
from airflow_provider_mlworkflows.exceptions import ConfigurationError, TransportError, UnexpectedReplyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Request-Id: r-1\r\n\r\n{}"
PATIENT = 60.0
"""Seconds after which a test that hangs fails; never waited for otherwise."""


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        received += chunk
    head, _, content = received.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0
    )
    while len(content) < length:
        content += connection.recv(65536)
    return head + b"\r\n\r\n" + content


class Server:
    """Speaks HTTP on a port of its own, one thread per connection; ``answer`` decides what happens."""

    def __init__(self, answer: Callable[[socket.socket, bytes], bool]) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # already gone, which is what was wanted
        for thread in self._threads:
            thread.join(PATIENT)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while request := _read_request(connection):
                    self.requests.append(request)
                    if not self.answer(connection, request):
                        return
            except OSError:
                return


@contextmanager
def _server(answer: Callable[[socket.socket, bytes], bool]) -> Iterator[Server]:
    server = Server(answer)
    try:
        yield server
    finally:
        server.close()


def _ok(connection: socket.socket, _: bytes) -> bool:
    connection.sendall(OK)
    return True


def _reset(connection: socket.socket, _: bytes) -> bool:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _half(connection: socket.socket, _: bytes) -> bool:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    return False


@pytest.fixture(autouse=True)
def _fresh_blocking_clients() -> Iterator[None]:
    yield
    http._client(os.getpid(), True, None, False).close()
    http._client.cache_clear()


def _post(url: str, content: bytes = b'{"a":1}') -> WireRequest:
    return WireRequest(
        "POST", url + "/path?q=a%20b", {"X-Secret": "do-not-tell", "Content-Type": "application/json"}, content
    )


def _transmit(connectivity: Connectivity, request: WireRequest, *, blocking: bool) -> WireReply:
    if blocking:
        return connectivity.transmit(request)

    async def main() -> WireReply:
        try:
            return await connectivity.atransmit(request)
        finally:
            await close_clients()

    return asyncio.run(main())


BOTH = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])


@BOTH
class TestTransmission:
    def test_bytes_go_out_as_given_and_the_answer_comes_back(self, blocking: bool) -> None:
        with _server(_ok) as server:
            reply = _transmit(Connectivity(), _post(server.url), blocking=blocking)

        assert (reply.status, reply.content, reply.headers["x-request-id"]) == (200, b"{}", "r-1")
        head, _, content = server.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(b"POST /path?q=a%20b HTTP/1.1\r\n")
        assert b"x-secret: do-not-tell" in head.lower()
        assert content == b'{"a":1}'

    def test_a_refused_connection_surely_had_no_effect(self, blocking: bool) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        with pytest.raises(TransportError, match=r"the request to \S+ could not be sent") as caught:
            _transmit(Connectivity(), _post(url), blocking=blocking)
        assert caught.value.may_have_taken_effect is False

    @pytest.mark.parametrize("answer", [_reset, _half], ids=["reset", "half an answer"])
    def test_a_connection_lost_after_the_request_may_have_had_one(
        self, blocking: bool, answer: Callable[[socket.socket, bytes], bool]
    ) -> None:
        with (
            _server(answer) as server,
            pytest.raises(TransportError, match="was sent, but no complete answer") as caught,
        ):
            _transmit(Connectivity(), _post(server.url), blocking=blocking)
        assert caught.value.may_have_taken_effect is True
        assert len(server.requests) == 1

    def test_a_timeout_may_have_had_one(self, blocking: bool) -> None:
        hold = threading.Event()

        def never(_connection: socket.socket, _request: bytes) -> bool:
            hold.wait(PATIENT)
            return False

        with _server(never) as server:
            try:
                with pytest.raises(TransportError) as caught:
                    _transmit(Connectivity(timeout=0.05), _post(server.url), blocking=blocking)
            finally:
                hold.set()
        assert caught.value.may_have_taken_effect is True

    def test_an_answer_that_does_not_end_is_given_up(self, blocking: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        given_up = threading.Event()
        passing = iter(range(0, 1000, 40))
        monkeypatch.setattr(http, "monotonic", lambda: next(passing))

        def drip(connection: socket.socket, _: bytes) -> bool:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
            given_up.wait(PATIENT)
            return False

        with _server(drip) as server:
            try:
                with pytest.raises(TransportError, match="longer than the timeout") as caught:
                    _transmit(Connectivity(timeout=30), _post(server.url), blocking=blocking)
            finally:
                given_up.set()
        assert caught.value.may_have_taken_effect is True

    def test_redirects_are_not_followed(self, blocking: bool) -> None:
        def move(connection: socket.socket, _: bytes) -> bool:
            connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")
            return True

        with _server(move) as server:
            reply = _transmit(Connectivity(), _post(server.url), blocking=blocking)

        assert reply.status == 302
        assert len(server.requests) == 1

    def test_cookies_are_not_kept(self, blocking: bool) -> None:
        def bake(connection: socket.socket, _: bytes) -> bool:
            connection.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 2\r\n\r\n{}")
            return True

        async def twice(url: str) -> None:
            await Connectivity().atransmit(_post(url))
            await Connectivity().atransmit(_post(url))
            await close_clients()

        with _server(bake) as server:
            if blocking:
                Connectivity().transmit(_post(server.url))
                Connectivity().transmit(_post(server.url))
            else:
                asyncio.run(twice(server.url))

        assert b"cookie" not in server.requests[1].lower()

    @pytest.mark.parametrize("url", ["modelarts.example.com", "ftp://modelarts.example.com"])
    def test_an_address_that_is_none_surely_had_no_effect(self, blocking: bool, url: str) -> None:
        with pytest.raises(TransportError) as caught:
            _transmit(Connectivity(), _post(url), blocking=blocking)
        assert caught.value.may_have_taken_effect is False

    @pytest.mark.parametrize("token", ["top-secret\n", "top-secret\N{SNOWMAN}"])
    def test_a_header_that_cannot_be_sent_is_not_told(self, blocking: bool, token: str) -> None:
        with _server(_ok) as server:
            request = WireRequest("GET", server.url, {"X-Auth-Token": token})
            with pytest.raises(ConfigurationError, match="access key and token") as caught:
                _transmit(Connectivity(), request, blocking=blocking)

        assert "region" not in str(caught.value)
        error: BaseException | None = caught.value
        while error is not None:
            assert "top-secret" not in str(error)
            assert "top-secret" not in repr(error)
            error = error.__cause__
        assert server.requests == []


def test_nothing_secret_in_reprs_and_errors() -> None:
    connectivity = Connectivity(proxy="http://user:do-not-tell@proxy:3128")
    request = _post("http://127.0.0.1:1")

    assert "do-not-tell" not in repr(connectivity)
    assert "do-not-tell" not in repr(request)
    with pytest.raises(TransportError) as caught:
        Connectivity().transmit(_post("http://127.0.0.1:1"))
    assert "do-not-tell" not in str(caught.value)


async def test_a_cancelled_waiter_leaves_its_request_to_finish_and_the_pool_usable() -> None:
    go_on = threading.Event()
    arrived = threading.Semaphore(0)

    def slow(connection: socket.socket, request: bytes) -> bool:
        arrived.release()
        go_on.wait(PATIENT)
        return _ok(connection, request)

    with _server(slow) as server:
        try:
            waiters = [asyncio.create_task(Connectivity().atransmit(_post(server.url))) for _ in range(20)]
            for _ in range(MAX_CONNECTIONS):
                assert await asyncio.to_thread(arrived.acquire, timeout=PATIENT)
            for waiter in waiters:
                waiter.cancel()
            outcomes = await asyncio.gather(*waiters, return_exceptions=True)
        finally:
            go_on.set()
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)

        await wait_for_pending()
        assert len(server.requests) == 20

        replies = await asyncio.gather(*(Connectivity().atransmit(_post(server.url)) for _ in range(10)))
        assert [reply.status for reply in replies] == [200] * 10
        await close_clients()


async def test_answers_given_up_leave_the_pool_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    given_up = threading.Event()

    def drip(connection: socket.socket, request: bytes) -> bool:
        if b"fine" in request:
            return _ok(connection, request)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
        given_up.wait(PATIENT)
        return False

    with _server(drip) as server:
        passing = iter(range(0, 100_000, 40))
        try:
            with monkeypatch.context() as time:
                time.setattr(http, "monotonic", lambda: next(passing))
                outcomes = await asyncio.gather(
                    *(Connectivity(timeout=30).atransmit(_post(server.url)) for _ in range(MAX_CONNECTIONS * 2)),
                    return_exceptions=True,
                )
        finally:
            given_up.set()
        replies = await asyncio.gather(
            *(Connectivity().atransmit(_post(server.url, b"fine")) for _ in range(MAX_CONNECTIONS * 2))
        )
        await close_clients()

    assert {type(outcome) for outcome in outcomes} == {TransportError}
    assert {reply.status for reply in replies} == {200}


async def test_a_request_that_fails_after_its_waiter_left_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    go_on = threading.Event()
    arrived = threading.Event()

    def slow_reset(connection: socket.socket, request: bytes) -> bool:
        arrived.set()
        go_on.wait(PATIENT)
        return _reset(connection, request)

    with _server(slow_reset) as server:
        waiter = asyncio.create_task(Connectivity().atransmit(_post(server.url)))
        assert await asyncio.to_thread(arrived.wait, PATIENT)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        go_on.set()
        await close_clients()

    assert [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


async def test_more_requests_than_connections_wait_for_their_turn() -> None:
    running = 0
    most = 0
    lock = threading.Lock()

    def count(connection: socket.socket, request: bytes) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        alive = _ok(connection, request)
        with lock:
            running -= 1
        return alive

    with _server(count) as server:
        replies = await asyncio.gather(
            *(Connectivity().atransmit(_post(server.url)) for _ in range(MAX_CONNECTIONS * 3))
        )
        await close_clients()

    assert len(replies) == len(server.requests) == MAX_CONNECTIONS * 3
    assert most <= MAX_CONNECTIONS


def test_event_loops_do_not_share_connections() -> None:
    async def twice(url: str) -> None:
        await Connectivity().atransmit(_post(url))
        await Connectivity().atransmit(_post(url))
        await close_clients()

    with _server(_ok) as server:
        asyncio.run(twice(server.url))
        asyncio.run(twice(server.url))

    assert len(server.requests) == 4


def test_one_ssl_context_per_choice_of_certificates(tmp_path: Path) -> None:
    assert http._ssl_context(True) is http._ssl_context(True)
    assert http._ssl_context(False) is http._ssl_context(False)
    assert http._ssl_context(True) is not http._ssl_context(False)

    with pytest.raises(ConfigurationError, match="does not exist"):
        http._ssl_context(str(tmp_path / "missing.pem"))


@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy", "HTTP_PROXY"])
@pytest.mark.parametrize(
    "address", ["socks5://user:do-not-tell@127.0.0.1:1", "garbage://user:do-not-tell@x", "http://x:do-not-tell"]
)
@BOTH
def test_a_proxy_of_the_environment_that_cannot_be_used_is_named(
    blocking: bool, variable: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    http._client.cache_clear()
    with monkeypatch.context() as environment:
        environment.setenv(variable, address)
        with pytest.raises(ConfigurationError, match=variable) as caught:
            _transmit(Connectivity(), _post("http://127.0.0.1:1"), blocking=blocking)

    assert "do-not-tell" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@BOTH
def test_a_neighbour_is_reached_past_the_proxy_of_the_environment(
    blocking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    http._client.cache_clear()
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    with _server(_ok) as server, monkeypatch.context() as environment:
        for variable in ("HTTP_PROXY", "http_proxy"):
            environment.setenv(variable, "http://127.0.0.1:1")
        assert _transmit(Connectivity(direct=True), _post(server.url), blocking=blocking).status == 200
        with pytest.raises(TransportError):
            _transmit(Connectivity(), _post(server.url), blocking=blocking)
    http._client.cache_clear()


@BOTH
def test_certificates_of_the_environment_that_cannot_be_read_are_named(
    blocking: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    http._client.cache_clear()
    http._ssl_context.cache_clear()
    with monkeypatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
        with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
            _transmit(Connectivity(), _post("http://127.0.0.1:1"), blocking=blocking)


def test_a_ca_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secluded = tmp_path / "secluded.pem"
    secluded.touch()

    def refuse(**_: object) -> ssl.SSLContext:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ssl, "create_default_context", refuse)
    with pytest.raises(ConfigurationError, match=r"secluded\.pem.*'verify' cannot be read \(Permission denied\)"):
        http._ssl_context(str(secluded))


def test_connections_are_not_shared_with_a_forked_process(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[object] = []
    original = http._client

    def recording(process_id: int, verify: bool | str, proxy: str | None, direct: bool) -> object:
        client = original(process_id, verify, proxy, direct)
        used.append(client)
        return client

    monkeypatch.setattr(http, "_client", recording)
    with _server(_ok) as server:
        parent = os.getpid()
        Connectivity().transmit(_post(server.url))
        Connectivity().transmit(_post(server.url))
        monkeypatch.setattr(os, "getpid", lambda: parent + 1)
        Connectivity().transmit(_post(server.url))
        original(parent + 1, True, None, False).close()
        monkeypatch.undo()

    assert used[0] is used[1]
    assert used[0] is not used[2]


PROXY_PASSWORD = "pa@ss-do-not-tell"
PROXY_BASIC = base64.b64encode(f"user:{PROXY_PASSWORD}".encode())
"""What a proxy gets to see."""


def _echo(connection: socket.socket, request: bytes) -> bool:
    page = b"<html>Bad gateway. You sent %s with the password %s</html>" % (request, PROXY_PASSWORD.encode())
    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n" % len(page) + page)
    return True


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])
@pytest.mark.parametrize("by", ["connection", "environment"])
def test_a_page_that_quotes_what_its_proxy_was_sent_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, blocking: bool, by: str
) -> None:
    def refuse(reply: WireReply) -> Refusal:
        return Refusal(UnexpectedReplyError, text=reply.content.decode(), unreadable="it is a page")

    with _server(_echo) as server:
        proxy = server.url.replace("://", "://user:pa%40ss-do-not-tell@")
        if by == "environment":
            monkeypatch.setenv("http_proxy", proxy)
        wire = Connectivity(proxy=proxy if by == "connection" else None)
        reply = _transmit(wire, _post("http://service.invalid/"), blocking=blocking)
        assert PROXY_BASIC in reply.content
        for refusal in (refuse, lambda reply: None):
            with pytest.raises(UnexpectedReplyError) as caught:
                read_reply(
                    Service("S", "http://service.invalid", refusal),
                    Request("Do", "GET", "/", dict[str, Any]),
                    "/",
                    reply,
                    str,
                )
            assert "begins" in str(caught.value)
            assert PROXY_BASIC.decode() not in str(caught.value)
            assert PROXY_PASSWORD not in str(caught.value)
        assert PROXY_PASSWORD not in repr(reply)
        http._client.cache_clear()
