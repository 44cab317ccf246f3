"""Telling open pages of new events. Each page keeps its own position (`Last-Event-ID`).

One task in each process reads the log and hands every event to the pages that want it. A page
registers before it reads what it missed, so between the two nothing is lost; positions tell what
it has seen already. Followers are known by their mailboxes, or else by their tenant, so that an
event costs nothing to those whom it does not concern.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

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

    @property
    def keys(self) -> Collection[UUID | None]:
        """Under what it is looked for; None stands for the events of everybody."""
        if self.wanted.mailbox_ids is not None:
            return set(self.wanted.mailbox_ids)
        return (self.wanted.tenant_id,)

    def hand(self, event: Event) -> None:
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.end()

    async def take(self) -> Sequence[Event]:
        """What was handed over, once there is anything; nothing when the stream ends."""
        taken = []
        event = await self.queue.get()
        while event is not None:
            taken.append(event)
            if self.queue.empty():
                return taken
            event = self.queue.get_nowait()
        return []

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
        self._by_key: dict[UUID | None, set[_Subscriber]] = {}
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
        if not self._subscribers:
            position = await last_position(self._database)
            # Another may have begun meanwhile, and must not be moved past what it waits for.
            if not self._subscribers:
                self._position = position
        if self._ended:
            return
        self._add(subscriber)
        try:
            while events := await read_events(
                self._database, after=after, wanted=wanted, limit=_EVENTS_PER_READ
            ):
                after = events[-1].position
                yield events
            while True:
                try:
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
                        taken = await subscriber.take()
                except TimeoutError:
                    yield []
                    continue
                if not taken:
                    return
                if events := [event for event in taken if event.position > after]:
                    after = events[-1].position
                    yield events
        finally:
            self._remove(subscriber)

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

    def _add(self, subscriber: _Subscriber) -> None:
        self._subscribers.add(subscriber)
        for key in subscriber.keys:
            self._by_key.setdefault(key, set()).add(subscriber)

    def _remove(self, subscriber: _Subscriber) -> None:
        self._subscribers.discard(subscriber)
        for key in subscriber.keys:
            if found := self._by_key.get(key):
                found.discard(subscriber)
                if not found:
                    del self._by_key[key]

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
            for event in events:
                for key in {event.mailbox_id, event.tenant_id, None}:
                    for subscriber in self._by_key.get(key, ()):
                        if subscriber.wanted.matches(event):
                            subscriber.hand(event)
