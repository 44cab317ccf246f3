"""Which mailboxes' indexes are to be built anew, and how far that has come.

Anybody may ask; the process that leads the indexer does it, one mailbox at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.clock import Clock
from app.storage.db.database import Database

INDEXER = "indexer"
"""The name of the consumer that writes the index."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """One that is asked for and not done."""

    mailbox_id: UUID
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one has come: `done` counts messages, of `total`; both are 0 before it begins."""

    mailbox_id: UUID
    address: str
    done: int
    total: int
    is_finished: bool


@dataclass(frozen=True, slots=True)
class Rebuilds:
    """Asking for rebuilds and seeing them done. `engine` is the installation's search engine."""

    database: Database
    clock: Clock
    engine: str

    async def request(self, mailbox_ids: Sequence[UUID] | None) -> Sequence[UUID]:
        """Asks for these mailboxes, or for all, and returns them. Asking twice does it once,
        unless it had begun between."""
        rows = await self.database.fetch(
            """insert into search_index
                (mailbox_id, tenant_id, engine, generation, rebuild_requested_at)
            select id, tenant_id, $2, 0, $3 from mailbox where $1::uuid[] is null or id = any($1)
            order by id
            on conflict (mailbox_id) do update
                set rebuild_requested_at = excluded.rebuild_requested_at,
                    rebuild_done = 0, rebuild_total = 0
            returning mailbox_id""",
            None if mailbox_ids is None else list(mailbox_ids),
            self.engine,
            self.clock.now(),
        )
        return [row["mailbox_id"] for row in rows]

    async def waiting(self) -> Sequence[Rebuild]:
        """Those that are not done, the one asked for first at the head."""
        rows = await self.database.fetch(
            """select mailbox_id, rebuild_requested_at as requested_at from search_index
            where rebuild_requested_at is not null order by rebuild_requested_at, mailbox_id"""
        )
        return [Rebuild(**row) for row in rows]

    async def progress(self, mailbox_ids: Sequence[UUID]) -> Sequence[Progress]:
        """Of those of these mailboxes that are still there."""
        rows = await self.database.fetch(
            """select mailbox_id, address, rebuild_done as done, rebuild_total as total,
                rebuild_requested_at is null as is_finished
            from search_index join mailbox on mailbox.id = mailbox_id
            where mailbox_id = any($1::uuid[]) order by address""",
            list(mailbox_ids),
        )
        return [Progress(**row) for row in rows]

    async def note_progress(self, mailbox_id: UUID, done: int, total: int) -> None:
        await self.database.execute(
            "update search_index set rebuild_done = $2, rebuild_total = $3 where mailbox_id = $1",
            mailbox_id,
            done,
            total,
        )

    async def finish(self, rebuild: Rebuild, generation: int) -> None:
        """It is done, unless it was asked for once more after it had begun."""
        await self.database.execute(
            """update search_index set engine = $2, generation = $3, rebuilt_at = $4,
                rebuild_requested_at = nullif(rebuild_requested_at, $5)
            where mailbox_id = $1""",
            rebuild.mailbox_id,
            self.engine,
            generation,
            self.clock.now(),
            rebuild.requested_at,
        )

    async def note_generations(self, generations: Mapping[UUID, int]) -> None:
        """These mailboxes' indexes hold all that was to be written to them so far."""
        await self.database.execute(
            """insert into search_index (mailbox_id, tenant_id, engine, generation)
            select mailbox.id, tenant_id, $3, generation
            from unnest($1::uuid[], $2::bigint[]) as new (id, generation)
            join mailbox on mailbox.id = new.id
            order by mailbox.id
            on conflict (mailbox_id) do update set generation = excluded.generation
                where search_index.engine = excluded.engine""",
            list(generations),
            list(generations.values()),
            self.engine,
        )

    async def known_generations(self) -> Mapping[UUID, int]:
        """What the index of each mailbox should at least say; more than any does where it was
        never built in this engine. An indexer that starts at the first event needs none."""
        rows = await self.database.fetch(
            """select mailbox.id,
                case when engine = $1 then generation else 9223372036854775807 end as generation
            from mailbox left join search_index on mailbox_id = mailbox.id
            where engine is not null
                or exists (select from message where message.mailbox_id = mailbox.id)
                    and exists (select from consumer where name = $2 and position > 0)""",
            self.engine,
            INDEXER,
        )
        return {row["id"]: row["generation"] for row in rows}
