"""Waiting for a message: the newest that is there already, or the first that comes."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from app.core.clock import Clock
from app.core.errors import NotFound, PillarboxError, Unavailable
from app.core.log import get_logger
from app.eventlog.event import Event
from app.eventlog.feed import Feed
from app.eventlog.read import EventFilter, last_position
from app.eventlog.types import EventType
from app.inbox.listing import Access, list_messages
from app.inbox.reading import MessageView, Reading
from app.search.conditions import within_folders
from app.search.documents import read_stored
from app.search.language import parse_query
from app.search.matching import matches
from app.search.query import And, Node, Received
from app.storage.db.database import Database

MAX_PAST_MESSAGES = 100
_PER_READ = 20
_ARRIVALS = EventFilter(types=(EventType.INGEST_RECEIVED,))
_log = get_logger("waiting")


@dataclass(frozen=True, slots=True)
class Waited:
    """What came of waiting; `message` is None when nothing did. What arrives later has a position
    in the log above `position`. `notes` tell what of the query was not understood."""

    message: MessageView | None
    position: int
    notes: Sequence[str]


class Waiting:
    """Waits on the log, not on the search index, which is a moment behind."""

    def __init__(self, database: Database, feed: Feed, reading: Reading, clock: Clock) -> None:
        self._database = database
        self._reading = reading
        self._clock = clock
        self._watchers = _Watchers(database, feed)

    async def find_first(
        self,
        access: Access,
        text: str,
        *,
        timeout_seconds: float,
        since: datetime | None = None,
        after: int | None = None,
    ) -> Waited:
        """The newest message that matches `text`, of the newest `MAX_PAST_MESSAGES` that `access`
        shows; where there is none, the first to arrive within `timeout_seconds`.

        An empty `text` matches every message. Only what was received at `since` or later counts,
        and what was told in the log behind `after`. Raises `Unavailable`, also when the process
        stops meanwhile.
        """
        query = parse_query(text, self._clock.now())
        root = within_folders(query.root)
        if since is not None:
            root = And((Received(since=since), root))
        # Who watches from here on and then looks at the rows that are there misses nothing.
        position = await last_position(self._database)
        with self._watchers.watching(access, root, position, after or 0) as watcher:
            message = await self._find_past(access, root, since, after)
            if message is not None:
                return Waited(message, position, query.notes)
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_seconds):
                    return await self._find_next(access, watcher, query.notes)
        return Waited(None, position, query.notes)

    async def _find_past(
        self, access: Access, root: Node, since: datetime | None, after: int | None
    ) -> MessageView | None:
        rows = (await list_messages(self._database, access, limit=MAX_PAST_MESSAGES)).rows
        recent = takewhile(lambda row: since is None or row.received_at >= since, rows)
        message_ids = await self._told_after(after, [row.id for row in recent])
        for start in range(0, len(message_ids), _PER_READ):
            chunk = message_ids[start : start + _PER_READ]
            stored = await read_stored(self._database, chunk)
            for message_id in chunk:
                fits = message_id in stored and matches(root, stored[message_id])
                if fits and (message := await self._open(access, message_id)):
                    return message
        return None

    async def _told_after(
        self, position: int | None, message_ids: Sequence[UUID]
    ) -> Sequence[UUID]:
        if position is None or not message_ids:
            return message_ids
        rows = await self._database.fetch(
            """select subject_id from event
            where subject_id = any($1::uuid[]) and type = $2 and position > $3""",
            message_ids,
            EventType.INGEST_RECEIVED.value,
            position,
        )
        told = {row["subject_id"] for row in rows}
        return [message_id for message_id in message_ids if message_id in told]

    async def _find_next(self, access: Access, watcher: "_Watcher", notes: Sequence[str]) -> Waited:
        while True:
            arrival = await watcher.found.get()
            if arrival is None:
                raise Unavailable("This process is stopping. Ask again.")
            if message := await self._open(access, arrival.subject_id):
                return Waited(message, arrival.position, notes)

    async def _open(self, access: Access, message_id: UUID) -> MessageView | None:
        """None when it was removed meanwhile."""
        with suppress(NotFound):
            return await self._reading.open(access, message_id)
        return None


@dataclass(eq=False, slots=True)
class _Watcher:
    """One who waits. In `found` are the arrivals that match; None ends it."""

    wanted: EventFilter
    root: Node
    after: int
    found: "asyncio.Queue[Event | None]" = field(default_factory=asyncio.Queue)


class _Watchers:
    """All who wait in this process. One task follows the log for them and reads each message that
    arrives once: many may wait at one mailbox, each for another message of it."""

    def __init__(self, database: Database, feed: Feed) -> None:
        self._database = database
        self._feed = feed
        self._watchers: set[_Watcher] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def watching(self, access: Access, root: Node, position: int, after: int) -> Iterator[_Watcher]:
        """Somebody who is told of what arrives behind `position`, and behind `after`."""
        wanted = EventFilter(access.tenant_id, access.mailbox_ids)
        watcher = _Watcher(wanted, root, after)
        self._watchers.add(watcher)
        if self._task is None:
            self._task = asyncio.create_task(self._follow(position), name="waiting")
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            if not self._watchers and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _follow(self, position: int) -> None:
        try:
            async with aclosing(self._feed.follow(_ARRIVALS, after=position)) as arrivals:
                async for events in arrivals:
                    for event in events:
                        await self._tell(event)
        except PillarboxError as error:
            _log.warning("waiting.follow", outcome="ended", reason=str(error))
        finally:
            if self._task is asyncio.current_task():
                self._task = None
                for watcher in self._watchers:
                    watcher.found.put_nowait(None)

    async def _tell(self, event: Event) -> None:
        concerned = [each for each in self._watchers if each.wanted.matches(event)]
        if not concerned:
            return
        stored = (await read_stored(self._database, [event.subject_id])).get(event.subject_id)
        if stored is None:
            return
        for watcher in concerned:
            if event.position > watcher.after and matches(watcher.root, stored):
                watcher.found.put_nowait(event)
