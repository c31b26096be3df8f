"""Reading the logs of watched runs, behind their statuses: those decide, log lines are only shown."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.exceptions import AuthenticationError, MLWorkflowsError, ThrottledError
from airflow_provider_mlworkflows.runs import NewLog
from airflow_provider_mlworkflows.watching import SLOWEST_POLL, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.hooks.base import RunHook
    from airflow_provider_mlworkflows.runs import Run
    from airflow_provider_mlworkflows.triggers.defects import Defects
    from airflow_provider_mlworkflows.triggers.refusals import Refusals

LOGS_IN_FLIGHT = 2
"""Fewer than the requests that a hub may have under way, so that some are left for statuses however slow logs are."""
LOG_PATIENCE = 30.0
"""Seconds to wait for one's turn: whoever waits for a log hears nothing of the run meanwhile. Lines are not lost by
that, they come with a later reading, or from the worker."""
THROTTLED_INTERVAL = 30.0
"""Seconds that double with each log read in a row that is throttled."""


class LogReads:
    """Reads logs through the gate of a hub.

    :param gate: what all requests of the hub go through.
    :param refusals: what is known of the connection's credentials.
    :param defects: what keeps them from ending the waiting for a run.
    :param clock: where time comes from.
    """

    def __init__(self, gate: asyncio.Semaphore, refusals: Refusals, defects: Defects, clock: Clock) -> None:
        self._gate = gate
        self._refusals = refusals
        self._defects = defects
        self._clock = clock
        self._turns = asyncio.Semaphore(LOGS_IN_FLIGHT)
        self._pace = Pace()
        self._obstacle: MLWorkflowsError | None = None
        self._quiet_until = 0.0
        self._under_way: set[asyncio.Task[NewLog]] = set()

    async def read(self, run: Run, cursor: Mapping[str, int], hook: Callable[[], RunHook]) -> NewLog:
        """The log lines after a cursor; none if the service is to be left alone, or has no time for it.

        Whoever asks may be cancelled: a request that is under way goes on, and one that is not is never made.

        :param hook: gives the one to ask through when it is time to.
        """
        turn, gone = asyncio.Event(), asyncio.Event()
        reading = asyncio.get_running_loop().create_task(self._read(run, cursor, hook, turn, gone), context=Context())
        self._under_way.add(reading)
        reading.add_done_callback(self._under_way.discard)
        try:
            await self._clock.asleep_unless(turn, LOG_PATIENCE)
            if not turn.is_set():
                return NewLog((), cursor)
            return await asyncio.shield(reading)
        finally:
            gone.set()

    async def _read(
        self,
        run: Run,
        cursor: Mapping[str, int],
        hook: Callable[[], RunHook],
        turn: asyncio.Event,
        gone: asyncio.Event,
    ) -> NewLog:
        async with self._turns, self._gate:
            turn.set()
            now = self._clock.time()
            # No pause lasts longer, unless the clock has been set back meanwhile.
            self._quiet_until = min(self._quiet_until, now + SLOWEST_POLL)
            obstacle = self._refusals.standing or (self._obstacle if now < self._quiet_until else None)
            if obstacle is not None or gone.is_set():
                return NewLog((), cursor, obstacle)
            new = await self._asked(run, cursor, hook)
            self._judge(new, now)
            return new

    async def _asked(self, run: Run, cursor: Mapping[str, int], hook: Callable[[], RunHook]) -> NewLog:
        try:
            return await hook().get_new_log.aio(run, cursor)
        except MLWorkflowsError as error:
            return NewLog((), cursor, error)
        except Exception as error:  # a defect: the run is waited for all the same
            return NewLog((), cursor, self._defects.confined(error))

    def _judge(self, new: NewLog, asked_at: float) -> None:
        """Learn from an answer; what was asked before a pause and is answered in it says nothing new."""
        now = self._clock.time()
        if asked_at < self._quiet_until:
            return
        # Refused for a log alone, the credentials may be good for statuses, which are asked for in any case.
        if isinstance(new.missed, ThrottledError | AuthenticationError):
            self._obstacle = new.missed
            self._quiet_until = now + self._pace.after([new.missed], THROTTLED_INTERVAL)
        elif new.lines:  # without any, the service may not have been asked at all
            self._pace = Pace()
