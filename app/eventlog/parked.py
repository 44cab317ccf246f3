"""Events that a consumer could not handle and went past: kept with the reason, for a person.

Whoever leads the consumer handles them again, when it is asked to, so that its effects stay in one
process.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.errors import PillarboxError
from app.eventlog.append import EventLog
from app.eventlog.event import Event
from app.storage.db.database import Connection
from app.storage.doorbell import Bell

_REASON_CHARS = 300
_LISTED = 200


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """`attempts` counts how often it failed by itself. `asked_at` is set while it waits to be
    handled again."""

    id: UUID
    consumer: str
    position: int
    event_id: UUID
    tenant_id: UUID | None
    type: str
    reason: str
    attempts: int
    parked_at: datetime
    asked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which parked events are meant: these, all of a consumer, or both narrowed to each other."""

    ids: Sequence[UUID] | None = None
    consumer: str | None = None


@dataclass(frozen=True, slots=True)
class ParkedEvents:
    """All of them, of every consumer."""

    log: EventLog

    async def park(self, connection: Connection, consumer: str, event: Event, reason: str) -> None:
        """In the transaction in which the consumer goes past it. One that fails again while it
        is replayed is the same one."""
        await connection.execute(
            """insert into parked_event
                (id, consumer, position, event_id, tenant_id, type, reason, attempts, parked_at)
            values ($1, $2, $3, $4, $5, $6, $7, 1, $8)
            on conflict (consumer, position) do update set reason = excluded.reason,
                attempts = parked_event.attempts + 1""",
            self.log.ids.new(),
            consumer,
            event.position,
            event.id,
            event.tenant_id,
            event.type,
            reason,
            self.log.clock.now(),
        )

    async def list(self, consumer: str | None = None) -> Sequence[ParkedEvent]:
        """The oldest events first, 200 at most."""
        rows = await self.log.database.fetch(
            f"""select * from parked_event where consumer = $1 or $1::text is null
            order by consumer, position limit {_LISTED}""",
            consumer,
        )
        return [ParkedEvent(**row) for row in rows]

    async def find(self, parked_id: UUID) -> ParkedEvent | None:
        row = await self.log.database.fetch_one(
            "select * from parked_event where id = $1", parked_id
        )
        return None if row is None else ParkedEvent(**row)

    async def ask(self, chosen: Chosen) -> int:
        """Asks for them to be handled again. Returns how many there are."""
        asked = await self.log.database.fetch(
            f"update parked_event set asked_at = $3 where {_CHOSEN} returning id",
            chosen.ids,
            chosen.consumer,
            self.log.clock.now(),
        )
        await self.log.doorbell.ring(Bell.EVENTS)
        return len(asked)

    async def drop(self, chosen: Chosen) -> int:
        """Forgets them, unhandled. Returns how many there were."""
        dropped = await self.log.database.fetch(
            f"delete from parked_event where {_CHOSEN} returning id", chosen.ids, chosen.consumer
        )
        return len(dropped)

    async def asked(self, consumer: str) -> ParkedEvent | None:
        """The first that is to be handled again."""
        row = await self.log.database.fetch_one(
            """select * from parked_event where consumer = $1 and asked_at is not null
            order by position limit 1""",
            consumer,
        )
        return None if row is None else ParkedEvent(**row)

    async def release(self, connection: Connection, parked: ParkedEvent) -> None:
        """In the transaction in which it is handled at last."""
        await connection.execute("delete from parked_event where id = $1", parked.id)

    async def keep(self, parked: ParkedEvent, reason: str) -> None:
        """It failed again, and waits for somebody to ask once more."""
        await self.log.database.execute(
            """update parked_event set attempts = attempts + 1, reason = $2, asked_at = null
            where id = $1""",
            parked.id,
            reason,
        )


_CHOSEN = "(id = any($1::uuid[]) or $1 is null) and (consumer = $2 or $2::text is null)"


def reason_of(error: BaseException) -> str:
    """One line for a person, of bounded length."""
    if isinstance(error, BaseExceptionGroup):
        return reason_of(error.exceptions[0])
    said = " ".join(str(error).replace("\0", "").split())
    if not isinstance(error, PillarboxError):
        said = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return said[:_REASON_CHARS]
