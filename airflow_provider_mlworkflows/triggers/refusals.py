"""What the hubs of one connection tell each other about its credentials.

A service that is called with a wrong secret often enough blocks the access key, for everybody who uses it. So refused
credentials are tried again rarely, and by one request, however many runs are watched and on however many services.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

from airflow_provider_mlworkflows.exceptions import AuthenticationError, NotFoundError, PermissionDeniedError
from airflow_provider_mlworkflows.runs import Run
from airflow_provider_mlworkflows.watching import Pace

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.exceptions import MLWorkflowsError


class Refusals:
    """Whether the credentials of a connection are being refused, and until when they are left alone."""

    def __init__(self) -> None:
        self._error: AuthenticationError | None = None
        self._refused_at = self._quiet_until = self._seen_at = 0.0
        self._pace = Pace()
        self._lock = asyncio.Lock()

    @classmethod
    def shared(cls, connection: object) -> Refusals:
        """Those of a connection, one for all hubs of this event loop.

        :param connection: what tells it from all others.
        """
        known = _refusals.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
        found = known.get(connection)
        if found is None:
            found = known[connection] = cls()
        return found

    def heed_clock(self, now: float) -> None:
        """If the clock has been set back since the last look, the pause is no longer for it."""
        if (back := self._seen_at - now) > 0:
            self._refused_at -= back
            self._quiet_until -= back
        self._seen_at = now

    def current(self, now: float) -> AuthenticationError | None:
        """The refusal to take for an answer without asking; None to ask."""
        self.heed_clock(now)
        return self._error if now < self._quiet_until else None

    @property
    def standing(self) -> AuthenticationError | None:
        """The refusal that no answer has taken back yet: until then nothing is asked for that can do without."""
        return self._error

    def pause(self, now: float) -> float:
        """Seconds until it is time to ask again, 0 if nothing is refused."""
        self.heed_clock(now)
        return max(0.0, self._quiet_until - now) if self._error is not None else 0.0

    def outdates(self, read_at: float, now: float) -> bool:
        """Whether a connection read at that time has been refused since, and is due to be asked again."""
        self.heed_clock(now)
        return self._error is not None and read_at < self._refused_at and now >= self._quiet_until

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Around a request that may be the first one after a refusal: only one such at a time."""
        if self._error is None:
            yield
            return
        async with self._lock:
            yield

    def judge(self, readings: Collection[Run | MLWorkflowsError], asked_at: float, now: float) -> None:
        """Learn from what the service has answered to one request.

        What was asked before the last refusal and is answered after it proves nothing, and is one more if refused.
        """
        self.heed_clock(now)
        refused = [reading for reading in readings if isinstance(reading, AuthenticationError)]
        accepted = any(isinstance(reading, Run | NotFoundError | PermissionDeniedError) for reading in readings)
        if refused:
            self._error, self._refused_at = refused[0], now
            self._quiet_until = max(self._quiet_until, now + self._pace.after(refused, 0.0))
        elif accepted and asked_at > self._refused_at:
            self._error, self._quiet_until, self._pace = None, 0.0, Pace()


_refusals: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[object, Refusals]] = WeakKeyDictionary()
