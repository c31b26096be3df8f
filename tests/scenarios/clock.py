"""The emulator's time with appointments: things that other people do while a task waits."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.support import EmulatorClock

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Bell
    from airflow_provider_mlworkflows.emulator import Emulator

_QUIET_TURNS = 12
"""Turns of an event loop without anything under way, after which everybody in it waits for the time."""

_RESOLUTION = 1e-5
"""Seconds that do not count: the emulator's time has microseconds."""


class ScriptedClock(EmulatorClock):
    """Time that passes while somebody sleeps, and in which appointed things happen on the way.

    Attributes:
        held: Time stands still, whoever sleeps.
        is_busy: Whether something is under way in the event loop that takes no emulated time.
    """

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(emulator)
        self.held = False
        self.is_busy: Callable[[], bool] = lambda: False
        self._appointments: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, seconds: float, happening: Callable[[], None]) -> None:
        """Let something happen so many seconds from now."""
        heapq.heappush(self._appointments, (self.time() + seconds, next(self._order), happening))

    def clear(self) -> None:
        """Forget all appointments and let time pass again."""
        self._appointments.clear()
        self._wakings.clear()
        self.held = False
        self.is_busy = lambda: False

    def advance(self, seconds: float) -> None:
        until = self.time() + seconds
        while not self.held and self._appointments and self._appointments[0][0] <= until:
            self._advance_to_next()
        if not self.held:
            super().advance(until - self.time())

    def sleep(self, seconds: float, bell: Bell | None = None) -> None:
        self.slept.append(seconds)
        until = self.time() + seconds
        while self._appointments and self._appointments[0][0] <= until:
            if bell is not None and bell.rung:
                return
            self._advance_to_next()
        if bell is None or not bell.rung:
            super().advance(until - self.time())

    async def asleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        waking = self.time() + seconds
        self._wakings.append(waking)
        quiet = 0
        try:
            while waking - self.time() > _RESOLUTION:
                await asyncio.sleep(0)
                quiet = 0 if self.held or self.is_busy() else quiet + 1
                if quiet > _QUIET_TURNS and waking <= min(self._wakings):
                    self.advance(waking - self.time())
        finally:
            self._wakings.remove(waking)

    def _advance_to_next(self) -> None:
        when, _, happening = heapq.heappop(self._appointments)
        super().advance(when - self.time())
        happening()
