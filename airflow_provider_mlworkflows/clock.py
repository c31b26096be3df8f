"""Time, passed in: everything that waits asks a Clock, so that a test can be its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TypeVar

T = TypeVar("T")

SLICE_SECONDS = 1.0


class BellRungError(Exception):
    """A call was not waited for any longer, because the bell has rung."""


class Bell:
    """Ends a wait from inside a signal handler.

    A ``threading.Event`` may deadlock there, because the handler interrupts the very thread that holds its
    lock. ``SimpleQueue.put`` is made to be safe in that place. A signal that comes just before a wait begins
    is handled only after it, hence the short slices.
    """

    def __init__(self) -> None:
        self.rung = False
        self._queue: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """End the wait under way and all later ones."""
        self.rung = True
        self._queue.put(None)

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds, or until the bell rings."""
        end = time.monotonic() + seconds
        while not self.rung and (left := end - time.monotonic()) > 0:
            self._doze(min(left, SLICE_SECONDS))

    def outwait(self, call: Callable[[], T]) -> T:
        """What a call comes to that may be given up: it blocks in a thread of its own, which nobody waits for then.

        :raises BellRungError: if the bell has rung before the call has come to its end.
        """
        if self.rung:
            raise BellRungError  # nothing is begun any more
        outcome: Future[T] = Future()

        def make() -> None:
            try:
                outcome.set_result(call())
            except BaseException as error:
                outcome.set_exception(error)
            self._queue.put(None)

        threading.Thread(target=make, name="call-until-bell", daemon=True).start()
        while not outcome.done():
            if self.rung:
                raise BellRungError
            self._doze(SLICE_SECONDS)
        return outcome.result()

    def _doze(self, seconds: float) -> None:
        """Wait for a signal, or for something else to be looked at."""
        with contextlib.suppress(Empty):
            self._queue.get(timeout=seconds)


class Clock:
    """The wall clock, and waiting by it."""

    @property
    def base(self) -> Clock:
        """The clock whose time this one tells: itself, or one behind it."""
        return self

    @property
    def is_interrupted(self) -> bool:
        """Whether its sleeps have been ended early: there is no time left to try anything again."""
        return False

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float, bell: Bell | None = None) -> None:
        """Let so many seconds pass; a bell can end it early."""
        (bell or Bell()).wait(seconds)

    async def asleep(self, seconds: float) -> None:
        """The same in an event loop."""
        await asyncio.sleep(seconds)

    async def asleep_unless(self, event: asyncio.Event, seconds: float) -> None:
        """Let so many seconds pass in an event loop; an event ends it early."""
        sleeping = asyncio.ensure_future(self.asleep(seconds))
        waking = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()


class InterruptibleClock(Clock):
    """A clock whose every sleep ends when a bell rings.

    :param clock: the clock behind it.
    :param bell: ends the sleeps.
    """

    def __init__(self, clock: Clock, bell: Bell) -> None:
        self._clock = clock
        self._bell = bell

    @property
    def base(self) -> Clock:
        """The clock behind it."""
        return self._clock.base

    @property
    def is_interrupted(self) -> bool:
        """Whether the bell has rung."""
        return self._bell.rung

    def time(self) -> float:
        """Seconds since the epoch."""
        return self._clock.time()

    def sleep(self, seconds: float, bell: Bell | None = None) -> None:
        """Let so many seconds pass, or less if the bell rings."""
        self._clock.sleep(seconds, bell or self._bell)

    async def asleep(self, seconds: float) -> None:
        """The same in an event loop, where no bell is heard."""
        await self._clock.asleep(seconds)


SYSTEM_CLOCK = Clock()
