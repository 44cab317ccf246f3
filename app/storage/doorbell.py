"""Waking others up. Nothing is lost when a ring is: whoever waits also looks on its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.core.log import get_logger

_log = get_logger("doorbell")
_CHANNEL_PREFIX = "pillarbox:"
_RING_TIMEOUT_SECONDS = 0.5
_RECONNECT_SECONDS = 0.25
_UNCONNECTED_SECONDS = 0.1


class Bell(StrEnum):
    """What there is to ring for."""

    EVENTS = "events"


class Doorbell:
    """Rings and listens through Redis publish and subscribe, and does without when it is down."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(
            redis_url,
            socket_connect_timeout=_RING_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._rung = {bell: asyncio.Event() for bell in Bell}
        self._connected = asyncio.Event()

    async def ring(self, bell: Bell) -> None:
        """Wakes everyone who waits for `bell`. Never fails and takes at most half a second."""
        try:
            async with asyncio.timeout(_RING_TIMEOUT_SECONDS):
                await self._redis.publish(_CHANNEL_PREFIX + bell, b"")
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("doorbell.ring", bell=bell.value, outcome="failed", reason=str(error))

    async def wait(self, bell: Bell, timeout_seconds: float) -> None:
        """Returns at the next ring, or one missed since the last wait, or after the time.

        Only one task may wait for a bell. While Redis is away no ring can arrive, so it returns
        after a tenth of a second for the caller to look by itself.
        """
        if not self._connected.is_set():
            timeout_seconds = min(timeout_seconds, _UNCONNECTED_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._rung[bell].wait()
        self._rung[bell].clear()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listens for as long as the context lasts; needed for `wait`."""
        task = asyncio.create_task(self._listen(), name="doorbell")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def check(self) -> bool:
        """Whether Redis answers."""
        try:
            async with asyncio.timeout(_RING_TIMEOUT_SECONDS):
                return bool(await self._redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False

    async def close(self) -> None:
        await self._redis.aclose()

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (RedisError, OSError, TimeoutError) as error:
                if self._connected.is_set():
                    _log.warning("doorbell.listen", outcome="disconnected", reason=str(error))
                self._connected.clear()
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _hear(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(*(_CHANNEL_PREFIX + bell for bell in Bell))
            self._connected.set()
            # Rings may have been missed while nobody listened.
            for rung in self._rung.values():
                rung.set()
            async for message in pubsub.listen():
                name = message["channel"].decode().removeprefix(_CHANNEL_PREFIX)
                self._rung[Bell(name)].set()
