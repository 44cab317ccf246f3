"""Waiting for a message: the newest that is there already, or the first that comes."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from app.core.clock import Clock
from app.core.errors import NotFound, PillarboxError, Unavailable
from app.eventlog.feed import Feed
from app.eventlog.read import EventFilter, last_position
from app.eventlog.types import EventType
from app.inbox.listing import Access, list_messages
from app.inbox.reading import MessageView, Reading
from app.search.conditions import within_folders
from app.search.documents import read_stored
from app.search.language import parse_query
from app.search.matching import StoredMessage, matches
from app.search.query import And, Node, Received
from app.storage.db.database import Database

MAX_PAST_MESSAGES = 100
_PER_READ = 20
_KEPT_ARRIVALS = 32


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
        self._feed = feed
        self._reading = reading
        self._clock = clock
        self._arrivals = _Arrivals(database)

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
        # Everything up to here in the log is found as a row, all else is told by the feed.
        position = await last_position(self._database)
        message = await self._find_past(access, root, since, after)
        if message is None:
            message, position = await self._await_next(access, root, position, timeout_seconds)
        return Waited(message, position, query.notes)

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
                if message := await self._open(access, root, stored.get(message_id)):
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

    async def _await_next(
        self, access: Access, root: Node, position: int, timeout_seconds: float
    ) -> tuple[MessageView | None, int]:
        """And how far the log was looked at."""
        wanted = EventFilter(access.tenant_id, access.mailbox_ids, (EventType.INGEST_RECEIVED,))
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(timeout_seconds),
                aclosing(self._feed.follow(wanted, after=position)) as arriving,
            ):
                async for events in arriving:
                    for event in events:
                        stored = await self._arrivals.read(event.subject_id)
                        message = await self._open(access, root, stored)
                        position = event.position
                        if message is not None:
                            return message, position
                raise Unavailable("This process is stopping. Ask again.")
        return None, position

    async def _open(
        self, access: Access, root: Node, stored: StoredMessage | None
    ) -> MessageView | None:
        """The message if it matches, and was not removed since."""
        if stored is None or not matches(root, stored):
            return None
        with suppress(NotFound):
            return await self._reading.open(access, stored.document.message_id)
        return None


class _Arrivals:
    """Messages as they were when they arrived, each read once for all who wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads: dict[UUID, asyncio.Task[StoredMessage | None]] = {}

    async def read(self, message_id: UUID) -> StoredMessage | None:
        read = self._reads.get(message_id)
        if read is None:
            read = asyncio.create_task(self._read(message_id))
            self._reads[message_id] = read
            if len(self._reads) > _KEPT_ARRIVALS:
                del self._reads[next(iter(self._reads))]
        try:
            # One who leaves does not take the others' answer along.
            return await asyncio.shield(read)
        except PillarboxError:
            if self._reads.get(message_id) is read:
                del self._reads[message_id]
            raise

    async def _read(self, message_id: UUID) -> StoredMessage | None:
        return (await read_stored(self._database, [message_id])).get(message_id)
