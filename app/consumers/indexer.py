"""Keeping the search index true to the stored messages.

What an event speaks of is read from the database as it is now, and the index made to agree: an
event handled twice, late or after its message was deleted does no harm.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.core.backoff import Backoff
from app.core.errors import PillarboxError
from app.core.log import get_logger
from app.eventlog.append import MAX_EVENTS_PER_APPEND, EventLog
from app.eventlog.event import Event, NewEvent
from app.eventlog.types import EventType
from app.search.correspondents import Correspondents
from app.search.documents import read_documents, read_mailbox
from app.search.port import Document, IndexBroken, SearchIndex
from app.search.rebuilds import INDEXER, Rebuild, Rebuilds

_log = get_logger("indexer")
INDEXED_TYPES: Sequence[str] = (
    EventType.INGEST_RECEIVED,
    EventType.MESSAGE_DELETED,
    EventType.MAILBOX_EXPIRED,
)
_LOOK_AGAIN_SECONDS = 1.0
_PAUSE = Backoff(first_seconds=0.5, ceiling_seconds=30)
# A commit costs much the same for one message as for fifty. After each, mail is left to gather for
# a few times as long as it took, so that commits never fill the day.
_REST = 3.0
_MIN_REST_SECONDS = 0.2
_MAX_REST_SECONDS = 0.5


@dataclass(slots=True)
class Indexer:
    """The consumer that writes the index, and builds anew what is broken, lost or asked for."""

    log: EventLog
    index: SearchIndex
    correspondents: Correspondents
    rebuilds: Rebuilds
    name: str = INDEXER
    types: Sequence[str] = INDEXED_TYPES
    batch_size: int = 200
    _checked: bool = field(default=False, init=False)
    _generations: dict[UUID, int] = field(default_factory=dict, init=False)
    _postponed: dict[UUID, list[NewEvent]] = field(default_factory=dict, init=False)
    _checking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        """Commits what changed, a mailbox at a time, and tells of each message now found."""
        started = time.monotonic()
        await self._check_once()
        batch = _Batch.of(events)
        for mailbox_id in batch.expired:
            await self.index.remove_mailbox(mailbox_id)
            self._generations.pop(mailbox_id, None)
        documents = await read_documents(self.log.database, list(batch.received))
        indexed: list[Document] = []
        written: dict[UUID, int] = {}
        for mailbox_id, message_ids in batch.touched.items():
            mine = [document for document in documents if document.mailbox_id == mailbox_id]
            generation = await self._write(mailbox_id, mine, message_ids)
            if generation is not None:
                indexed += mine
                written[mailbox_id] = generation
            else:
                self._postponed.setdefault(mailbox_id, []).extend(batch.tell(mine))
        await self.rebuilds.note_generations(written)
        self._generations |= written
        await self.correspondents.remember([document.message_id for document in documents])
        await self.correspondents.forget_gone(list(batch.deleted_from))
        _log.info(
            "indexer.indexed",
            messages=len(indexed),
            mailboxes=len(batch.touched),
            duration_ms=round((time.monotonic() - started) * 1000, 1),
            outcome="indexed",
        )
        await self._rest(started, full=len(events) == self.batch_size)
        return batch.tell(indexed)

    async def take_care(self) -> None:
        """Builds what has to be built anew. To be called again and again by the one that leads.

        A mailbox that cannot be built does not hold up the others: what it raised comes last.
        """
        await self._check_once()
        if broken := await self.index.broken():
            await self.rebuilds.request(broken)
        failure: Exception | None = None
        for rebuild in await self.rebuilds.waiting():
            try:
                await self._rebuild(rebuild)
            except Exception as error:
                failure = error
        if failure is not None:
            raise failure

    async def _write(
        self, mailbox_id: UUID, documents: Sequence[Document], message_ids: set[UUID]
    ) -> int | None:
        """The generation that holds it; None when the mailbox has to be built anew first."""
        gone = message_ids - {document.message_id for document in documents}
        try:
            if gone:
                await self.index.remove(mailbox_id, sorted(gone))
            if documents:
                await self.index.put(documents)
            generation = await self.index.generation(mailbox_id)
            if generation < self._generations.get(mailbox_id, 0):
                raise IndexBroken(mailbox_id, "somebody took back what was written to it")
        except IndexBroken as error:
            _log.warning("indexer.broken", reason=str(error), outcome="rebuilding")
            self._generations.pop(mailbox_id, None)
            await self.rebuilds.request([mailbox_id])
            return None
        return generation

    async def _check_once(self) -> None:
        """Whether any index lost what was written to it, as after a power cut."""
        async with self._checking:
            if self._checked:
                return
            known = await self.rebuilds.known_generations()
            behind = []
            for mailbox_id, generation in known.items():
                self._generations[mailbox_id] = await self.index.generation(mailbox_id)
                if self._generations[mailbox_id] < generation:
                    behind.append(mailbox_id)
            if behind:
                _log.warning("indexer.behind", mailboxes=len(behind), outcome="rebuilding")
                await self.rebuilds.request(behind)
            self._checked = True

    async def _rebuild(self, rebuild: Rebuild) -> None:
        started = time.monotonic()
        total = await self.log.database.fetch_value(
            "select count(*) from message where mailbox_id = $1", rebuild.mailbox_id
        )
        await self.index.rebuild(rebuild.mailbox_id, self._documents(rebuild, total))
        if not await self._is_there(rebuild.mailbox_id):
            await self.index.remove_mailbox(rebuild.mailbox_id)
            return
        generation = await self.index.generation(rebuild.mailbox_id)
        self._generations[rebuild.mailbox_id] = generation
        await self.rebuilds.finish(rebuild, generation)
        await self._tell_postponed(rebuild.mailbox_id)
        _log.info(
            "indexer.rebuild",
            mailbox_id=str(rebuild.mailbox_id),
            messages=total,
            duration_ms=round((time.monotonic() - started) * 1000),
            outcome="rebuilt",
        )

    async def _documents(self, rebuild: Rebuild, total: int) -> AsyncIterator[Sequence[Document]]:
        done = 0
        await self.rebuilds.note_progress(rebuild.mailbox_id, done, total)
        async for documents in read_mailbox(self.log.database, rebuild.mailbox_id):
            yield documents
            done += len(documents)
            await self.rebuilds.note_progress(rebuild.mailbox_id, done, max(done, total))

    async def _is_there(self, mailbox_id: UUID) -> bool:
        """A mailbox that was removed meanwhile must not come back with its mail."""
        return bool(
            await self.log.database.fetch_value(
                "select true from mailbox where id = $1", mailbox_id
            )
        )

    async def _tell_postponed(self, mailbox_id: UUID) -> None:
        """Of messages that came while their mailbox's index was broken."""
        events = self._postponed.pop(mailbox_id, [])
        for start in range(0, len(events), MAX_EVENTS_PER_APPEND):
            async with self.log.transaction() as transaction:
                transaction.tell(*events[start : start + MAX_EVENTS_PER_APPEND])

    async def _rest(self, started: float, *, full: bool) -> None:
        if not full:
            spent = time.monotonic() - started
            rest = max(_REST * spent, _MIN_REST_SECONDS)
            await asyncio.sleep(min(rest, _MAX_REST_SECONDS))


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a batch of events is about."""

    received: dict[UUID, Event]
    touched: dict[UUID, set[UUID]]
    """Of each mailbox the messages that came or went."""
    deleted_from: set[UUID]
    expired: set[UUID]

    @classmethod
    def of(cls, events: Iterable[Event]) -> "_Batch":
        received: dict[UUID, Event] = {}
        touched: dict[UUID, set[UUID]] = defaultdict(set)
        deleted_from, expired = set(), set()
        for event in events:
            if event.type == EventType.MAILBOX_EXPIRED:
                expired.add(event.subject_id)
            elif event.subject_type == "message" and event.mailbox_id is not None:
                touched[event.mailbox_id].add(event.subject_id)
                if event.type == EventType.INGEST_RECEIVED:
                    received[event.subject_id] = event
                else:
                    deleted_from.add(event.mailbox_id)
        for mailbox_id in expired:
            touched.pop(mailbox_id, None)
        return cls(received, touched, deleted_from, expired)

    def tell(self, documents: Iterable[Document]) -> list[NewEvent]:
        return [
            NewEvent(
                EventType.INDEXER_INDEXED,
                trace_id=self.received[document.message_id].trace_id,
                subject=("message", document.message_id),
                tenant_id=document.tenant_id,
                mailbox_id=document.mailbox_id,
            )
            for document in documents
        ]


async def take_care_while_leading(indexer: Indexer, leader: UUID) -> None:
    """Until cancelled. A rebuild that fails is tried again after a pause."""
    failures = 0
    while True:
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        try:
            if await _leads(indexer, leader):
                await indexer.take_care()
            failures = 0
        except Exception as error:
            failures += 1
            if isinstance(error, PillarboxError):
                _log.warning("indexer.rebuild", outcome="waiting", reason=str(error))
            else:
                _log.exception("indexer.rebuild", outcome="waiting")
            await asyncio.sleep(_PAUSE.delay_seconds(failures))


async def _leads(indexer: Indexer, leader: UUID) -> bool:
    return bool(
        await indexer.log.database.fetch_value(
            "select true from consumer where name = $1 and leader = $2 and lease_until > $3",
            indexer.name,
            leader,
            indexer.log.clock.now(),
        )
    )
