"""Logs of many watched runs: how many requests they cost at a time, and that they make no status wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    PermissionDeniedError,
    ThrottledError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.runs import NewLog, Run, RunRef, RunState
from airflow_provider_mlworkflows.triggers.hub import MAX_IN_FLIGHT, RunHub
from airflow_provider_mlworkflows.triggers.log_reads import LOG_PATIENCE, LOGS_IN_FLIGHT
from airflow_provider_mlworkflows.watching import REFUSED_PAUSES, SLOWEST_POLL
from tests.triggers.hub_support import INTERVAL, Sky, audience, passed, runs_of

if TYPE_CHECKING:
    from tests.scenarios.clock import ScriptedClock

CURSOR = {"step": 3}
LINES = (("train", "a line"),)
Answer = NewLog | Exception


class Library(Sky):
    """A sky whose runs have logs.

    Attributes:
        answer: what comes of asking for a log.
        asked: time and run of each log that was asked for.
        open: held back while it is not set.
        logs_in_flight: how many logs are under way, and the most that ever were.
    """

    def __init__(self, clock: ScriptedClock) -> None:
        super().__init__(clock)
        self.answer: Callable[[], Answer] = lambda: NewLog(LINES, {"step": 4})
        self.asked: list[tuple[float, RunRef]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.logs_in_flight = self.most_logs_in_flight = self.most_at_all = 0
        self.get_new_log = SimpleNamespace(aio=self._get_new_log)

    async def _get_new_log(self, run: Run, cursor: Mapping[str, int]) -> NewLog:
        self.asked.append((self.clock.time(), run.ref))
        self.logs_in_flight += 1
        self.most_logs_in_flight = max(self.most_logs_in_flight, self.logs_in_flight)
        self.most_at_all = max(self.most_at_all, self.logs_in_flight + self.in_flight)
        try:
            await asyncio.sleep(0)
            await self.open.wait()
        finally:
            self.logs_in_flight -= 1
        if isinstance(answer := self.answer(), Exception):
            raise answer
        return answer


@pytest.fixture
def library(clock: ScriptedClock) -> Library:
    return Library(clock)


def running(ref: RunRef) -> Run:
    return Run(ref, RunState.ACTIVE, "running")


def asking(hub: RunHub, count: int) -> list[asyncio.Task[NewLog]]:
    """So many readers of logs. Unless logs are held back, none of them waits for the time."""
    library, clock = cast("Library", hub.hook()), cast("ScriptedClock", hub._clock)
    clock.is_busy = lambda: bool(hub._logs._under_way) and library.open.is_set()
    return [asyncio.create_task(hub.new_log(running(ref), CURSOR)) for ref in runs_of("w", count)]


async def turns(count: int = 20) -> None:
    """Let everybody go on who does not wait for something."""
    for _ in range(count):
        await asyncio.sleep(0)


async def ask_once(hub: RunHub) -> NewLog:
    (new,) = await asyncio.gather(*asking(hub, 1))
    return new


async def test_few_are_read_at_a_time(library: Library) -> None:
    news = await asyncio.gather(*asking(library.hub(), 200))
    assert {new.lines for new in news} == {LINES}
    assert len(library.asked) == 200
    assert library.most_logs_in_flight == LOGS_IN_FLIGHT < MAX_IN_FLIGHT


async def test_statuses_are_read_while_logs_hang(library: Library, clock: ScriptedClock) -> None:
    hub = library.hub()
    library.open.clear()
    readers = asking(hub, 200)
    async with audience(hub) as listeners:
        listeners.watch(runs_of("v", 20))
        await passed(clock, 2 * INTERVAL)
        assert len(listeners.heard) == 20
    assert library.logs_in_flight == LOGS_IN_FLIGHT
    # Who is told of no lines can say what it knows of its run.
    assert [reader.done() for reader in readers] == [False] * LOGS_IN_FLIGHT + [True] * (200 - LOGS_IN_FLIGHT)
    library.open.set()
    await asyncio.gather(*readers)


async def test_all_requests_go_through_one_gate(library: Library, clock: ScriptedClock) -> None:
    hub = library.hub()
    async with audience(hub) as listeners:
        listeners.watch(runs_of("v", 50))
        for _ in range(20):
            readers = asking(hub, 20)
            await passed(clock, INTERVAL / 4)
            await asyncio.gather(*readers)
    assert library.most_at_all <= MAX_IN_FLIGHT


async def test_whoever_has_waited_long_for_a_turn_goes_without(library: Library, clock: ScriptedClock) -> None:
    library.open.clear()
    readers = asking(library.hub(), 20)
    await turns()
    clock.advance(LOG_PATIENCE + 1)
    library.open.set()
    news = await asyncio.gather(*readers)
    assert len(library.asked) == LOGS_IN_FLIGHT
    assert [new.lines for new in news] == [LINES] * LOGS_IN_FLIGHT + [()] * (20 - LOGS_IN_FLIGHT)
    assert {(new.missed, new.cursor["step"]) for new in news[LOGS_IN_FLIGHT:]} == {(None, 3)}


def raised(error: ThrottledError) -> Answer:
    return error


def missed(error: ThrottledError) -> Answer:
    return NewLog(LINES, {"step": 4}, error)


@pytest.mark.parametrize("answered", [raised, missed])
class TestThrottling:
    async def test_leaves_all_logs_alone_until_the_pause_is_over(
        self, library: Library, clock: ScriptedClock, answered: Callable[[ThrottledError], Answer]
    ) -> None:
        error = ThrottledError("too many", retry_after=90.0)
        library.answer = lambda: answered(error)
        hub = library.hub()
        news = await asyncio.gather(*asking(hub, 200))
        assert len(library.asked) <= LOGS_IN_FLIGHT
        assert {new.missed for new in news} == {error}
        assert [(new.lines, new.cursor) for new in news[LOGS_IN_FLIGHT:]] == [((), CURSOR)] * (200 - LOGS_IN_FLIGHT)
        clock.advance(89)
        assert (await ask_once(hub)).missed is error
        assert len(library.asked) <= LOGS_IN_FLIGHT
        library.answer = lambda: NewLog(LINES, {"step": 4})
        clock.advance(1)
        assert await ask_once(hub) == NewLog(LINES, {"step": 4})

    async def test_pauses_grow_and_begin_anew(
        self, library: Library, clock: ScriptedClock, answered: Callable[[ThrottledError], Answer]
    ) -> None:
        library.answer = lambda: answered(ThrottledError("too many", retry_after=1e6))
        hub = library.hub()
        await asyncio.gather(*asking(hub, 20))
        clock.advance(SLOWEST_POLL)
        library.answer = lambda: answered(ThrottledError("too many"))
        pauses = []
        for _ in range(2):
            await asyncio.gather(*asking(hub, 20))
            pauses.append(hub._logs._quiet_until - clock.time())
            clock.advance(SLOWEST_POLL)
            library.answer = lambda: NewLog(LINES, {"step": 4})
            await ask_once(hub)
            library.answer = lambda: answered(ThrottledError("too many"))
        assert pauses == pytest.approx([120, 60])

    async def test_does_not_slow_statuses(
        self, library: Library, clock: ScriptedClock, answered: Callable[[ThrottledError], Answer]
    ) -> None:
        library.answer = lambda: answered(ThrottledError("too many", retry_after=300.0))
        hub = library.hub()
        (ref,) = runs_of("w", 1)
        async with audience(hub) as listeners:
            listeners.watch([ref])
            await ask_once(hub)
            await passed(clock, 300)
        assert len(library.times(ref)) >= 9


class TestRefusedCredentials:
    async def test_are_not_tried_on_logs_until_they_are_good_again(
        self, library: Library, clock: ScriptedClock
    ) -> None:
        refusal = AuthenticationError("refused")
        hub = library.hub()
        hub._refusals.judge([refusal], clock.time(), clock.time())
        for _ in range(2):
            assert await ask_once(hub) == NewLog((), CURSOR, refusal)
            clock.advance(REFUSED_PAUSES[0] + 1)
        assert library.asked == []
        hub._refusals.judge([running(RunRef("w", "r"))], clock.time(), clock.time())
        assert (await ask_once(hub)).lines == LINES

    async def test_that_a_log_has_met_are_left_alone_and_still_good_for_statuses(
        self, library: Library, clock: ScriptedClock
    ) -> None:
        refusal = AuthenticationError("refused")
        library.answer = lambda: refusal
        hub = library.hub()
        news = await asyncio.gather(*asking(hub, 200))
        assert {new.missed for new in news} == {refusal}
        assert (await ask_once(hub)).missed is refusal
        assert len(library.asked) <= LOGS_IN_FLIGHT
        assert hub._refusals.current(clock.time()) is None
        clock.advance(REFUSED_PAUSES[0])
        library.answer = lambda: NewLog(LINES, {"step": 4})
        assert (await ask_once(hub)).lines == LINES

    async def test_are_not_meant_where_only_logs_are_forbidden(self, library: Library, clock: ScriptedClock) -> None:
        forbidden = PermissionDeniedError("no logs")
        library.answer = lambda: forbidden
        hub = library.hub()
        assert {new.missed for new in await asyncio.gather(*asking(hub, 5))} == {forbidden}
        assert len(library.asked) == 5
        assert hub._refusals.current(clock.time()) is None


async def test_defect_ends_no_waiting(library: Library) -> None:
    library.answer = lambda: RecursionError("too deep")
    new = await ask_once(library.hub())
    assert isinstance(new.missed, UnexpectedReplyError)
    assert (new.lines, new.cursor) == ((), CURSOR)


async def cancelled(readers: Sequence[asyncio.Task[NewLog]]) -> None:
    for reader in readers:
        reader.cancel()
    assert all(
        isinstance(outcome, asyncio.CancelledError)
        for outcome in await asyncio.gather(*readers, return_exceptions=True)
    )


async def test_cancelled_readers_leave_the_request_alone_and_make_no_further_ones(
    library: Library, clock: ScriptedClock
) -> None:
    library.open.clear()
    clock.held = True
    hub = library.hub()
    readers = asking(hub, 50)
    await turns()
    await cancelled(readers)
    assert library.logs_in_flight == LOGS_IN_FLIGHT
    library.open.set()
    assert (await ask_once(hub)).lines == LINES
    assert len(library.asked) == LOGS_IN_FLIGHT + 1
    await turns()
    assert not hub._logs._under_way
