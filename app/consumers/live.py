"""Telling open pages of new events. Each page keeps its own position (`Last-Event-ID`).

One task in each process reads the log and hands every event to the pages that want it. A page
registers before it reads what it missed, so between the two nothing is lost; positions tell what
it has seen already.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from app.core.errors import PillarboxError
from app.core.log import get_logger
from app.eventlog.event import Event
from app.eventlog.read import EventFilter, last_position, read_events
from app.storage.db.database import Database
from app.storage.doorbell import Bell, Doorbell

_log = get_logger("live")
_LOOK_AGAIN_SECONDS = 1.0
_EVENTS_PER_READ = 500
_MAX_WAITING_EVENTS = 2000
_PAUSE_SECONDS = 0.5
_HEARTBEAT_SECONDS = 15.0


@dataclass(eq=False, slots=True)
class _Subscriber:
    """`None` in the queue ends the stream; the page then connects again from its position."""

    wanted: EventFilter
    queue: asyncio.Queue[Event | None] = field(
        default_factory=lambda: asyncio.Queue(_MAX_WAITING_EVENTS)
    )

    def end(self) -> None:
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class LiveFeed:
    """The events of a tenant or of some mailboxes, as they are committed."""

    def __init__(self, database: Database, doorbell: Doorbell) -> None:
        self._database = database
        self._doorbell = doorbell
        self._subscribers: set[_Subscriber] = set()
        self._position = 0
        self._ended = False

    async def follow(
        self, wanted: EventFilter, *, after: int
    ) -> AsyncGenerator[Sequence[Event], None]:
        """The wanted events after a position, each once and in order, as long as the process runs.

        Nothing for a while gives an empty sequence, for the caller to see that its peer is there.
        It ends when the process stops or the caller reads too slowly.
        """
        subscriber = _Subscriber(wanted)
        if self._ended:
            return
        if not self._subscribers:
            self._position = await last_position(self._database)
        self._subscribers.add(subscriber)
        try:
            while events := await read_events(
                self._database, after=after, wanted=wanted, limit=_EVENTS_PER_READ
            ):
                after = events[-1].position
                yield events
            while True:
                try:
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
                        event = await subscriber.queue.get()
                except TimeoutError:
                    yield []
                    continue
                if event is None:
                    return
                if event.position > after:
                    after = event.position
                    yield [event]
        finally:
            self._subscribers.discard(subscriber)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Feeds the followers for as long as the context lasts."""
        task = asyncio.create_task(self._run(), name="live feed")
        try:
            yield
        finally:
            self.end()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def end(self) -> None:
        """Ends every stream, so that a server waiting for its connections can stop."""
        self._ended = True
        for subscriber in self._subscribers:
            subscriber.end()

    async def _run(self) -> None:
        ear = self._doorbell.listen_for(Bell.EVENTS)
        while True:
            await ear.wait(_LOOK_AGAIN_SECONDS)
            try:
                await self._hand_out()
            except PillarboxError as error:
                _log.warning("live.read", outcome="waiting", reason=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _hand_out(self) -> None:
        everything = EventFilter()
        while self._subscribers and (
            events := await read_events(
                self._database, after=self._position, wanted=everything, limit=_EVENTS_PER_READ
            )
        ):
            self._position = events[-1].position
            for subscriber in self._subscribers:
                self._hand_to(
                    subscriber, [event for event in events if subscriber.wanted.matches(event)]
                )

    def _hand_to(self, subscriber: _Subscriber, events: Sequence[Event]) -> None:
        for event in events:
            try:
                subscriber.queue.put_nowait(event)
            except asyncio.QueueFull:
                subscriber.end()
                return
