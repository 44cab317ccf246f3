"""Readers of the log that remember how far they came: stop them, restart them, add one more.

Of each consumer one process leads. It holds a lease row and renews it; when it dies, another takes
over within `LEASE_TTL`, from the position that was committed last.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from app.core.backoff import Backoff
from app.core.errors import PillarboxError
from app.core.log import get_logger
from app.eventlog.append import MAX_EVENTS_PER_APPEND, EventLog
from app.eventlog.event import Event, NewEvent
from app.eventlog.read import EventFilter, last_position, read_events
from app.storage.doorbell import Bell

_log = get_logger("consumer")

LEASE_TTL = timedelta(seconds=6)
_RENEW_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 1.0
# Behind by less than this, a position waits for the next event that the consumer wants.
_IDLE_EVENTS = 1000
_PAUSE = Backoff(first_seconds=0.2, ceiling_seconds=15)


class Consumer(Protocol):
    """What a reader does with events. `types` never name what it tells itself."""

    @property
    def name(self) -> str: ...

    @property
    def types(self) -> Sequence[str]: ...

    @property
    def batch_size(self) -> int:
        """Events at a time, at most `MAX_EVENTS_PER_APPEND`."""
        ...

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        """Deals with events in their order and returns what to tell of it.

        A batch is handed over at least once: again when the process dies, or the database goes
        away, before the position was committed. So its effects must not add up. An error keeps
        the position; the same events come again after a pause.
        """
        ...


class LeaseLost(PillarboxError):
    """Another process leads meanwhile; what was told here was not committed."""

    retryable = True


@dataclass(slots=True)
class ConsumerRunner:
    """Runs one consumer, in as many processes as one likes."""

    consumer: Consumer
    log: EventLog
    leader: UUID
    _position: int = field(default=0, init=False)

    async def run(self) -> None:
        """Until cancelled; the lease is given back then."""
        ear = self.log.doorbell.listen_for(Bell.EVENTS)
        failures = 0
        try:
            while True:
                try:
                    if not await self._take_lease():
                        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                        continue
                    async with self._renewed():
                        while True:
                            if not await self._advance():
                                await ear.wait(_LOOK_AGAIN_SECONDS)
                            failures = 0
                except Exception as error:
                    failures += 1
                    self._report(error)
                    await asyncio.sleep(_PAUSE.delay_seconds(failures))
        finally:
            with suppress(PillarboxError):
                await self._release()

    async def _advance(self) -> bool:
        """Handles one batch. False when there is nothing to do for now."""
        horizon = await last_position(self.log.database)
        events = await read_events(
            self.log.database,
            after=self._position,
            wanted=EventFilter(types=self.consumer.types),
            limit=min(self.consumer.batch_size, MAX_EVENTS_PER_APPEND),
        )
        if not events:
            if horizon - self._position > _IDLE_EVENTS:
                await self._commit(horizon, ())
            return False
        told = await self.consumer.handle(events)
        await self._commit(events[-1].position, told)
        return True

    async def _commit(self, position: int, told: Sequence[NewEvent]) -> None:
        now = self.log.clock.now()
        async with self.log.transaction() as transaction:
            kept = await transaction.connection.fetchval(
                """update consumer set position = $3, lease_until = $4, updated_at = $5
                where name = $1 and leader = $2 and position = $6 returning true""",
                self.consumer.name,
                self.leader,
                position,
                now + LEASE_TTL,
                now,
                self._position,
            )
            if not kept:
                raise LeaseLost(f"Another process runs the consumer {self.consumer.name}.")
            transaction.tell(*told)
        self._position = position

    async def _take_lease(self) -> bool:
        now = self.log.clock.now()
        position = await self.log.database.fetch_value(
            """insert into consumer (name, position, leader, lease_until, updated_at)
            values ($1, 0, $2, $3, $4)
            on conflict (name) do update set leader = $2, lease_until = $3
                where consumer.leader = $2 or consumer.lease_until < $4
            returning position""",
            self.consumer.name,
            self.leader,
            now + LEASE_TTL,
            now,
        )
        if position is None:
            return False
        self._position = position
        return True

    @asynccontextmanager
    async def _renewed(self) -> AsyncIterator[None]:
        """Keeps the lease while a batch takes its time."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(_RENEW_SECONDS)
                with suppress(PillarboxError):
                    await self.log.database.execute(
                        "update consumer set lease_until = $3 where name = $1 and leader = $2",
                        self.consumer.name,
                        self.leader,
                        self.log.clock.now() + LEASE_TTL,
                    )

        renewing = asyncio.create_task(renew(), name=f"lease of {self.consumer.name}")
        try:
            yield
        finally:
            renewing.cancel()

    async def _release(self) -> None:
        await self.log.database.execute(
            "update consumer set lease_until = $3 where name = $1 and leader = $2",
            self.consumer.name,
            self.leader,
            self.log.clock.now() - timedelta(seconds=1),
        )

    def _report(self, error: Exception) -> None:
        facts = {"consumer": self.consumer.name, "position": self._position, "outcome": "waiting"}
        if isinstance(error, PillarboxError):
            _log.warning("consumer.batch", reason=str(error), **facts)
        else:
            _log.exception("consumer.batch", **facts)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind the log a consumer is."""

    name: str
    position: int
    events_behind: int


async def read_lags(log: EventLog) -> Sequence[Lag]:
    """Every consumer that ever ran. Events that it does not want count as well."""
    rows = await log.database.fetch(
        """select name, position,
            (select coalesce(max(position), 0) from event) - position as events_behind
        from consumer order by name"""
    )
    return [Lag(**row) for row in rows]
