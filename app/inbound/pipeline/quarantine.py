"""What could not be taken in: kept with its bytes and its reason, for an operator to decide."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from app.core.clock import Clock
from app.core.errors import NotFound
from app.core.ids import Ids, derive_id
from app.core.log import get_logger
from app.directory.recipients import Recipients
from app.eventlog.append import EventLog
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.inbound.pipeline.arrival import Arrival
from app.inbound.pipeline.pipeline import Pipeline
from app.storage.blobs.keys import quarantine_key
from app.storage.blobs.port import BlobStore
from app.storage.db.database import Database
from app.storage.released import release_objects
from app.storage.spool.port import Gap, Item, ItemMetadata, Position

_log = get_logger("quarantine")


@dataclass(frozen=True, slots=True)
class QuarantinedItem:
    """`item_id` names it everywhere. `mail_from` is empty for a gap in the spool."""

    item_id: UUID
    trace_id: UUID
    stage: str
    reason: str
    size_bytes: int
    mail_from: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Listing, trying again and dropping what was put by."""

    database: Database
    log: EventLog
    blobs: BlobStore
    recipients: Recipients
    clock: Clock
    ids: Ids

    async def list(self, limit: int = 100) -> Sequence[QuarantinedItem]:
        """The newest first."""
        rows = await self.database.fetch(
            f"select {_COLUMNS} from quarantine order by created_at desc, id desc limit $1", limit
        )
        return [QuarantinedItem(**row) for row in rows]

    async def show(self, item_id: UUID) -> QuarantinedItem:
        """Raises `NotFound`."""
        row = await self.database.fetch_one(
            f"select {_COLUMNS} from quarantine where id = $1", item_id
        )
        if row is None:
            raise NotFound(f"Nothing with the id {item_id} is in quarantine.")
        return QuarantinedItem(**row)

    async def read_raw(self, item_id: UUID) -> bytes:
        """The bytes as they arrived. Raises `NotFound`."""
        await self.show(item_id)
        return await self.blobs.get(quarantine_key(item_id))

    async def retry(self, item_id: UUID, pipeline: Pipeline) -> bool:
        """Takes the item in again. False when it stays here, with its newest reason.

        Raises `NotFound`, also for a gap in the spool, which holds no whole item.
        """
        raw = await self.read_raw(item_id)
        source = await self.database.fetch_value(
            "select source from quarantine where id = $1", item_id
        )
        if source == "{}":
            raise NotFound("This is a damaged part of the spool and holds no whole message.")
        metadata = msgspec.json.decode(source, type=ItemMetadata)
        item = Item(Position("quarantine", 0, 0), metadata, raw)
        await pipeline.take_in_alone(Arrival(item, from_quarantine=True), None)
        return not await self.database.fetch_value(
            "select exists (select from quarantine where id = $1)", item_id
        )

    async def drop(self, item_id: UUID) -> None:
        """Forgets the item and its bytes. Raises `NotFound`."""
        async with self.log.transaction() as transaction:
            dropped = await transaction.connection.fetchrow(
                "delete from quarantine where id = $1 returning trace_id, tenant_id", item_id
            )
            if dropped is None:
                raise NotFound(f"Nothing with the id {item_id} is in quarantine.")
            await release_objects(
                transaction.connection,
                [quarantine_key(item_id)],
                ids=self.ids,
                now=self.clock.now(),
            )
            transaction.tell(
                NewEvent(
                    EventType.MESSAGE_DELETED,
                    trace_id=dropped["trace_id"],
                    tenant_id=dropped["tenant_id"],
                    subject=("spool_item", item_id),
                    data={"reason": "dropped_from_quarantine"},
                )
            )

    async def drop_expired(self) -> int:
        """Drops what was for temporary inboxes alone that are all gone. Returns how many went."""
        rows = await self.database.fetch(
            """select id, array(select jsonb_array_elements_text(source->'envelope'->'rcpt_to'))
                as recipients
            from quarantine where source ? 'envelope' and not exists (
                select from jsonb_array_elements_text(source->'envelope'->'rcpt_to') as recipient
                where substring(lower(recipient) from '@([^@]*)$') not in (
                    select domain.name from domain join tenant on tenant.id = tenant_id
                    where plan = 'temporary' and status <> 'pending'))
            order by created_at limit 500"""
        )
        there = await self.recipients.find_mailboxes(
            {name for row in rows for name in row["recipients"]}
        )
        gone = [row["id"] for row in rows if not there.keys() & set(row["recipients"])]
        for item_id in gone:
            with suppress(NotFound):  # Somebody else dropped it meanwhile.
                await self.drop(item_id)
        return len(gone)

    async def keep_gap(self, gap: Gap) -> None:
        """Keeps the bytes of a sealed segment that are no valid record, and raises the alarm."""
        place = f"{gap.position.producer}/{gap.position.segment} at {gap.position.offset}"
        gap_id = _gap_id(gap)
        _log.error("spool.damaged", place=place, size_bytes=len(gap.data), outcome="quarantined")
        await self.blobs.put(quarantine_key(gap_id), gap.data, {})
        await self._insert(gap_id, "claim", f"Damaged spool, {place}: {gap.reason}", len(gap.data))

    async def report_lost(self, item_id: UUID, reason: str) -> None:
        """A deferred item that the spool cannot give back any more."""
        await self.blobs.put(quarantine_key(item_id), b"", {})
        await self._insert(item_id, "claim", reason, 0)
        await self.database.execute("delete from spool_deferred where id = $1", item_id)

    async def _insert(self, item_id: UUID, stage: str, reason: str, size_bytes: int) -> None:
        trace_id = self.ids.new()
        async with self.log.transaction() as transaction:
            inserted = await transaction.connection.fetchval(
                """insert into quarantine
                    (id, trace_id, stage, reason, storage_key, size_bytes, created_at)
                values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning true""",
                item_id,
                trace_id,
                stage,
                reason,
                quarantine_key(item_id),
                size_bytes,
                self.clock.now(),
            )
            if inserted:
                transaction.tell(
                    NewEvent(
                        EventType.MESSAGE_QUARANTINED,
                        trace_id=trace_id,
                        subject=("spool_item", item_id),
                        data={"stage": stage, "size_bytes": size_bytes},
                    )
                )


_COLUMNS = """id as item_id, trace_id, stage, reason, size_bytes,
    coalesce(source->'envelope'->>'mail_from', '') as mail_from, created_at"""


def _gap_id(gap: Gap) -> UUID:
    """The same gap has the same id, however often it is read."""
    place = f"{gap.position.producer}/{gap.position.segment}/{gap.position.offset}"
    return derive_id(UUID(int=0), place.encode())
