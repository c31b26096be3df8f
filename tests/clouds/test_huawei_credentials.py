from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.client import Client, Exchange
from airflow_provider_mlworkflows.clouds.flow import drive
from airflow_provider_mlworkflows.clouds.http import WireReply, WireRequest
from airflow_provider_mlworkflows.clouds.huawei.credentials import (
    AccessKey,
    HuaweiAccount,
    HuaweiIdentity,
    IamToken,
)
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.clouds.issued import Fixed, Issued, Renewable
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import AuthenticationError, ConfigurationError, TransportError
from tests.clouds.support import NOON, FakeClock, ScriptedNetwork, json_reply, network

KEY = AccessKey("AKEXAMPLE0001", "sk-do-not-tell", "st-do-not-tell")
PROJECT = "0123456789abcdef0123456789abcdef"
ASK: Request[dict[str, Any]] = Request("Ask", "GET", "/v2/{project_id}/ask", dict[str, Any], safe_to_repeat=True)


def _account(clock: FakeClock, project_id: str | None = None) -> HuaweiAccount:
    return HuaweiAccount(
        Fixed(KEY),
        region="cn-north-4",
        project_id=project_id,
        iam_endpoint="https://iam.example.com",
        clock=clock,
    )


def _client(account: HuaweiAccount, connectivity: ScriptedNetwork, clock: FakeClock) -> Client:
    service = Service("ModelArts", "https://modelarts.example.com", read_refusal)
    return Client(service, account, connectivity=connectivity, clock=clock)


def _projects(*ids: str) -> WireReply:
    return json_reply({"projects": [{"id": each, "name": "cn-north-4"} for each in ids], "links": {}})


def test_a_given_project_is_not_looked_up(clock: FakeClock) -> None:
    wire = network(json_reply({}))

    _client(_account(clock, PROJECT), wire, clock).send(ASK)

    assert [request.url for request in wire.sent] == [f"https://modelarts.example.com/v2/{PROJECT}/ask"]
    assert wire.sent[0].headers["X-Project-Id"] == PROJECT


def test_the_project_is_looked_up_once_by_the_region(clock: FakeClock) -> None:
    wire = network(_projects(PROJECT), json_reply({}), json_reply({}))
    client = _client(_account(clock), wire, clock)

    client.send(ASK)
    client.send(ASK)

    lookup, first, second = wire.sent
    assert lookup.url == "https://iam.example.com/v3/projects?name=cn-north-4"
    assert "X-Project-Id" not in lookup.headers
    assert "Content-Type" not in lookup.headers
    assert lookup.headers["X-Security-Token"] == "st-do-not-tell"
    assert first.url == second.url == f"https://modelarts.example.com/v2/{PROJECT}/ask"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (_projects(), "lists no project"),
        (_projects("a", "b"), "2 projects match"),
        (
            json_reply({"error": {"code": 403, "message": "no", "title": "Forbidden"}}, status=403),
            "was refused",
        ),
    ],
)
def test_a_project_that_cannot_be_found_out_is_a_matter_of_configuration(
    clock: FakeClock, reply: WireReply, reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        _client(_account(clock), network(reply), clock).send(ASK)
    assert "project_id" in str(caught.value)
    assert "do-not-tell" not in str(caught.value)


def test_a_failed_lookup_is_not_remembered_for_long(clock: FakeClock) -> None:
    wire = network(_projects(), _projects(PROJECT), json_reply({"a": 1}))
    client = _client(_account(clock), wire, clock)

    with pytest.raises(ConfigurationError):
        client.send(ASK)
    clock.now += 6
    assert client.send(ASK) == {"a": 1}


def test_a_lookup_that_nobody_answers_is_not_made_by_each_who_waits_for_it(clock: FakeClock) -> None:
    away = TransportError("IAM is away", may_have_taken_effect=True)
    wire = network(*[away] * 4, _projects(PROJECT), *[json_reply({"a": 1})] * 20)
    client = _client(_account(clock), wire, clock)

    async def together() -> list[dict[str, Any] | BaseException]:
        return await asyncio.gather(*(client.asend(ASK) for _ in range(20)), return_exceptions=True)

    assert {type(error) for error in asyncio.run(together())} == {TransportError}
    assert len(wire.sent) == 4, "the attempts of one"
    clock.now += 6
    assert asyncio.run(together()) == [{"a": 1}] * 20


REFUSED_KEY = json_reply({"error_code": "APIGW.0301", "error_msg": "verify aksk signature fail"}, status=401)
DENIED = json_reply({"error": {"code": 403, "message": "no", "title": "Forbidden"}}, status=403)


@pytest.mark.parametrize(("reply", "kind"), [(REFUSED_KEY, AuthenticationError), (DENIED, ConfigurationError)])
@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])
def test_a_refused_lookup_is_shared_by_all_who_ask_within_a_minute(
    clock: FakeClock, reply: WireReply, kind: type[Exception], blocking: bool
) -> None:
    wire = network(reply, _projects(PROJECT), json_reply({"a": 1}))
    client = _client(_account(clock), wire, clock)

    async def together() -> list[dict[str, Any] | BaseException]:
        return await asyncio.gather(*(client.asend(ASK) for _ in range(20)), return_exceptions=True)

    if blocking:
        for _ in range(20):
            with pytest.raises(kind):
                client.send(ASK)
    else:
        errors = asyncio.run(together())
        assert [type(error) for error in errors] == [kind] * 20
        assert len(set(map(str, errors))) == 1
    assert len(wire.sent) == 1
    clock.now += 61
    assert client.send(ASK) == {"a": 1}


