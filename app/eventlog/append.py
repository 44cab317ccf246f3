"""Writing to the log, so that positions become visible in their order.

Sequence values are taken before a commit, so without a lock a reader that remembers the highest
position it saw would miss an event with a lower one that commits later. Appending takes an
advisory lock that lasts until the commit, in a statement of its own (one statement would take its
snapshot and its sequence values before it waits), as the last act of the transaction.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import msgspec

from app.core.clock import Clock
from app.core.ids import Ids
from app.eventlog.event import NewEvent
from app.eventlog.partitions import RoomAhead
from app.storage.db.database import Connection, Database
from app.storage.doorbell import Bell, Doorbell

MAX_EVENTS_PER_APPEND = 500
# For this append, and for positions that were drawn while it waited for its turn.
_ROOM_POSITIONS = 20 * MAX_EVENTS_PER_APPEND

_LOCK = """
select pg_advisory_xact_lock(5788047129284608),
    coalesce(pg_sequence_last_value('event_position_seq'), 0)
"""

_INSERT = """
insert into event
    (id, tenant_id, mailbox_id, type, trace_id, subject_type, subject_id, data, created_at)
select id, tenant_id, mailbox_id, type, trace_id, subject_type, subject_id, data, $9
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::uuid[],
    $8::jsonb[]) with ordinality
    as new (id, tenant_id, mailbox_id, type, trace_id, subject_type, subject_id, data, place)
order by place
returning position
"""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A database transaction that tells the log what it did. See `EventLog.transaction`."""

    connection: Connection
    events: list[NewEvent] = field(default_factory=list)

    def tell(self, *events: NewEvent) -> None:
        """These events are appended when the transaction commits, and never if it does not."""
        self.events.extend(events)


# The transaction of the unit that the running task is in.
_UNIT: ContextVar[Transaction | None] = ContextVar("pillarbox_unit_of_log", default=None)


@dataclass(frozen=True, slots=True)
class EventLog:
    """The append-only log."""

    database: Database
    doorbell: Doorbell
    clock: Clock
    ids: Ids
    room: RoomAhead = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "room", RoomAhead(self.database))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction whose events are appended as its last act, then readers are woken.

        Raises `Unavailable` when the database is down or another writer held the log too long;
        nothing was changed then. At most `MAX_EVENTS_PER_APPEND` events are taken, since all
        other writers wait meanwhile. In a unit it is a part of that.
        """
        if (whole := _UNIT.get()) is not None:
            async with self.database.transaction() as connection:
                part = Transaction(connection)
                yield part
            whole.tell(*part.events)
            return
        async with self.database.transaction() as connection:
            transaction = Transaction(connection)
            yield transaction
            position = await self._append(connection, transaction.events)
        await self._announce(position)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[Transaction]:
        """Makes one transaction of all that is done inside, by whichever service, with the events
        of all of them as its last act. See `Database.unit` for what must not be done inside."""
        async with self.database.unit() as connection:
            transaction = Transaction(connection)
            entered = _UNIT.set(transaction)
            try:
                yield transaction
            finally:
                _UNIT.reset(entered)
            position = await self._append(connection, transaction.events)
        await self._announce(position)

    async def _append(self, connection: Connection, events: Sequence[NewEvent]) -> int | None:
        """The position of the last one; None without any."""
        if not events:
            return None
        if len(events) > MAX_EVENTS_PER_APPEND:
            raise ValueError(f"{len(events)} events in one transaction are too many")
        encode = msgspec.json.Encoder().encode
        columns = (
            [self.ids.new() for _ in events],
            [event.tenant_id for event in events],
            [event.mailbox_id for event in events],
            [event.type.value for event in events],
            [event.trace_id for event in events],
            [event.subject[0] for event in events],
            [event.subject[1] for event in events],
            [encode(event.data).decode() for event in events],
        )
        drawn = (await connection.fetchrow(_LOCK))[1]
        await self.room.require(connection, drawn + _ROOM_POSITIONS)
        appended = await connection.fetch(_INSERT, *columns, self.clock.now())
        return max(int(row["position"]) for row in appended)

    async def _announce(self, position: int | None) -> None:
        """After the commit."""
        if position is not None:
            await self.doorbell.ring(Bell.EVENTS)
            await self.room.see(position)
