"""The last step: one transaction for a batch, in which everything becomes true at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.core.backoff import Backoff
from app.core.clock import Clock
from app.core.errors import PillarboxError
from app.core.ids import Ids
from app.eventlog.append import EventLog, Transaction
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.inbound.pipeline.admission import Pair, admit
from app.inbound.pipeline.arrival import (
    Advance,
    Arrival,
    Batch,
    Deferral,
    Delivery,
    Dropped,
    Refusal,
    Routed,
    Timing,
    describe_passage,
    stored_attachment_key,
)
from app.inbound.pipeline.rows import attachment_rows, body_row, insert, message_row
from app.inbox.temporary_limits import TemporaryLimits
from app.mime.addresses import normalise_domain, split_address
from app.storage.blobs.keys import quarantine_key
from app.storage.db.database import Connection
from app.storage.released import release_objects

_BACKOFF = Backoff(first_seconds=2, ceiling_seconds=900)


class PositionMoved(PillarboxError):
    """Another worker advanced this spool meanwhile; nothing was recorded."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes what became of a batch."""

    log: EventLog
    limits: TemporaryLimits
    clock: Clock
    ids: Ids

    async def record(self, spool: str, batch: Batch, advance: Advance | None) -> None:
        """Messages, attachments, quarantine, deferrals, events and position, or none of it.

        What was recorded by an earlier try is left as it is. Raises `Unavailable`, and
        `PositionMoved` when the reader is not where `advance` starts.
        """
        async with self.log.transaction() as transaction:
            if advance is not None:
                await self._advance(transaction.connection, advance)
            await self._insert_messages(transaction, batch)
            for refusal in batch.refusals:
                await self._quarantine(transaction, refusal, batch.timing)
            for deferral in batch.deferrals:
                await self._defer(transaction.connection, spool, deferral)
            for dropped in batch.dropped:
                transaction.tell(_dropped(dropped, batch.timing))
            await self._settle(transaction.connection, batch)

    async def _advance(self, connection: Connection, advance: Advance) -> None:
        moved = await connection.fetchval(
            """insert into spool_position (id, spool, producer, segment, byte_offset)
            values ($1, $2, $3, $4, $5)
            on conflict (spool, producer) do update
                set segment = excluded.segment, byte_offset = excluded.byte_offset
                where (spool_position.segment, spool_position.byte_offset) = ($6, $7)
            returning true""",
            self.ids.new(),
            advance.spool,
            advance.end.producer,
            advance.end.segment,
            advance.end.offset,
            advance.start.segment,
            advance.start.offset,
        )
        if not moved:
            raise PositionMoved("Another worker reads this spool.")

    async def _insert_messages(self, transaction: Transaction, batch: Batch) -> None:
        timing = batch.timing
        deliveries = [(entry, delivery) for entry in batch.routed for delivery in entry.deliveries]
        if not deliveries:
            return
        connection = transaction.connection
        present = await _lock_mailboxes(connection, [d.mailbox.id for _, d in deliveries])
        gone = [pair for pair in deliveries if pair[1].mailbox.id not in present]
        deliveries = [pair for pair in deliveries if pair[1].mailbox.id in present]
        temporary = [mailbox_id for mailbox_id, is_temporary in present.items() if is_temporary]
        now = self.clock.now()
        admission = await admit(
            connection, deliveries, temporary=temporary, limits=self.limits, now=now
        )
        kept = admission.kept
        inserted = await insert(connection, "message", [message_row(*pair) for pair in kept])
        new = [pair for pair in kept if pair[1].message_id in inserted]
        old = [pair for pair in kept if pair[1].message_id not in inserted]
        await insert(connection, "message_body", [body_row(*pair) for pair in new])
        rows = [row for pair in new for row in attachment_rows(*pair)]
        await insert(connection, "attachment", rows)
        await _count_references(connection, new, self.ids)
        await _mark_variants(connection, [delivery.message_id for _, delivery in new])
        for entry, delivery in new:
            transaction.tell(*_received(entry, delivery, timing))
        await self._tell_duplicates(transaction, old, timing)
        await self._drop(transaction, [(pair, "mailbox_removed") for pair in gone], timing)
        await self._drop(transaction, admission.discarded, timing)
        await admission.settle(connection, new, now)

    async def _tell_duplicates(
        self, transaction: Transaction, pairs: Sequence[Pair], timing: Timing
    ) -> None:
        """Not inserted: recorded by an earlier try, or the same message sent again."""
        if not pairs:
            return
        rows = await transaction.connection.fetch(
            "select id from message where id = any($1::uuid[])",
            [delivery.message_id for _, delivery in pairs],
        )
        recorded_before = {row["id"] for row in rows}
        duplicates = [pair for pair in pairs if pair[1].message_id not in recorded_before]
        for entry, delivery in duplicates:
            metadata = entry.parsed.arrival.item.metadata
            original = await transaction.connection.fetchval(
                """select id from message
                where mailbox_id = $1 and identity = $2 and fingerprint = $3""",
                delivery.mailbox.id,
                entry.parsed.identity,
                entry.parsed.fingerprint,
            )
            await transaction.connection.execute(
                """insert into repeated_arrival
                    (id, tenant_id, message_id, trace_id, client_address, client_name)
                values ($1, $2, $3, $4, $5, $6) on conflict do nothing""",
                delivery.message_id,
                delivery.mailbox.tenant_id,
                original,
                metadata.trace_id,
                metadata.client_address,
                metadata.client_name.replace("\0", ""),
            )
            transaction.tell(
                _event(
                    EventType.MESSAGE_DUPLICATE,
                    entry,
                    delivery,
                    ("message", original),
                    _source(entry, timing),
                )
            )
        await self._release(transaction.connection, duplicates)

    async def _drop(
        self, transaction: Transaction, pairs: Sequence[tuple[Pair, str]], timing: Timing
    ) -> None:
        """Not kept, with the reason: the mailbox was removed since the message was routed, or a
        limit of its says no."""
        for (entry, delivery), reason in pairs:
            transaction.tell(
                _event(
                    EventType.MESSAGE_DELETED,
                    entry,
                    delivery,
                    ("message", delivery.message_id),
                    {"reason": str(reason), **_source(entry, timing)},
                )
            )
        await self._release(transaction.connection, [pair for pair, _ in pairs])

    async def _release(self, connection: Connection, pairs: Sequence[Pair]) -> None:
        keys = [
            stored_attachment_key(delivery, attachment)
            for entry, delivery in pairs
            for attachment in entry.parsed.message.attachments
        ]
        keys += [key for entry, _ in pairs for key in entry.raw_keys()]
        await release_objects(connection, keys, ids=self.ids, now=self.clock.now())

    async def _quarantine(self, transaction: Transaction, refusal: Refusal, timing: Timing) -> None:
        """It is its tenant's where all its recipients are of one, else for the operator to see."""
        metadata = refusal.arrival.item.metadata
        row = await transaction.connection.fetchrow(
            """insert into quarantine
                (id, trace_id, stage, reason, storage_key, size_bytes, source, created_at,
                 tenant_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, (
                select (array_agg(tenant_id))[1] from domain
                where name = any($9::text[]) and status <> 'pending'
                having count(distinct tenant_id) = 1))
            on conflict (id) do update set stage = excluded.stage, reason = excluded.reason
            returning tenant_id, xmax = 0 as is_new""",
            metadata.item_id,
            metadata.trace_id,
            refusal.stage,
            refusal.reason,
            quarantine_key(metadata.item_id),
            len(refusal.arrival.item.raw),
            msgspec.json.encode(metadata).decode(),
            self.clock.now(),
            [normalise_domain(split_address(each)[1]) for each in metadata.envelope.rcpt_to],
        )
        if row["is_new"]:
            transaction.tell(
                NewEvent(
                    EventType.MESSAGE_QUARANTINED,
                    tenant_id=row["tenant_id"],
                    trace_id=metadata.trace_id,
                    subject=("spool_item", metadata.item_id),
                    data={
                        "stage": refusal.stage,
                        "size_bytes": len(refusal.arrival.item.raw),
                        "source": metadata.source,
                        "passage": describe_passage(refusal.arrival, timing),
                    },
                )
            )

    async def _defer(self, connection: Connection, spool: str, deferral: Deferral) -> None:
        item, now = deferral.arrival.item, self.clock.now()
        attempts = deferral.arrival.attempts + 1
        await connection.execute(
            """insert into spool_deferred (id, spool, producer, segment, byte_offset, attempts,
                next_attempt_at, stage, reason, created_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            on conflict (id) do update set attempts = excluded.attempts, stage = excluded.stage,
                next_attempt_at = excluded.next_attempt_at, reason = excluded.reason""",
            item.metadata.item_id,
            spool,
            item.position.producer,
            item.position.segment,
            item.position.offset,
            attempts,
            now + timedelta(seconds=_BACKOFF.delay_seconds(attempts)),
            deferral.stage,
            deferral.reason,
            now,
        )

    async def _settle(self, connection: Connection, batch: Batch) -> None:
        """What had waited for its retry waits no longer, unless it was deferred again."""
        taken = [entry.parsed.arrival for entry in batch.routed]
        taken += [dropped.arrival for dropped in batch.dropped]
        refused = [refusal.arrival for refusal in batch.refusals]
        retried = [_item_id(a) for a in (*taken, *refused) if a.attempts]
        if retried:
            await connection.execute(
                "delete from spool_deferred where id = any($1::uuid[])", retried
            )
        released = [_item_id(a) for a in taken if a.from_quarantine]
        if released:
            await connection.execute("delete from quarantine where id = any($1::uuid[])", released)
            keys = [quarantine_key(item_id) for item_id in released]
            await release_objects(connection, keys, ids=self.ids, now=self.clock.now())


