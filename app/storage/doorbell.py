"""Waking others up. Nothing is lost when a ring is: whoever waits also looks on its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from weakref import WeakSet

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
    SIGN_IN = "sign-in"
    WEBHOOKS = "webhooks"


class Ear:
    """Listens for one bell on behalf of one task. Made by `Doorbell.listen_for`."""

    def __init__(self, connected: asyncio.Event) -> None:
        self._connected = connected
        self._rung = asyncio.Event()

    def hear(self) -> None:
        self._rung.set()

    async def wait(self, timeout_seconds: float) -> None:
        """Returns at the next ring, or one missed since the last wait, or after the time.

        While Redis is away no ring can arrive, so it returns after a tenth of a second for the
        caller to look by itself.
        """
        if not self._connected.is_set():
            timeout_seconds = min(timeout_seconds, _UNCONNECTED_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._rung.wait()
        self._rung.clear()


class Doorbell:
    """Rings and listens through Redis publish and subscribe, and does without when it is down."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(
            redis_url,
            socket_connect_timeout=_RING_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._ears: dict[Bell, WeakSet[Ear]] = {bell: WeakSet() for bell in Bell}
        self._connected = asyncio.Event()

    async def ring(self, bell: Bell) -> None:
        """Wakes everyone who waits for `bell`. Never fails and takes at most half a second."""
        try:
            async with asyncio.timeout(_RING_TIMEOUT_SECONDS):
                await self._redis.publish(_CHANNEL_PREFIX + bell, b"")
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("doorbell.ring", bell=bell.value, outcome="failed", reason=str(error))

    def listen_for(self, bell: Bell) -> Ear:
        """An ear of the caller's own; it hears while the doorbell is `listening`."""
        ear = Ear(self._connected)
        self._ears[bell].add(ear)
        return ear

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listens for as long as the context lasts; needed for ears to hear."""
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
            for bell in Bell:
                self._tell(bell)
            async for message in pubsub.listen():
                self._tell(Bell(message["channel"].decode().removeprefix(_CHANNEL_PREFIX)))

    def _tell(self, bell: Bell) -> None:
        for ear in self._ears[bell]:
            ear.hear()
