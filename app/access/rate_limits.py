"""How often somebody may do something."""

import time
from urllib.parse import urlsplit

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

from app.core.errors import TooManyRequests


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


def _with_port(redis_url: str) -> str:
    """`limits` asks for the port that everybody else takes for granted."""
    parts = urlsplit(redis_url)
    if parts.hostname is None or parts.port is not None:
        return redis_url
    return parts._replace(netloc=f"{parts.netloc}:6379").geturl()
