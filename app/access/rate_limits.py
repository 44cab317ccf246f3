"""How often somebody may do something."""

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

from app.core.errors import TooManyRequests


@dataclass(frozen=True, slots=True)
class Allowance:
    """How things stand after one more: `remaining` of `limit` are left, and all are there again in
    `reset_seconds`."""

    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: int
    exceeded: bool


class RateLimits:
    """Counts in Redis, shared by all processes; by each for itself while Redis is away."""

    def __init__(self, redis_url: str) -> None:
        self._shared = FixedWindowRateLimiter(
            RedisStorage(f"async+{_with_port(redis_url)}", implementation="redispy")
        )
        self._own = FixedWindowRateLimiter(MemoryStorage())

    async def count(self, limit: RateLimitItem, what: str, who: str) -> None:
        """Raises `TooManyRequests` when `who` did `what` more often than `limit` allows."""
        limiter = self._shared
        try:
            allowed = await limiter.hit(limit, what, who)
        except (RedisError, OSError):
            limiter = self._own
            allowed = await limiter.hit(limit, what, who)
        if not allowed:
            window = await limiter.get_window_stats(limit, what, who)
            wait_seconds = max(1, int(window.reset_time - time.time()) + 1)
            raise TooManyRequests("You did this very often. Wait a little.", wait_seconds)

    async def spend(self, limit: RateLimitItem, what: str, who: str) -> Allowance:
        """Counts one and tells what is left, for those who are to know it beforehand."""
        try:
            return await _spend(self._shared, limit, what, who)
        except (RedisError, OSError):
            return await _spend(self._own, limit, what, who)


async def _spend(
    limiter: FixedWindowRateLimiter, limit: RateLimitItem, what: str, who: str
) -> Allowance:
    allowed = await limiter.hit(limit, what, who)
    window = await limiter.get_window_stats(limit, what, who)
    return Allowance(
        limit=limit.amount,
        window_seconds=limit.get_expiry(),
        remaining=max(0, window.remaining) if allowed else 0,
        reset_seconds=max(1, int(window.reset_time - time.time()) + 1),
        exceeded=not allowed,
    )


def _with_port(redis_url: str) -> str:
    """`limits` asks for the port that everybody else takes for granted."""
    parts = urlsplit(redis_url)
    if parts.hostname is None or parts.port is not None:
        return redis_url
    return parts._replace(netloc=f"{parts.netloc}:6379").geturl()