async def _lock_mailboxes(
    connection: Connection, mailbox_ids: Sequence[UUID]
) -> Mapping[UUID, bool]:
    """Those that are still there, kept there until the transaction ends; whether each is of the
    temporary plan."""
    rows = await connection.fetch(
        """select mailbox.id, tenant.plan = 'temporary' as is_temporary
        from mailbox join tenant on tenant.id = mailbox.tenant_id
        where mailbox.id = any($1::uuid[]) order by mailbox.id for key share of mailbox""",
        mailbox_ids,
    )
    return {row["id"]: row["is_temporary"] for row in rows}


async def _count_references(connection: Connection, pairs: Sequence[Pair], ids: Ids) -> None:
    await connection.execute(
        """insert into raw_blob (id, tenant_id, sha256, size_bytes, reference_count)
        select (array_agg(id))[1], tenant_id, sha256, max(size_bytes), count(*)
        from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bigint[])
            as new (id, tenant_id, sha256, size_bytes)
        group by tenant_id, sha256 order by tenant_id, sha256
        on conflict (tenant_id, sha256)
            do update set reference_count = raw_blob.reference_count + excluded.reference_count""",
        [ids.new() for _ in pairs],
        [delivery.mailbox.tenant_id for _, delivery in pairs],
        [entry.parsed.sha256 for entry, _ in pairs],
        [len(entry.parsed.arrival.item.raw) for entry, _ in pairs],
    )


