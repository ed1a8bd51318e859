"""How much may be asked of a CRM, and when: buckets that fill by themselves, for the workers of one process."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Limiter(Protocol):
    """Buckets that several workers share, known by their keys."""

    def take(self, key: str, cost: float, capacity: float, seconds: float, kept: float) -> float:
        """Take from a bucket that holds `capacity` and fills in so many seconds, but for what is `kept` in it.

        How long to wait (seconds), 0 where it was taken.
        """

    def close(self, key: str, seconds: float) -> None:
        """Let nobody take from a bucket for a while: the CRM asked for it."""


_shared: list["Limiter"] = []


def share(limiter: "Limiter") -> None:
    """Let all connections of this process be within these limits, which others may be within too."""
    _shared[:] = [limiter]


def shared() -> "Limiter":
    """The limits of this process; its own, where it was not told of any."""
    if not _shared:
        share(LocalLimiter())
    return _shared[0]


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float
    closed_until: float = 0.0


@dataclass(slots=True)
class LocalLimiter:
    """Buckets in memory."""

    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, cost: float, capacity: float, seconds: float, kept: float) -> float:
        with self._lock:
            now, rate = self.clock(), capacity / seconds
            bucket = self._buckets.setdefault(key, _Bucket(capacity, now))
            bucket.level = min(capacity, bucket.level + (now - bucket.at) * rate)
            bucket.at = now
            if now < bucket.closed_until:
                return bucket.closed_until - now
            lacking = cost + kept - bucket.level
            if lacking > 1e-9:
                return lacking / rate
            bucket.level -= cost
            return 0.0

    def close(self, key: str, seconds: float) -> None:
        with self._lock:
            now = self.clock()
            bucket = self._buckets.setdefault(key, _Bucket(0.0, now))
            bucket.closed_until = max(bucket.closed_until, now + seconds)
