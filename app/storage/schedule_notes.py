"""When each job that runs by the clock last did, for people to see. Lost with Redis, and then
written anew by the next run."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.core.errors import Unavailable

_KEY = "pillarbox:schedule"
_TIMEOUT_SECONDS = 0.5


class LastRun(msgspec.Struct, frozen=True):
    """`changed` is how many things it dealt with; None where it failed."""

    at: datetime
    seconds: float
    changed: int | None


@dataclass(frozen=True, slots=True)
class ScheduleNotes:
    """Written by the worker, read by the page of jobs."""

    redis: Redis

    @classmethod
    def of(cls, redis_url: str) -> "ScheduleNotes":
        return cls(
            Redis.from_url(
                redis_url,
                socket_timeout=_TIMEOUT_SECONDS,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
        )

    async def note(self, job: str, run: LastRun) -> None:
        """Raises `Unavailable`."""
        try:
            await cast(Awaitable[int], self.redis.hset(_KEY, job, _encode(run)))
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis is away: {error}") from error

    async def read(self) -> Mapping[str, LastRun]:
        """By the name of the job. Raises `Unavailable`."""
        try:
            noted = await cast(Awaitable[dict[bytes, bytes]], self.redis.hgetall(_KEY))
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis is away: {error}") from error
        return {
            name.decode(): msgspec.json.decode(run, type=LastRun) for name, run in noted.items()
        }

    async def close(self) -> None:
        await self.redis.aclose()


def _encode(run: LastRun) -> str:
    return msgspec.json.encode(run).decode()