async def _mark_variants(connection: Connection, message_ids: Sequence[UUID]) -> None:
    """Another message of the same identity was there first, with other content."""
    await connection.execute(
        """update message set is_variant = true
        where id = any($1::uuid[]) and exists (
            select from message as other
            where other.mailbox_id = message.mailbox_id and other.identity = message.identity
                and other.id < message.id)""",
        message_ids,
    )


def _received(entry: Routed, delivery: Delivery, timing: Timing) -> Sequence[NewEvent]:
    subject = ("message", delivery.message_id)
    size_bytes = len(entry.parsed.arrival.item.raw)
    stored = {"sha256": entry.parsed.sha256.hex(), "size_bytes": size_bytes}
    return [
        _event(EventType.OBJECTSTORE_UPLOADED, entry, delivery, subject, stored),
        _event(
            EventType.INGEST_RECEIVED,
            entry,
            delivery,
            subject,
            {**stored, **_source(entry, timing)},
        ),
    ]


def _dropped(dropped: Dropped, timing: Timing) -> NewEvent:
    metadata = dropped.arrival.item.metadata
    return NewEvent(
        EventType.MESSAGE_DELETED,
        trace_id=metadata.trace_id,
        subject=("spool_item", metadata.item_id),
        data={
            "reason": "no_mailbox",
            "source": metadata.source,
            "passage": describe_passage(dropped.arrival, timing),
        },
    )


def _source(entry: Routed, timing: Timing) -> Mapping[str, Any]:
    metadata = entry.parsed.arrival.item.metadata
    return {
        "item_id": str(metadata.item_id),
        "source": metadata.source,
        "passage": describe_passage(entry.parsed.arrival, timing),
    }


def _event(
    kind: EventType,
    entry: Routed,
    delivery: Delivery,
    subject: tuple[str, UUID],
    data: Mapping[str, Any],
) -> NewEvent:
    return NewEvent(
        kind,
        trace_id=entry.parsed.arrival.item.metadata.trace_id,
        subject=subject,
        tenant_id=delivery.mailbox.tenant_id,
        mailbox_id=delivery.mailbox.id,
        data=data,
    )


def _item_id(arrival: Arrival) -> UUID:
    return arrival.item.metadata.item_id
