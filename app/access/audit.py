"""The audit trail: who did what from where, in a chain that shows what is missing from it.

Each tenant has a chain, and so has the installation for what belongs to no tenant. The hash of an
entry is made of the one before it and of all that the entry says, so that whoever removes or
changes one has to forge every later one; whoever noted a hash sees that. What is older than it has
to be kept goes from the beginning, and the chain remembers what its first entry hangs on.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.access.grants import Actor
from app.core.clock import Clock
from app.core.errors import InvalidInput
from app.core.ids import Ids
from app.eventlog.append import Transaction
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.storage.db.database import Connection, Database, Record

MAX_PAGE = 200
Facts = Mapping[str, str | int | bool | Sequence[str] | None]
_BEGINNING = bytes(32)
_BATCH = 500
_REMOVED_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done. `number` counts from 1 in its chain."""

    id: UUID
    tenant_id: UUID | None
    number: int
    recorded_at: datetime
    action: str
    actor: Actor
    subject_type: str
    subject_id: UUID
    facts: Facts
    hash: bytes

    def chained_to(self, previous_hash: bytes) -> bytes:
        """The hash that this entry must have after that one: SHA-256 over the previous hash and
        all else as compact JSON with sorted keys."""
        said = [
            *(self.id, self.tenant_id, self.number),
            self.recorded_at.astimezone(UTC).isoformat(timespec="microseconds"),
            *(self.action, self.actor.kind, self.actor.id, self.actor.name, self.actor.address),
            *(self.subject_type, self.subject_id, self.facts),
        ]
        return hashlib.sha256(previous_hash + _encode(said)).digest()


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted. Empty and None want all.

    `who` is part of a name, `what` the beginning of an action, `address` the beginning of an IP
    address; `since` is included and `until` is not.
    """

    who: str = ""
    what: str = ""
    address: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Newest first."""

    entries: Sequence[AuditEntry]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Verification:
    """`entries` were found whole, from the oldest on. `fault` says what is wrong with the next
    one, in a sentence; empty when nothing is."""

    entries: int
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """Writing and reading the trail. A tenant of None stands for the installation's own chain."""

    database: Database
    clock: Clock
    ids: Ids

    async def record(
        self,
        transaction: Transaction,
        actor: Actor,
        action: EventType,
        *,
        tenant_id: UUID | None,
        subject: tuple[str, UUID],
        facts: Facts | None = None,
        told: Facts | None = None,
    ) -> None:
        """Notes what `actor` did, in the transaction that does it, and tells the event log.

        `facts` may name names. The event gets only `told`, ids and plain facts, and who did it.
        Others of the same tenant wait from here until the transaction ends.
        """
        chain = await _lock_chain(transaction.connection, tenant_id, self.ids)
        entry = AuditEntry(
            id=self.ids.new(),
            tenant_id=tenant_id,
            number=chain["last_number"] + 1,
            recorded_at=self.clock.now(),
            action=action.value,
            actor=actor,
            subject_type=subject[0],
            subject_id=subject[1],
            facts={**(told or {}), **(facts or {})},
            hash=b"",
        )
        await _append(transaction.connection, chain["id"], entry, chain["last_hash"])
        transaction.tell(
            NewEvent(
                action,
                trace_id=self.ids.new(),
                subject=subject,
                tenant_id=tenant_id,
                data={
                    "actor": actor.kind,
                    **({"actor_id": str(actor.id)} if actor.id else {}),
                    **(told or {}),
                },
            )
        )

    async def list(
        self,
        tenant_id: UUID | None,
        wanted: AuditFilter | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> AuditPage:
        """A page of what was done. Raises `InvalidInput` for a cursor that is not ours."""
        limit = max(1, min(limit, MAX_PAGE))
        found = await self._read(
            tenant_id, wanted or AuditFilter(), before=_read_cursor(cursor), limit=limit + 1
        )
        if len(found) <= limit:
            return AuditPage(found, None)
        return AuditPage(found[:limit], str(found[limit - 1].number))

    async def walk(
        self, tenant_id: UUID | None, wanted: AuditFilter | None = None
    ) -> AsyncIterator[AuditEntry]:
        """All of what was done, newest first, a batch in memory at a time."""
        before = None
        while found := await self._read(
            tenant_id, wanted or AuditFilter(), before=before, limit=_BATCH
        ):
            for entry in found:
                yield entry
            before = found[-1].number

    async def verify(self, tenant_id: UUID | None) -> Verification:
        """Goes through the whole chain, and stops at the first entry that is missing or another
        than it was when it was written."""
        async with self.database.transaction() as connection:
            await connection.execute("set transaction isolation level repeatable read")
            chain = await connection.fetchrow(f"select * from audit_chain where {_OF}", tenant_id)
            if chain is None:
                return Verification(0)
            number, last_hash = chain["removed_number"], chain["removed_hash"]
            checked = 0
            while rows := await connection.fetch(_FORWARDS, chain["id"], number, _BATCH):
                for entry in map(_to_entry, rows):
                    if entry.number != number + 1:
                        return Verification(checked, f"Entry {number + 1} is missing.")
                    if entry.chained_to(last_hash) != entry.hash:
                        return Verification(checked, f"Entry {entry.number} was changed.")
                    number, last_hash, checked = entry.number, entry.hash, checked + 1
            if (number, last_hash) != (chain["last_number"], chain["last_hash"]):
                return Verification(checked, f"What came after entry {number} is missing.")
            return Verification(checked)

    async def remove_old(self, keep: timedelta) -> int:
        """Removes entries older than `keep` from the beginning of each chain. How many."""
        until = self.clock.now() - keep
        chains = await self.database.fetch(
            """select id from audit_chain where exists (
                select from audit_entry where chain_id = audit_chain.id and recorded_at < $1
            )""",
            until,
        )
        return sum([await self._shorten(chain["id"], until) for chain in chains])

    async def _shorten(self, chain_id: UUID, until: datetime) -> int:
        async with self.database.transaction() as connection:
            await connection.execute("select from audit_chain where id = $1 for update", chain_id)
            removed = await connection.fetch(_REMOVE, chain_id, until, _REMOVED_AT_ONCE)
            if removed:
                newest = max(removed, key=lambda row: int(row["number"]))
                await connection.execute(
                    "update audit_chain set removed_number = $2, removed_hash = $3 where id = $1",
                    chain_id,
                    newest["number"],
                    newest["hash"],
                )
        return len(removed)

    async def _read(
        self, tenant_id: UUID | None, wanted: AuditFilter, *, before: int | None, limit: int
    ) -> Sequence[AuditEntry]:
        conditions = [f"chain_id = (select id from audit_chain where {_OF})"]
        arguments: list[object] = [tenant_id]
        for condition, value in (
            ("number < ${}", before),
            ("strpos(lower(actor_name), lower(${})) > 0", wanted.who.replace("\0", "") or None),
            ("starts_with(action, ${})", wanted.what.replace("\0", "") or None),
            ("starts_with(actor_address, ${})", wanted.address.replace("\0", "") or None),
            ("recorded_at >= ${}", wanted.since),
            ("recorded_at < ${}", wanted.until),
        ):
            if value is not None:
                arguments.append(value)
                conditions.append(condition.format(len(arguments)))
        rows = await self.database.fetch(
            f"""select * from audit_entry where {" and ".join(conditions)}
            order by number desc limit {limit:d}""",
            *arguments,
        )
        return [_to_entry(row) for row in rows]


async def _lock_chain(connection: Connection, tenant_id: UUID | None, ids: Ids) -> Record:
    """The end of the chain, which is then nobody else's to go on from."""
    row: Record = await connection.fetchrow(
        """insert into audit_chain
            (id, tenant_id, last_number, last_hash, removed_number, removed_hash)
        values ($1, $2, 0, $3, 0, $3)
        on conflict (tenant_id) do update set last_number = audit_chain.last_number
        returning id, last_number, last_hash""",
        ids.new(),
        tenant_id,
        _BEGINNING,
    )
    return row


async def _append(
    connection: Connection, chain_id: UUID, entry: AuditEntry, previous_hash: bytes
) -> None:
    new_hash = entry.chained_to(previous_hash)
    await connection.execute(
        """insert into audit_entry (id, chain_id, tenant_id, number, recorded_at, action,
            actor_kind, actor_id, actor_name, actor_address, subject_type, subject_id, facts, hash)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)""",
        entry.id,
        chain_id,
        entry.tenant_id,
        entry.number,
        entry.recorded_at,
        entry.action,
        entry.actor.kind,
        entry.actor.id,
        entry.actor.name,
        entry.actor.address,
        entry.subject_type,
        entry.subject_id,
        _encode(entry.facts).decode(),
        new_hash,
    )
    await connection.execute(
        "update audit_chain set last_number = $2, last_hash = $3 where id = $1",
        chain_id,
        entry.number,
        new_hash,
    )


def _to_entry(row: Record) -> AuditEntry:
    return AuditEntry(
        id=row["id"],
        tenant_id=row["tenant_id"],
        number=row["number"],
        recorded_at=row["recorded_at"],
        action=row["action"],
        actor=Actor(row["actor_kind"], row["actor_id"], row["actor_name"], row["actor_address"]),
        subject_type=row["subject_type"],
        subject_id=row["subject_id"],
        facts=msgspec.json.decode(row["facts"]),
        hash=row["hash"],
    )


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _read_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidInput("This cursor is not one of ours.")
    return int(cursor)


_OF = "(tenant_id = $1 or ($1::uuid is null and tenant_id is null))"
_FORWARDS = "select * from audit_entry where chain_id = $1 and number > $2 order by number limit $3"
# Only from the beginning, so that the rest stays whole even where clocks went back.
_REMOVE = """
delete from audit_entry where chain_id = $1 and number in (
    select number from audit_entry where chain_id = $1 and number < coalesce(
        (select min(number) from audit_entry where chain_id = $1 and recorded_at >= $2),
        9223372036854775807)
    order by number limit $3
)
returning number, hash
"""
