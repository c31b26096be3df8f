"""One reader for many watchers.

All triggers of one event loop that watch runs of the same service with the same connection share a hub. At
each tick it reads every run that is due with as few requests as the service allows, and wakes only those
whose run changed. A watcher that is cancelled takes nothing with it: the requests belong to the hub.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

from airflow_provider_mlworkflows.exceptions import MLWorkflowsError, ThrottledError
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState
from airflow_provider_mlworkflows.triggers.defects import Defects
from airflow_provider_mlworkflows.triggers.log_reads import LogReads
from airflow_provider_mlworkflows.triggers.refusals import Refusals
from airflow_provider_mlworkflows.watching import SLOWEST_POLL, Pace, is_refusal

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.hooks.base import RunHook
    from airflow_provider_mlworkflows.runs import NewLog
    from airflow_provider_mlworkflows.services import Service

MAX_IN_FLIGHT = 4
IDLE_LIFETIME = 60.0
CONNECTION_LIFETIME = 600.0
REFRESH_INTERVAL = 10.0
"""Seconds between two looks at a connection whose credentials are refused, however many runs that concerns."""
RESOLUTION = 0.001
"""Seconds that do not count: a clock read after a sleep may show a hair less than was slept for."""
READS_ALONG = 0.6
"""How many intervals before it is due a watcher is read along with others. With half an interval or less, two camps
would stay apart for good, each out of the other's reach."""
BLIND = -1
"""What no fingerprint is like."""
GOING_ON = frozenset({RunState.ACTIVE, RunState.STOPPING})
QUIET_STATES = frozenset({RunState.ACTIVE, RunState.STOPPING, RunState.WAITING})
"""States in which only a change is news."""

Reading = Run | MLWorkflowsError


@dataclass(slots=True, eq=False)
class Watcher:
    """A trigger's subscription to a run.

    :param ref: which run.
    :param interval: seconds between reads.
    :param needs_steps: read the run so that its steps show, even if nothing about it seems to have changed.
    :param heeds_waiting: somebody wants to know when the whole run waits for a person.
    :param until: seconds since the epoch; there is a read at that time, and its result is always delivered.
    :param due: seconds since the epoch of the next read.
    :param was_read: whether there has been a read for it.
    """

    ref: RunRef
    interval: float
    until: float
    needs_steps: bool
    heeds_waiting: bool
    due: float
    was_read: bool = False
    _waiter: asyncio.Future[Reading] | None = None
    _unread: Reading | None = None
    _failure: BaseException | None = None
    _fingerprint: int | None = None
    _is_troubled: bool = False

    async def reading(self) -> Reading:
        """Wait for a reading worth knowing: a change, an error, a state that is not quiet, or the last one.

        :raises BaseException: what ended the hub's reader before its time.
        """
        if self._failure is not None:
            raise self._failure
        if self._unread is not None:
            reading, self._unread = self._unread, None
            return reading
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def begin(self, glance: Reading) -> None:
        """Take the first glance at a run that simply goes on for known: the worker saw more, and just before."""
        if self._fingerprint is None and isinstance(glance, Run) and not glance.has_steps and glance.state in GOING_ON:
            self._fingerprint = glance.fingerprint

    def wants(self, glance: Reading, now: float) -> bool:
        """Whether there is news in a glance.

        After an error the next success is news: whoever counts errors must hear that they are over.
        """
        return self._is_troubled or self.wants_steps(glance, now)

    def wants_steps(self, glance: Reading, now: float) -> bool:
        """Whether there is more to know than a glance tells, if that shows no steps."""
        if not isinstance(glance, Run) or now >= self.until or self.needs_steps:
            return True
        return glance.fingerprint != self._fingerprint or glance.state not in QUIET_STATES

    def deliver(self, reading: Reading, glance: Reading) -> None:
        """Wake the watcher with a reading; the next glance is compared with ``glance``."""
        if isinstance(self._unread, Run) and not isinstance(reading, Run):
            return  # nobody has seen that news yet, and it tells as well that the errors before are over
        self._is_troubled = not isinstance(reading, Run)
        if isinstance(reading, Run) and isinstance(glance, Run):
            # While other steps make progress, a glance cannot tell when the whole run waits.
            is_blind = self.heeds_waiting and glance.state is RunState.WAITING and reading.state is not glance.state
            self._fingerprint = BLIND if is_blind else glance.fingerprint
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(reading)
        else:
            self._unread = reading

    def fail(self, error: BaseException) -> None:
        """Raise an error in whoever waits for a reading, now or later."""
        self._failure = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def rest(self, now: float, *, pause: float, jitter: float) -> None:
        """Set the time of the next read: after an interval, give or take 5 %, or when time is up."""
        rested = now + max(self.interval * (0.95 + jitter / 10), pause)
        self.due = min(rested, self.until) if self.until > now else rested
        self.was_read = True

    def postpone(self, time: float) -> None:
        """Read no earlier than at this time, unless time is up before."""
        self.due = max(self.due, min(time, self.until))


