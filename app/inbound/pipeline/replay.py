"""Handing to ingestion again what it has read before."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.clock import Clock
from app.storage.db.database import Database
from app.storage.spool.port import Position

_ROWS_PER_STATEMENT = 1000


@dataclass(frozen=True, slots=True)
class Replay:
    """Items are taken in again beside the ones that come in, by the retries of the drain. An item
    keeps its id, so what is there already stays as it is and nothing is stored twice."""

    database: Database
    clock: Clock

    async def begin(self, spool: str, items: Sequence[tuple[UUID, Position]]) -> int:
        """Returns how many are on their way. Left out are those in quarantine, whose own retry
        is safer: it keeps the bytes until they are taken in."""
        handed = 0
        for start in range(0, len(items), _ROWS_PER_STATEMENT):
            handed += await self._insert(spool, items[start : start + _ROWS_PER_STATEMENT])
        return handed

    async def _insert(self, spool: str, items: Sequence[tuple[UUID, Position]]) -> int:
        # One attempt counts as made: that is how the drain knows what waited for a retry.
        rows = await self.database.fetch(
            """insert into spool_deferred (id, spool, producer, segment, byte_offset, attempts,
                next_attempt_at, stage, reason, created_at)
            select id, $1, producer, segment, byte_offset, 1, $2, 'replay', 'asked for', $2
            from unnest($3::uuid[], $4::text[], $5::bigint[], $6::bigint[])
                as item (id, producer, segment, byte_offset)
            where not exists (select from quarantine where quarantine.id = item.id)
            on conflict (id) do update set next_attempt_at = excluded.next_attempt_at
            returning id""",
            spool,
            self.clock.now(),
            [item_id for item_id, _ in items],
            [position.producer for _, position in items],
            [position.segment for _, position in items],
            [position.offset for _, position in items],
        )
        return len(rows)
