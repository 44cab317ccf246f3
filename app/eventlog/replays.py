"""Handing a part of the log to a consumer again, while it goes on following the log.

A replay is a row that says how far it came, kept by whoever leads the consumer. The consumer's own
position stays out of it: what lies above that is not replayed, since it comes anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.errors import InvalidInput, NotFound
from app.eventlog.append import EventLog
from app.eventlog.retention import first_kept_position
from app.eventlog.types import EventType
from app.storage.db.database import Connection
from app.storage.doorbell import Bell


@dataclass(frozen=True, slots=True)
class Replay:
    """From `first_position` to `last_position`, both included. All below `next_position` was
    handed over, `event_count` events. Without `types` all that the consumer wants."""

    id: UUID
    consumer: str
    types: Sequence[str] | None
    first_position: int
    next_position: int
    last_position: int
    event_count: int
    asked_at: datetime
    finished_at: datetime | None

    def wanted_of(self, types: Sequence[str]) -> Sequence[str]:
        """What there is to replay of the types that the consumer wants."""
        return types if self.types is None else [each for each in types if each in self.types]


@dataclass(frozen=True, slots=True)
class Replays:
    """The replays of all consumers. Those of one are worked off one after the other."""

    log: EventLog

    async def ask(
        self, consumer: str, first: int, last: int | None, types: Sequence[str] | None = None
    ) -> Replay:
        """Asks for a replay up to `last`, or up to where the consumer is. Forgets those of this
        consumer that are finished. Raises `NotFound` for a consumer that never ran, and
        `InvalidInput` when there is nothing to replay."""
        position = await self.log.database.fetch_value(
            "select position from consumer where name = $1", consumer
        )
        if position is None:
            raise NotFound(
                f"No consumer {consumer!r} ever ran. `pillarbox consumer start` makes a new one "
                "begin where you say."
            )
        await self._check(first, position, types)
        replay = Replay(
            id=self.log.ids.new(),
            consumer=consumer,
            types=types,
            first_position=first,
            next_position=first,
            last_position=position if last is None else min(last, position),
            event_count=0,
            asked_at=self.log.clock.now(),
            finished_at=None,
        )
        if replay.last_position < first:
            raise InvalidInput("A replay must not end before it begins.")
        await self._insert(replay)
        await self.log.doorbell.ring(Bell.EVENTS)
        return replay

    async def list(self) -> Sequence[Replay]:
        """Those that run or wait, and of each consumer what finished since it was last asked."""
        rows = await self.log.database.fetch("select * from replay order by consumer, asked_at")
        return [Replay(**row) for row in rows]

    async def find(self, replay_id: UUID) -> Replay | None:
        row = await self.log.database.fetch_one("select * from replay where id = $1", replay_id)
        return None if row is None else Replay(**row)

    async def next_of(self, consumer: str) -> Replay | None:
        """The one to go on with."""
        row = await self.log.database.fetch_one(
            """select * from replay where consumer = $1 and finished_at is null
            order by asked_at, id limit 1""",
            consumer,
        )
        return None if row is None else Replay(**row)

    async def cancel(self, consumer: str) -> int:
        """Ends the replays of a consumer where they are. Returns how many."""
        ended = await self.log.database.fetch(
            "delete from replay where consumer = $1 and finished_at is null returning id", consumer
        )
        return len(ended)

    async def advance(
        self, connection: Connection, replay: Replay, position: int, events: int
    ) -> bool:
        """Notes that all up to `position` was handed over. False when it was cancelled."""
        row = await connection.fetchrow(
            """update replay set next_position = $3, event_count = event_count + $4,
                finished_at = case when $3 > last_position then $5::timestamptz end
            where id = $1 and next_position = $2 and finished_at is null returning id""",
            replay.id,
            replay.next_position,
            position + 1,
            events,
            self.log.clock.now(),
        )
        return row is not None

    async def _check(self, first: int, position: int, types: Sequence[str] | None) -> None:
        if first < 1:
            raise InvalidInput("Positions begin with 1.")
        if first > position:
            raise InvalidInput(
                f"It has not come to {first} yet: it is at {position}, and will be handed what "
                "follows anyway."
            )
        if first < (kept := await first_kept_position(self.log.database)):
            raise InvalidInput(f"The events before {kept} are gone, as EVENTS_KEEP_DAYS says.")
        if unknown := set(types or ()) - set(EventType):
            raise InvalidInput(f"There are no events of the type {min(unknown)!r}.")

    async def _insert(self, replay: Replay) -> None:
        async with self.log.database.transaction() as connection:
            await connection.execute(
                "delete from replay where consumer = $1 and finished_at is not null",
                replay.consumer,
            )
            await connection.execute(
                """insert into replay (id, consumer, types, first_position, next_position,
                    last_position, event_count, asked_at) values ($1, $2, $3, $4, $4, $5, 0, $6)""",
                replay.id,
                replay.consumer,
                replay.types,
                replay.first_position,
                replay.last_position,
                replay.asked_at,
            )