def test_a_key_that_is_renewed_for_the_lookup_makes_the_call_too(clock: FakeClock) -> None:
    keys = iter((KEY, AccessKey("AKEXAMPLE0002", "sk-2", "st-2")))

    def issue() -> Exchange[Issued[AccessKey]]:
        yield from ()
        return Issued(next(keys), clock.now, clock.now + 3600)

    source = Renewable(issue, clock)
    account = HuaweiAccount(source, region="r-1", project_id=None, iam_endpoint="https://iam.example.com", clock=clock)
    wire = network(REFUSED_KEY, _projects(PROJECT), json_reply({}))
    client = _client(account, wire, clock)
    drive(source.current(), client._perform)
    clock.now += 61
    client.send(ASK)
    assert [sent.headers["X-Security-Token"] for sent in wire.sent] == ["st-do-not-tell", "st-2", "st-2"]


def test_refused_keys_are_not_tried_again(clock: FakeClock) -> None:
    refused = json_reply({"error_code": "APIGW.0301", "error_msg": "verify aksk signature fail"}, status=401)
    wire = network(refused)

    with pytest.raises(AuthenticationError):
        _client(_account(clock, PROJECT), wire, clock).send(ASK)
    assert len(wire.sent) == 1
    assert clock.slept == []


@dataclass(frozen=True)
class _Crowd(ScriptedNetwork):
    """Answers any request; the lookup only once all callers have asked for it or wait for its outcome."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    gate: threading.Event = field(default_factory=threading.Event)

    def _answer(self, request: WireRequest) -> WireReply:
        with self.lock:
            self.sent.append(request)
        return _projects(PROJECT) if "/v3/projects" in request.url else json_reply({})

    def transmit(self, request: WireRequest) -> WireReply:
        if "/v3/projects" in request.url:
            self.arrived.release()
            assert self.gate.wait(60)
        return self._answer(request)

    async def atransmit(self, request: WireRequest) -> WireReply:
        for _ in range(100):
            await asyncio.sleep(0)
        return self._answer(request)


class _CountingLock:
    """A lock that tells who comes for it."""

    def __init__(self, arrived: threading.Semaphore) -> None:
        self._arrived = arrived
        self._lock = threading.Lock()

    def acquire(self, *, blocking: bool) -> bool:
        self._arrived.release()
        return self._lock.acquire(blocking)

    def release(self) -> None:
        self._lock.release()


def _lookups(wire: ScriptedNetwork) -> int:
    return sum("/v3/projects" in request.url for request in wire.sent)


def test_one_lookup_for_many_threads(clock: FakeClock) -> None:
    wire = _Crowd()
    account = _account(clock)
    account._project.lock = _CountingLock(wire.arrived)  # type: ignore[assignment]
    client = _client(account, wire, clock)

    with ThreadPoolExecutor(50) as pool:
        answers = [pool.submit(client.send, ASK) for _ in range(50)]
        try:
            for _ in range(50):
                assert wire.arrived.acquire(timeout=60)
        finally:
            wire.gate.set()
        assert [answer.result(60) for answer in answers] == [{}] * 50

    assert _lookups(wire) == 1
    assert len(wire.sent) == 51


async def test_one_lookup_for_many_coroutines(clock: FakeClock) -> None:
    wire = _Crowd()
    client = _client(_account(clock), wire, clock)

    assert await asyncio.gather(*(client.asend(ASK) for _ in range(50))) == [{}] * 50

    assert _lookups(wire) == 1
    assert len(wire.sent) == 51


def test_headers_that_proxies_rewrite_stay_unsigned() -> None:
    request = WireRequest(
        "POST",
        "https://h.example/p",
        {"Accept": "application/json", "User-Agent": "me", "Content-Type": "application/json"},
        b"{}",
    )

    signed = HuaweiIdentity(KEY, PROJECT).sign(request, NOON)

    names = signed.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    assert names == "content-type;host;x-project-id;x-sdk-date;x-security-token"
    assert signed.headers["Accept"] == "application/json"
    assert signed.headers["User-Agent"] == "me"
    assert (signed.method, signed.url, signed.content) == (request.method, request.url, request.content)


def test_a_token_speaks_for_itself() -> None:
    request = WireRequest("GET", "https://h.example/p", {"Accept": "application/json"})

    signed = HuaweiIdentity(IamToken("tok-do-not-tell"), PROJECT).sign(request, NOON)

    assert signed.headers == {"Accept": "application/json", "X-Auth-Token": "tok-do-not-tell"}


def test_nothing_secret_in_reprs_and_redacted_texts() -> None:
    identity = HuaweiIdentity(KEY, PROJECT)

    for value in (KEY, IamToken("tok-do-not-tell"), identity):
        assert "do-not-tell" not in repr(value)
    text = identity.redact("sk-do-not-tell st-do-not-tell AKEXAMPLE0001 Signature=abcdef0123456789")
    assert text == "*** *** *** Signature=***"
