"""Limits that all workers share: buckets in Redis, or in this process where there is none."""

import redis

from connectors.limits import Limiter, LocalLimiter
from schemas.settings import Settings

_PREFIX = "padron:limits:"
# A bucket is a hash: its level, when that was so, and until when it is closed (seconds by the server's clock).
_TAKE = """
local time = redis.call("TIME")
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local cost, capacity, seconds, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local had = redis.call("HMGET", KEYS[1], "level", "at", "closed")
local level, at, closed = tonumber(had[1]) or capacity, tonumber(had[2]) or now, tonumber(had[3]) or 0
if now < closed then return tostring(closed - now) end
level = math.min(capacity, level + (now - at) * capacity / seconds)
local lacking = cost + kept - level
local wait = 0
if lacking > 1e-9 then wait = lacking * seconds / capacity else level = level - cost end
redis.call("HSET", KEYS[1], "level", tostring(level), "at", tostring(now))
redis.call("EXPIRE", KEYS[1], math.ceil(seconds * 2) + 60)
return tostring(wait)
"""
_CLOSE = """
local time = redis.call("TIME")
local closed = tonumber(time[1]) + tonumber(time[2]) / 1e6 + tonumber(ARGV[1])
local had = tonumber(redis.call("HGET", KEYS[1], "closed")) or 0
redis.call("HSET", KEYS[1], "closed", tostring(math.max(had, closed)))
redis.call("EXPIRE", KEYS[1], math.ceil(tonumber(ARGV[1])) + 3600)
return 1
"""


class RedisLimiter:
    """Buckets in Redis; where it does not answer, each process keeps its own for the while."""

    def __init__(self, url: str) -> None:
        client = redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=1.0)
        self._take, self._close = client.register_script(_TAKE), client.register_script(_CLOSE)
        self._own = LocalLimiter()

    def take(self, key: str, cost: float, capacity: float, seconds: float, kept: float) -> float:
        try:
            return float(self._take(keys=[_PREFIX + key], args=[cost, capacity, seconds, kept]))
        except redis.RedisError:
            return self._own.take(key, cost, capacity, seconds, kept)

    def close(self, key: str, seconds: float) -> None:
        self._own.close(key, seconds)
        try:
            self._close(keys=[_PREFIX + key], args=[seconds])
        except redis.RedisError:
            return


def limiter_of(settings: Settings) -> Limiter:
    """The limits of an installation, by where its workers meet."""
    if settings.broker_url.startswith(("redis://", "rediss://", "unix://")):
        return RedisLimiter(settings.broker_url)
    return LocalLimiter()