class RunHub:
    """Reads runs of one service and scope on behalf of all their watchers.

    :param make_hook: makes a hook, which resolves the connection anew.
    :param clock: where time comes from.
    :param jitter: source of random numbers in [0, 1).
    :param refusals: what is known of the connection's credentials, if other hubs share it.
    """

    def __init__(
        self,
        make_hook: Callable[[], RunHook],
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        refusals: Refusals | None = None,
    ) -> None:
        self._make_hook = make_hook
        self._clock = clock
        self._jitter = jitter
        self._watchers: set[Watcher] = set()
        self._pace = Pace()
        self._refusals = refusals or Refusals()
        self._defects = Defects()
        self._hook = make_hook()
        self._hook_born = self._left_at = self._seen_at = clock.time()
        self._gate = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._logs = LogReads(self._gate, self._refusals, self._defects, clock)
        self._wake = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    def shared(cls, service: Service, owner: object, clock: Clock) -> RunHub:
        """The hub of this event loop for the service and for the scope that ``owner`` has as attributes."""
        hubs = _hubs.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        scope = service.scope_of(owner)
        key = (service.name, *scope.values())
        hub = hubs.get(key)
        if hub is None:
            # The connection comes first. Its id goes with its name: both clouds may have none.
            refusals = Refusals.shared(next(iter(scope.items()), None))
            hub = hubs[key] = cls(partial(service.hook, scope, attempts=1, clock=clock), clock, refusals=refusals)
        return hub

    @asynccontextmanager
    async def watching(
        self,
        ref: RunRef,
        *,
        interval: float,
        until: float,
        needs_steps: bool = False,
        heeds_waiting: bool = False,
    ) -> AsyncIterator[Watcher]:
        """Subscribe to a run for the length of the block; the first read comes after up to one interval."""
        now = self._time()
        first = now + interval * (0.5 + self._jitter() / 2)
        watcher = Watcher(ref, interval, until, needs_steps, heeds_waiting, due=min(first, max(until, now)))
        self._watchers.add(watcher)
        self._wake.set()
        if self._reader is None or self._reader.done():
            # A context of its own: what the hub logs belongs to no single task.
            self._reader = asyncio.get_running_loop().create_task(self._read_on(), context=Context())
            self._reader.add_done_callback(self._fail_watchers)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            self._left_at = self._time()

    async def _read_on(self) -> None:
        """Read whatever is due, until there has been nobody to read for during a minute."""
        try:
            await self._read_until_idle()
        finally:
            await _close_clients_of_last_hub(self)

    async def _read_until_idle(self) -> None:
        while True:
            now = self._time()
            idle_until = self._left_at + IDLE_LIFETIME
            if not self._watchers and idle_until - now <= RESOLUTION:
                return
            next_due = min((w.due for w in self._watchers), default=idle_until)
            if next_due - now > RESOLUTION:
                await self._sleep(next_due - now)
            else:
                await self._tick(now)

    def _time(self) -> float:
        """Now; if the clock has been set back since the last look, whatever is planned is as far away as it was then.

        Deadlines are times of day, and stay.
        """
        now = self._clock.time()
        if (back := self._seen_at - now) > 0:
            self._hook_born -= back
            self._left_at -= back
            self._refusals.heed_clock(now)
            for watcher in self._watchers:
                watcher.due -= back
        self._seen_at = now
        return now

    def _fail_watchers(self, reader: asyncio.Task[None]) -> None:
        """Pass on what ended the reader before its time: a watcher must not wait for a reader that is gone."""
        error = None if reader.cancelled() else reader.exception()
        for watcher in self._watchers:
            watcher.fail(error or asyncio.CancelledError("the reader of runs was cancelled"))

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but wake for a new watcher, who may be due earlier."""
        self._wake.clear()
        await self._clock.asleep_unless(self._wake, seconds)

    async def _tick(self, now: float) -> None:
        hook = self.hook()
        # Whoever is due soon reads along, so that watchers fall into step; the quick do not hurry the slow.
        # Newcomers do so only where it is free: after a restart of the triggerer they are many, and their first
        # reads are spread.
        slowest = max(w.interval for w in self._watchers if w.due <= now + RESOLUTION)
        near = [w for w in self._watchers if w.due <= now + min(w.interval, slowest) * READS_ALONG]
        called = {w.ref for w in near if w.was_read or w.due <= now + RESOLUTION}
        batches = hook.batches(list(dict.fromkeys(w.ref for w in near)))
        glances = await self._read(hook, [batch for batch in batches if not called.isdisjoint(batch)])
        due = [w for w in near if w.ref in glances]
        now = self._time()
        for watcher in due:
            watcher.begin(glances[watcher.ref])
        wanted = [w for w in due if w.wants(glances[w.ref], now)]
        sparse = [w for w in wanted if _lacks_steps(glances[w.ref]) and w.wants_steps(glances[w.ref], now)]
        readings = glances | await self._read_steps(w.ref for w in sparse)
        errors = [reading for reading in readings.values() if isinstance(reading, MLWorkflowsError)]
        pause = self._pause_after(errors, of=len(readings), interval=max((w.interval for w in due), default=0.0))
        now = self._time()
        # In any order: where logs are slow, it is not always the same watchers that come first with theirs.
        for watcher in sorted(wanted, key=lambda _: self._jitter()):
            watcher.deliver(readings[watcher.ref], glances[watcher.ref])
        jitter = self._jitter()  # one for all: those who were read together stay together
        for watcher in due:
            watcher.rest(now, jitter=jitter, pause=pause)
        if any(isinstance(error, ThrottledError) for error in errors):
            for watcher in self._watchers:
                watcher.postpone(now + pause)

    def _pause_after(self, errors: list[MLWorkflowsError], *, of: int, interval: float) -> float:
        """Seconds to hold still after throttling or if the connection does not work any more, otherwise 0.

        :param of: how many readings the errors are among.
        """
        refusals = [error for error in errors if is_refusal(error)]
        if refusals and len(refusals) == of:
            if self._time() - self._hook_born >= REFRESH_INTERVAL:
                self.forget_connection()
        else:
            # Refused for some runs only, the connection works: it is their watchers' business.
            errors = [error for error in errors if not is_refusal(error)]
        # One who polls rarely does not make everybody wait that long.
        asked = self._pace.after(errors, min(interval, SLOWEST_POLL))
        pause = max(asked, self._refusals.pause(self._time()))
        return pause if any(isinstance(error, ThrottledError) or is_refusal(error) for error in errors) else 0.0

    def hook(self) -> RunHook:
        """The hook, made anew from its connection every ten minutes and when credentials were refused."""
        now = self._time()
        if now - self._hook_born >= CONNECTION_LIFETIME or self._refusals.outdates(self._hook_born, now):
            self.forget_connection()
        return self._hook

    async def new_log(self, run: Run, cursor: Mapping[str, int]) -> NewLog:
        """The lines that a run's steps have logged after a cursor, as far as there is room beside the statuses.

        No error is raised; ``missed`` is what the service, or its being left alone, has kept from being read.
        """
        return await self._logs.read(run, cursor, self.hook)

    def forget_connection(self) -> None:
        """Read the connection again at the next request."""
        former, self._hook, self._hook_born = self._hook, self._make_hook(), self._time()
        self._hook.take_over(former)

    async def _read(self, hook: RunHook, batches: Sequence[Sequence[RunRef]]) -> dict[RunRef, Reading]:
        """Read batches of runs; their steps may not show."""
        return await self._ask(batches, hook.get_runs.aio)

    async def _read_steps(self, refs: Iterable[RunRef]) -> dict[RunRef, Reading]:
        """Read runs one by one, so that their steps show."""
        hook = self.hook()

        async def read_one(batch: Sequence[RunRef]) -> Mapping[RunRef, Reading]:
            return {ref: await hook.get_run.aio(ref) for ref in batch}

        return await self._ask([[ref] for ref in dict.fromkeys(refs)], read_one)

    async def _ask(
        self,
        batches: Sequence[Sequence[RunRef]],
        call: Callable[[Sequence[RunRef]], Awaitable[Mapping[RunRef, Reading]]],
    ) -> dict[RunRef, Reading]:
        """Ask for batches: for the first one alone, because what refuses it would refuse the others, too."""

        async def ask(batch: Sequence[RunRef]) -> Mapping[RunRef, Reading]:
            async with self._gate:
                asked_at = self._time()
                if (refusal := self._refusals.current(asked_at)) is not None:
                    return dict.fromkeys(batch, refusal)
                readings: Mapping[RunRef, Reading]
                try:
                    readings = await call(batch)
                except MLWorkflowsError as error:
                    readings = dict.fromkeys(batch, error)
                except Exception as error:  # a defect: whoever watches other runs is not to suffer for it
                    readings = dict.fromkeys(batch, self._defects.confined(error))
                self._refusals.judge(readings.values(), asked_at, self._time())
                return readings

        readings: dict[RunRef, Reading] = {}
        for batch in batches[:1]:
            async with self._refusals.asking():
                readings |= await ask(batch)
        for answer in await asyncio.gather(*map(ask, batches[1:])):
            readings |= answer
        return readings


async def _close_clients_of_last_hub(hub: RunHub) -> None:
    hubs = _hubs.get(asyncio.get_running_loop())
    if hubs is None or all(other is hub for other in hubs.values()):
        from airflow_provider_mlworkflows.clouds.http import close_clients  # nothing of the clouds at Dag parse

        await close_clients()


def _lacks_steps(reading: Reading) -> bool:
    return isinstance(reading, Run) and not reading.has_steps


# A hub lives as long as a watcher holds it or its reader runs.
_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[tuple[object, ...], RunHub]] = (
    WeakKeyDictionary()
)
