"""Credentials that are issued for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.clock import Bell, InterruptibleClock
from airflow_provider_mlworkflows.clouds.client import Client, Exchange, FileText, Through
from airflow_provider_mlworkflows.clouds.flow import adrive, drive
from airflow_provider_mlworkflows.clouds.http import Connectivity, WireReply, WireRequest
from airflow_provider_mlworkflows.clouds.issued import Fixed, Issued, Renewable, renewable, reported, used
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    TransportError,
)
from tests.clouds.support import FakeClock, json_reply

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock

HOUR = 3600.0
UNREACHABLE = TransportError("the issuer is away", may_have_taken_effect=False)


class _Office:
    """Issues numbers as credentials; an error in its queue stands for none."""

    def __init__(self, clock: FakeClock, *, lifetime: float = HOUR) -> None:
        self.clock = clock
        self.lifetime = lifetime
        self.asked = 0
        self.errors: list[MLWorkflowsError] = []
        self.renewable = Renewable(self.issue, clock)

    def answer(self) -> WireReply:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return json_reply(self.asked)

    def issue(self) -> Exchange[Issued[int]]:
        reply = yield Through(WireRequest("POST", "https://issuer.example.com", {}), _Way(office=self))
        now = self.clock.time()
        return Issued(reply.json(), now, now + self.lifetime)


@dataclass(frozen=True)
class _Way(Connectivity):
    office: Any = None

    def transmit(self, request: WireRequest) -> WireReply:
        return self.office.answer()  # type: ignore[no-any-return]

    async def atransmit(self, request: WireRequest) -> WireReply:
        await asyncio.sleep(0)
        return self.transmit(request)


def _runner(clock: FakeClock, *, blocking: bool) -> Callable[[Exchange[Any]], Any]:
    client = _client(clock)

    async def driven(flow: Exchange[Any]) -> Any:
        return await adrive(flow, client._aperform)

    return lambda flow: drive(flow, client._perform) if blocking else asyncio.run(driven(flow))


def _client(clock: Clock) -> Client:
    return Client(Service("Any", "https://any.example.com", lambda reply: None), _Nobody(), clock=clock)


class _Nobody:
    def identity(self) -> Exchange[Any]:
        raise NotImplementedError

    def renewed(self, refused: Any) -> Exchange[Any]:
        raise NotImplementedError


@pytest.fixture(params=[True, False], ids=["blocking", "async"])
def run(request: pytest.FixtureRequest, clock: FakeClock) -> Callable[[Exchange[Any]], Any]:
    return _runner(clock, blocking=request.param)


Run = Callable[[Exchange[Any]], Any]


def test_fixed_ones_stay_as_they_are(run: Run) -> None:
    assert run(Fixed("key").current()) == "key"
    assert run(Fixed("key").another("key")) is None


class TestRenewal:
    def test_asked_for_once_and_again_before_they_end(self, clock: FakeClock, run: Run) -> None:
        office = _Office(clock)
        assert [run(office.renewable.current()) for _ in range(3)] == [1, 1, 1]
        clock.now += HOUR - 901
        assert run(office.renewable.current()) == 1
        clock.now += 2
        assert run(office.renewable.current()) == 2
        assert office.asked == 2

    def test_short_ones_are_used_for_three_quarters_of_their_life(self, clock: FakeClock, run: Run) -> None:
        office = _Office(clock, lifetime=400)
        assert run(office.renewable.current()) == 1
        clock.now += 299
        assert run(office.renewable.current()) == 1
        clock.now += 2
        assert run(office.renewable.current()) == 2

    @pytest.mark.parametrize("lifetime", [-HOUR, 0.0, 10.0])
    def test_by_a_wrong_clock_they_are_used_for_a_minute(self, clock: FakeClock, run: Run, lifetime: float) -> None:
        office = _Office(clock, lifetime=lifetime)
        assert [run(office.renewable.current()) for _ in range(3)] == [1, 1, 1]
        clock.now += 61
        assert run(office.renewable.current()) == 2

    def test_given_up_for_want_of_time_they_are_asked_for_at_once_by_whoever_comes_next(self, clock: FakeClock) -> None:
        office, bell = _Office(clock), Bell()
        bell.ring()
        hurried, patient = _client(InterruptibleClock(clock, bell)), _client(clock)
        office.errors = [UNREACHABLE]
        with pytest.raises(TransportError):
            drive(office.renewable.current(), hurried._perform)
        assert drive(office.renewable.current(), patient._perform) == office.asked == 2

    def test_refused_they_are_not_asked_for_at_once_even_so(self, clock: FakeClock) -> None:
        office, bell = _Office(clock), Bell()
        bell.ring()
        hurried, patient = _client(InterruptibleClock(clock, bell)), _client(clock)
        office.errors = [AuthenticationError("refused")]
        for client in (hurried, patient):
            with pytest.raises(AuthenticationError):
                drive(office.renewable.current(), client._perform)
        assert office.asked == 1

    def test_a_failure_leaves_those_that_are_still_good(
        self, clock: FakeClock, run: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        office = _Office(clock)
        run(office.renewable.current())
        clock.now += HOUR - 800
        office.errors = [UNREACHABLE, UNREACHABLE]
        assert [run(office.renewable.current()) for _ in range(3)] == [1, 1, 1]
        assert office.asked == 2, "asked again within a minute"
        assert "used for 800 s more" in caplog.text
        clock.now += 61
        assert run(office.renewable.current()) == 1
        assert office.asked == 3
        clock.now += 61
        assert run(office.renewable.current()) == 4

    def test_whoever_is_refused_does_not_ask_again_while_they_are_good(self, clock: FakeClock, run: Run) -> None:
        office = _Office(clock)
        run(office.renewable.current())
        clock.now += HOUR - 800
        office.errors = [AuthenticationError("no", operation="Issue")]
        for _ in range(8):
            assert run(office.renewable.current()) == 1
            clock.now += 99
        assert office.asked == 2
        clock.now += 9
        assert run(office.renewable.current()) == 3

    def test_who_is_refused_again_and_again_waits_longer(self, clock: FakeClock, run: Run) -> None:
        office = _Office(clock)
        office.errors = [AuthenticationError("no", operation="Issue") for _ in range(5)]
        for asked, remembered in enumerate((60, 240, 600, 600, 600), 1):
            for _ in range(3):
                with pytest.raises(AuthenticationError):
                    run(office.renewable.current())
                clock.now += remembered / 4
            assert office.asked == asked
            clock.now += remembered / 4
        assert run(office.renewable.current()) == 6
        office.errors = [AuthenticationError("no", operation="Issue")]
        clock.now += HOUR
        with pytest.raises(AuthenticationError):
            run(office.renewable.current())
        clock.now += 61
        assert run(office.renewable.current()) == 8

    def test_when_they_have_ended_the_failure_is_told(self, clock: FakeClock, run: Run) -> None:
        office = _Office(clock)
        run(office.renewable.current())
        clock.now += HOUR - 10
        office.errors = [UNREACHABLE, UNREACHABLE]
        assert run(office.renewable.current()) == 1
        clock.now += 11
        with pytest.raises(TransportError):
            run(office.renewable.current())
        clock.now += 11
        assert run(office.renewable.current()) == 4


class TestRefused:
    def test_others_take_their_place(self, clock: FakeClock, run: Run) -> None:
        office = _Office(clock)
        run(office.renewable.current())
        clock.now += 61
        assert run(office.renewable.another(1)) == 2
        assert run(office.renewable.current()) == 2

    def test_those_just_issued_are_not_asked_for_again(self, clock: FakeClock, run: Run) -> None:
        office = _Office(clock)
        run(office.renewable.current())
        clock.now += 59
        assert run(office.renewable.another(1)) is None
        assert office.asked == 1

    def test_those_that_somebody_has_renewed_are_taken(self, clock: FakeClock, run: Run) -> None:
        office = _Office(clock)
        run(office.renewable.current())
        clock.now += 61
        run(office.renewable.another(1))
        assert run(office.renewable.another(1)) == 2
        assert office.asked == 2

    def test_those_that_are_issued_again_as_they_were_are_no_others(self, clock: FakeClock, run: Run) -> None:
        source = renewable(_Issuer("the same"), clock)
        assert run(source.current()) == "the same"
        clock.now += 61
        assert run(source.another("the same")) is None


class TestUse:
    def _use(self, refused: set[int], tried: list[int]) -> Callable[[int], Exchange[str]]:
        def use(number: int) -> Exchange[str]:
            yield from ()
            tried.append(number)
            if number in refused:
                raise AuthenticationError("no", operation="Use")
            return f"used {number}"

        return use

    def test_of_good_ones(self, clock: FakeClock, run: Run) -> None:
        office, tried = _Office(clock), list[int]()
        assert run(used(office.renewable, self._use(set(), tried))) == "used 1"
        assert tried == [1]

    def test_of_refused_ones_is_made_up_for_once(self, clock: FakeClock, run: Run) -> None:
        office, tried = _Office(clock), list[int]()
        run(office.renewable.current())
        clock.now += 61
        assert run(used(office.renewable, self._use({1}, tried))) == "used 2"
        clock.now += 61
        with pytest.raises(AuthenticationError):
            run(used(office.renewable, self._use({2, 3}, tried)))
        assert tried == [1, 2, 2, 3]

    def test_of_fixed_ones_is_not_tried_again(self, run: Run) -> None:
        tried: list[int] = []
        with pytest.raises(AuthenticationError):
            run(used(Fixed(1), self._use({1}, tried)))
        assert tried == [1]


class TestCrowd:
    async def _all(self, clock: FakeClock, office: _Office, count: int = 1000) -> list[Any]:
        client = _client(clock)
        flows = [office.renewable.current() for _ in range(count)]
        return await asyncio.gather(*(adrive(flow, client._aperform) for flow in flows), return_exceptions=True)

    async def test_a_thousand_waiters_cause_one_request(self, clock: FakeClock) -> None:
        office = _Office(clock)
        assert await self._all(clock, office) == [1] * 1000
        clock.now += HOUR
        assert await self._all(clock, office) == [2] * 1000
        assert office.asked == 2

    async def test_and_share_its_failure(self, clock: FakeClock) -> None:
        office = _Office(clock)
        office.errors = [UNREACHABLE]
        found = await self._all(clock, office)
        assert {type(each) for each in found} == {TransportError}
        assert office.asked == 1
        clock.now += 6
        assert await self._all(clock, office) == [2] * 1000

    async def test_and_what_is_still_good_after_one(self, clock: FakeClock) -> None:
        office = _Office(clock)
        await self._all(clock, office)
        clock.now += HOUR - 800
        office.errors = [UNREACHABLE]
        assert await self._all(clock, office) == [1] * 1000
        assert office.asked == 2

    async def test_whoever_comes_while_they_are_renewed_uses_what_is_still_good(self, clock: FakeClock) -> None:
        office = _Office(clock)
        await self._all(clock, office)
        clock.now += HOUR - 800
        assert await self._all(clock, office) == [2] + [1] * 999
        assert office.asked == 2

    async def test_those_who_are_refused_meanwhile_wait_for_the_new_ones(self, clock: FakeClock) -> None:
        office = _Office(clock)
        await self._all(clock, office)
        clock.now += HOUR - 800
        client = _client(clock)

        def use(credentials: int) -> Exchange[int]:
            yield from ()
            if credentials == 1:
                raise AuthenticationError("it has been withdrawn")
            return credentials

        flows = [used(office.renewable, use) for _ in range(4)]
        assert await asyncio.gather(*(adrive(flow, client._aperform) for flow in flows)) == [2] * 4
        assert office.asked == 2

    def test_nor_does_a_thread_wait(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        office, run = _Office(clock), _runner(clock, blocking=True)
        run(office.renewable.current())
        clock.now += HOUR - 800
        meanwhile, answer = [], office.answer

        def visited() -> WireReply:
            meanwhile.append(run(office.renewable.current()))
            return answer()

        monkeypatch.setattr(office, "answer", visited)
        assert run(office.renewable.current()) == 2
        assert meanwhile == [1]


class _Overtaken:
    """A lock; before the first who comes for it has it, somebody else comes and goes."""

    def __init__(self, overtaker: Callable[[], object]) -> None:
        self._overtakers = [overtaker]

    def __enter__(self) -> None:
        for overtake in (self._overtakers.pop() for _ in self._overtakers[:1]):
            overtake()

    def __exit__(self, *_: object) -> None:
        """Nothing was taken."""


def test_those_that_somebody_renews_just_before_are_kept(clock: FakeClock, run: Run) -> None:
    office = _Office(clock)
    source, another = office.renewable, _runner(clock, blocking=True)
    run(source.current())
    clock.now += HOUR
    source._swap = _Overtaken(lambda: another(source.current()))  # type: ignore[assignment]
    assert run(source.current()) == 2
    assert office.asked == 2


@dataclass(frozen=True)
class _Issuer:
    name: str

    def issue(self, clock: Clock) -> Exchange[Issued[str]]:
        yield from ()
        return Issued(self.name, clock.time())


def test_equal_issuers_share_what_they_issue(clock: FakeClock, run: Run) -> None:
    assert renewable(_Issuer("a"), clock) is renewable(_Issuer("a"), clock)
    assert renewable(_Issuer("a"), clock) is not renewable(_Issuer("b"), clock)
    assert renewable(_Issuer("a"), clock) is not renewable(_Issuer("a"), FakeClock())
    assert run(renewable(_Issuer("a"), clock).current()) == "a"


def test_a_forked_process_has_its_own(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    inherited = renewable(_Issuer("a"), clock)
    monkeypatch.setattr("os.getpid", lambda: -1)
    assert renewable(_Issuer("a"), clock) is not inherited


class TestFile:
    def _read(self, path: str) -> Exchange[Any]:
        return (yield FileText(path, "token file"))

    def test_is_read_anew_each_time(self, tmp_path: Any, run: Run) -> None:
        file = tmp_path / "token"
        for text in ("one\n", " two"):
            file.write_text(text)
            assert run(self._read(str(file))) == text.strip()

    @pytest.mark.parametrize(
        ("content", "reason"), [(None, "No such file"), (b"", "is empty"), (b"\xff\xfe", "it is no text")]
    )
    def test_what_is_wrong_is_said(self, tmp_path: Any, run: Run, content: bytes | None, reason: str) -> None:
        file = tmp_path / "token"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConfigurationError, match=f"The token file .*{reason}"):
            run(self._read(str(file)))


class TestFailuresOfIssuers:
    @pytest.mark.parametrize(
        ("error", "kind", "text"),
        [
            (NotFoundError("no such role", operation="Issue"), ConfigurationError, "There are no credentials. no such"),
            (BadRequestError("bad", operation="Issue"), ConfigurationError, "There are no credentials. bad"),
            (PermissionDeniedError("may not", operation="Issue"), AuthenticationError, "may not"),
            (AuthenticationError("no", operation="Issue"), AuthenticationError, "no"),
            (ServerError("down", operation="Issue"), TransportError, "There are no credentials. down"),
            (TransportError("lost", may_have_taken_effect=True), TransportError, "There are no credentials. lost"),
        ],
    )
    def test_are_not_those_of_the_call_that_needs_credentials(
        self, clock: FakeClock, run: Run, error: MLWorkflowsError, kind: type[MLWorkflowsError], text: str
    ) -> None:
        office = _Office(clock)
        office.errors = [error]
        with pytest.raises(MLWorkflowsError) as caught:
            run(office.renewable.current())
        assert type(caught.value) is kind
        assert str(caught.value).startswith(text)
        assert not getattr(caught.value, "may_have_taken_effect", False)

    def test_are_told_once_however_many_pass_them_on(self, run: Run) -> None:
        def failing() -> Exchange[Any]:
            yield from ()
            raise NotFoundError("no such role", operation="Issue")

        with pytest.raises(ConfigurationError, match=r"^There are no credentials\. no such role$"):
            run(reported(reported(failing())))
