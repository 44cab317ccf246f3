"""Of each consumer one process leads. It holds a lease row and renews it; when it dies, another
takes over within `LEASE_TTL`, from the position that was committed last."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.clock import Clock
from app.core.errors import PillarboxError
from app.storage.db.database import Connection, Database

LEASE_TTL = timedelta(seconds=6)
_RENEW_SECONDS = 2.0


class LeaseLost(PillarboxError):
    """Another process leads meanwhile; what was told here was not committed."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Lease:
    """The row of one consumer, as one process sees it."""

    name: str
    types: Sequence[str]
    leader: UUID
    database: Database
    clock: Clock

    async def take(self) -> int | None:
        """The position to go on from; None while another process leads."""
        now = self.clock.now()
        position: int | None = await self.database.fetch_value(
            """insert into consumer (name, position, leader, lease_until, updated_at, types)
            values ($1, 0, $2, $3, $4, $5)
            on conflict (name) do update set leader = $2, lease_until = $3, types = $5
                where consumer.leader = $2 or consumer.lease_until < $4
            returning position""",
            self.name,
            self.leader,
            now + LEASE_TTL,
            now,
            list(self.types),
        )
        return position

    async def move(self, connection: Connection, before: int, after: int) -> None:
        """Moves the position, in the transaction of what was done on the way. Raises `LeaseLost`
        unless we lead and it still is what it was `before`."""
        now = self.clock.now()
        kept = await connection.fetchval(
            """update consumer set position = $3, lease_until = $4, updated_at = $5
            where name = $1 and leader = $2 and position = $6 returning true""",
            self.name,
            self.leader,
            after,
            now + LEASE_TTL,
            now,
            before,
        )
        self._require(kept)

    async def hold(self, connection: Connection) -> None:
        """The same for what leaves the position where it is: nobody else leads until the
        transaction ends."""
        kept = await connection.fetchval(
            """update consumer set lease_until = $3 where name = $1 and leader = $2
            returning true""",
            self.name,
            self.leader,
            self.clock.now() + LEASE_TTL,
        )
        self._require(kept)

    @asynccontextmanager
    async def renewed(self) -> AsyncIterator[None]:
        """Keeps the lease while a batch takes its time."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(_RENEW_SECONDS)
                with suppress(PillarboxError):
                    await self._set_end(self.clock.now() + LEASE_TTL)

        renewing = asyncio.create_task(renew(), name=f"lease of {self.name}")
        try:
            yield
        finally:
            renewing.cancel()

    async def release(self) -> None:
        await self._set_end(self.clock.now() - timedelta(seconds=1))

    async def _set_end(self, lease_until: datetime) -> None:
        await self.database.execute(
            "update consumer set lease_until = $3 where name = $1 and leader = $2",
            self.name,
            self.leader,
            lease_until,
        )

    def _require(self, kept: object) -> None:
        if not kept:
            raise LeaseLost(f"Another process runs the consumer {self.name}.")


async def is_led(database: Database, name: str, now: datetime) -> bool:
    """Whether some process runs the consumer of that name."""
    return bool(
        await database.fetch_value(
            "select true from consumer where name = $1 and lease_until > $2", name, now
        )
    )
