"""Token buckets, one per principal and limited operation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from datetime import datetime


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: datetime


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``per_second`` calls a second on average, and ``burst`` at once."""

    per_second: float
    burst: int


class Limits:
    """Call quotas, measured on the emulator's clock.

    Args:
        now: Returns the emulator's time.
        lock: The lock that guards the emulator's state.
    """

    def __init__(self, now: Callable[[], datetime], lock: threading.RLock) -> None:
        self._now = now
        self._lock = lock
        self._limits: dict[str, Limit] = {}
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def set(self, operation: str, *, per_second: float, burst: int | None = None) -> None:
        """Limit an operation, or all operations together with ``"*"``.

        Args:
            operation: Operation name or ``"*"``.
            per_second: Tokens that flow in each second, above zero.
            burst: Size of the bucket. Default: ``per_second`` rounded up, at least 1.

        Raises:
            ValueError: ``per_second`` or ``burst`` is not above zero.
        """
        size = math.ceil(per_second) if burst is None else burst
        if per_second <= 0 or size <= 0:
            raise ValueError("per_second and burst must be above zero")
        with self._lock:
            self._limits[operation] = Limit(per_second, size)
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if key[0] != operation}

    def clear(self) -> None:
        """Remove all limits."""
        with self._lock:
            self._limits.clear()
            self._buckets.clear()

    def exceeded(self, operation: str, principal: str) -> Limit | None:
        """Take a token for one call; return the limit that refuses it, or ``None``."""
        with self._lock:
            now = self._now()
            names = [name for name in (operation, "*") if name in self._limits]
            buckets = [(self._limits[name], self._filled(name, principal, now)) for name in names]
            for limit, bucket in buckets:
                if bucket.tokens < 1:
                    return limit
            for _, bucket in buckets:
                bucket.tokens -= 1
            return None

    def _filled(self, name: str, principal: str, now: datetime) -> _Bucket:
        limit = self._limits[name]
        bucket = self._buckets.setdefault((name, principal), _Bucket(float(limit.burst), now))
        elapsed = (now - bucket.filled_at).total_seconds()
        bucket.tokens = min(float(limit.burst), bucket.tokens + elapsed * limit.per_second)
        bucket.filled_at = now
        return bucket
