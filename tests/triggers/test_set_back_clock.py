"""A machine whose clock is set back while runs are watched: nobody waits for the old time to come again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from airflow_provider_mlworkflows.clock import Clock
from airflow_provider_mlworkflows.exceptions import AuthenticationError, ThrottledError
from airflow_provider_mlworkflows.runs import NewLog, Run, RunRef, RunState
from airflow_provider_mlworkflows.triggers.defects import Defects
from airflow_provider_mlworkflows.triggers.hub import CONNECTION_LIFETIME, IDLE_LIFETIME, RunHub
from airflow_provider_mlworkflows.triggers.log_reads import LogReads
from airflow_provider_mlworkflows.triggers.refusals import Refusals
from airflow_provider_mlworkflows.watching import REFUSED_PAUSES, SLOWEST_POLL
from tests.triggers.hub_support import INTERVAL, Sky, audience, gaps, passed, runs_of

if TYPE_CHECKING:
    from tests.scenarios.clock import ScriptedClock

HOUR = 3600.0
RUN = Run(RunRef("w", "r"), RunState.ACTIVE, "running")


class WallClock(Clock):
    """A clock that can be set back, while time goes on as before.

    Attributes:
        back: seconds by which it is behind.
    """

    def __init__(self, steady: ScriptedClock) -> None:
        self.steady = steady
        self.back = 0.0

    def time(self) -> float:
        return self.steady.time() - self.back

    async def asleep(self, seconds: float) -> None:
        await self.steady.asleep(seconds)

    def set_back(self) -> None:
        self.back += HOUR


@pytest.fixture
def steady(clock: ScriptedClock) -> ScriptedClock:
    return clock


@pytest.fixture
def wall(steady: ScriptedClock) -> WallClock:
    return WallClock(steady)


@pytest.fixture
def sky(steady: ScriptedClock) -> Sky:
    return Sky(steady, size=100)


def hub_of(sky: Sky, wall: WallClock) -> RunHub:
    return RunHub(sky.make, wall, jitter=lambda: 0.5)


@pytest.mark.parametrize("after", [3 * INTERVAL - 0.01, 3 * INTERVAL, 3 * INTERVAL + 1, 3.5 * INTERVAL])
async def test_reads_go_on(sky: Sky, wall: WallClock, steady: ScriptedClock, after: float) -> None:
    steady.at(after, wall.set_back)
    steady.at(2 * after, wall.set_back)
    async with audience(hub_of(sky, wall)) as listeners:
        listeners.watch(runs_of("w", 20))
        await passed(steady, 10 * INTERVAL)
    assert wall.back == 2 * HOUR
    assert max(gaps(sky.times())) <= 2 * INTERVAL
    assert 8 <= len(sky.calls) <= 10


async def test_reads_go_on_if_it_happens_during_one(sky: Sky, wall: WallClock, steady: ScriptedClock) -> None:
    async with audience(hub_of(sky, wall)) as listeners:
        listeners.watch(runs_of("w", 20))
        listeners.watch(runs_of("v", 20), interval=2.5 * INTERVAL)
        sky.error = lambda: wall.set_back() if len(sky.calls) == 3 else None
        await passed(steady, 10 * INTERVAL)
    assert wall.back == HOUR
    assert max(gaps(sky.times(RunRef("w", "run-0")))) <= 2 * INTERVAL
    assert max(gaps(sky.times(RunRef("v", "run-0")))) <= 4 * INTERVAL


async def test_newcomers_are_read_with_the_others(sky: Sky, wall: WallClock, steady: ScriptedClock) -> None:
    async with audience(hub_of(sky, wall)) as listeners:
        listeners.watch(runs_of("w", 20))
        await passed(steady, 3 * INTERVAL)
        wall.set_back()
        listeners.watch(runs_of("v", 20))
        await passed(steady, 3 * INTERVAL)
    assert len(listeners.heard) == 40
    assert len(sky.times(RunRef("v", "run-0"))) >= 2


async def test_pause_after_throttling_is_kept(sky: Sky, wall: WallClock, steady: ScriptedClock) -> None:
    sky.error = lambda: ThrottledError("too many", retry_after=200.0) if len(sky.calls) == 2 else None
    steady.at(3 * INTERVAL, wall.set_back)
    async with audience(hub_of(sky, wall)) as listeners:
        listeners.watch(runs_of("w", 20))
        await passed(steady, 600)
    assert 200 <= max(gaps(sky.times())) <= 400


async def test_deadline_is_a_time_of_day(sky: Sky, wall: WallClock, steady: ScriptedClock) -> None:
    (ref,) = runs_of("w", 1)
    until = wall.time() + 100
    steady.at(50, wall.set_back)
    async with hub_of(sky, wall).watching(ref, interval=10 * INTERVAL, until=until) as watcher:
        await watcher.reading()
        reading = await watcher.reading()
    assert isinstance(reading, Run)
    assert wall.time() == pytest.approx(until, abs=1)


async def test_reader_without_watchers_ends(sky: Sky, wall: WallClock, steady: ScriptedClock) -> None:
    hub = hub_of(sky, wall)
    async with audience(hub) as listeners:
        listeners.watch(runs_of("w", 1))
        await passed(steady, INTERVAL)
    left = steady.time()
    steady.at(IDLE_LIFETIME / 2, wall.set_back)
    assert hub._reader is not None
    await hub._reader
    assert steady.time() - left <= 2 * IDLE_LIFETIME + 1


async def test_connection_is_read_again(sky: Sky, wall: WallClock, steady: ScriptedClock) -> None:
    async with audience(hub_of(sky, wall)) as listeners:
        listeners.watch(runs_of("w", 1))
        await passed(steady, INTERVAL)
        wall.set_back()
        made = sky.made
        await passed(steady, CONNECTION_LIFETIME + 2 * INTERVAL)
        assert sky.made == made + 1


async def test_refused_credentials_are_tried_again(sky: Sky, wall: WallClock, steady: ScriptedClock) -> None:
    sky.error = lambda: AuthenticationError("refused") if 2 <= len(sky.calls) < 4 else None
    steady.at(3 * INTERVAL, wall.set_back)
    async with audience(hub_of(sky, wall)) as listeners:
        listeners.watch(runs_of("w", 20))
        await passed(steady, 900)
    waits = gaps(sky.times())
    assert REFUSED_PAUSES[0] <= waits[1] <= 2 * REFUSED_PAUSES[0]
    assert waits[2] == pytest.approx(REFUSED_PAUSES[1])
    assert waits[3:6] == pytest.approx([INTERVAL] * 3)
    assert all(isinstance(readings[-1], Run) for readings in listeners.heard.values())


async def test_good_credentials_are_believed() -> None:
    refusals = Refusals()
    refusals.judge([AuthenticationError("refused")], HOUR, HOUR)
    assert refusals.current(10.0) is not None
    assert refusals.current(10.0 + REFUSED_PAUSES[0]) is None
    refusals.judge([RUN], 100.0, 100.0)
    assert refusals.standing is None


async def test_throttled_logs_are_read_again(sky: Sky, wall: WallClock, steady: ScriptedClock) -> None:
    error = ThrottledError("too many")
    answers = [NewLog((), {}, error), NewLog((("train", "a line"),), {"step": 1})]

    class Logs:
        @staticmethod
        async def aio(run: Run, cursor: object) -> NewLog:
            return answers.pop(0)

    sky.get_new_log = Logs  # type: ignore[attr-defined]
    logs = LogReads(asyncio.Semaphore(1), Refusals(), Defects(), wall)
    assert (await logs.read(RUN, {}, sky.make)).missed is error
    wall.set_back()
    assert (await logs.read(RUN, {}, sky.make)).missed is error
    steady.advance(SLOWEST_POLL)
    assert (await logs.read(RUN, {}, sky.make)).lines
