"""The tables that the log consists of: a million positions each, made ahead of need.

There is no partition for the rest: with one, Postgres could not read the log in order without
asking every partition (docs/adr/0010). So the room ahead is looked after by the schedule and by
whoever appends: after an append that leaves less than a partition of it, and as a last resort
before one that would find none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.core.errors import PillarboxError
from app.core.log import get_logger
from app.storage.db.database import Connection, Database

_log = get_logger("eventlog")

PARTITION_POSITIONS = 1_000_000
_LOCK = "select pg_advisory_xact_lock(5788047129284609)"
_BOUNDS = re.compile(r"FROM \('(\d+)'\) TO \('(\d+)'\)")


@dataclass(frozen=True, slots=True, order=True)
class Partition:
    """Holds the events from `first` on, up to `end`, which is the first of the next one."""

    first: int
    end: int
    table: str


async def read_partitions(source: Connection | Database) -> Sequence[Partition]:
    """All that there are, in their order and without a gap between them."""
    rows = await source.fetch(
        """select relname, pg_get_expr(relpartbound, pg_class.oid) as bounds
        from pg_inherits join pg_class on pg_class.oid = inhrelid
        where inhparent = 'event'::regclass"""
    )
    found = [(_BOUNDS.search(row["bounds"]), row["relname"]) for row in rows]
    return sorted(Partition(int(match[1]), int(match[2]), table) for match, table in found if match)


@dataclass(slots=True)
class RoomAhead:
    """How far the partitions reach that this process knows of."""

    database: Database
    _end: int = field(default=0, init=False)

    async def require(self, connection: Connection, end: int) -> None:
        """Before an append of positions below `end`, in its transaction: the last resort, where
        all that should have made room ahead did not run."""
        if end > self._end:
            await self._extend(connection, end)

    async def see(self, position: int) -> None:
        """After an append, when it was committed. What goes wrong is tried again with the next."""
        if position + PARTITION_POSITIONS < self._end:
            return
        try:
            await self.ensure(position)
        except PillarboxError as error:
            _log.warning("eventlog.partition", outcome="not made", reason=str(error))
        except Exception:
            _log.exception("eventlog.partition", outcome="not made")

    async def ensure(self, position: int) -> int:
        """Makes partitions until a whole one lies ahead of `position`. Returns how many. Safe to
        run in several processes at once."""
        async with self.database.transaction() as connection:
            return await self._extend(connection, position + PARTITION_POSITIONS + 1)

    async def _extend(self, connection: Connection, end: int) -> int:
        made, known = 0, (await read_partitions(connection))[-1].end
        if known < end:
            await connection.execute(_LOCK)
            known = (await read_partitions(connection))[-1].end
            while known < end:
                await _make(connection, known)
                known, made = known + PARTITION_POSITIONS, made + 1
        if not made:
            # What was made here counts once it is committed, when somebody looks again.
            self._end = known
        return made


async def _make(connection: Connection, first: int) -> None:
    """Attaching takes a lock that neither readers nor writers wait for."""
    end = first + PARTITION_POSITIONS
    await connection.execute(f"create table event_{first} (like event, unique (id))")
    await connection.execute(
        f"alter table event attach partition event_{first} for values from ({first}) to ({end})"
    )
    _log.info("eventlog.partition", first_position=first, outcome="made")
