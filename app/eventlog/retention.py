"""How long the log is kept: whole partitions go when they are old and everybody is past them."""

from datetime import datetime

from app.core.errors import PillarboxError
from app.core.log import get_logger
from app.eventlog.partitions import Partition, read_partitions
from app.storage.db.database import Connection, Database

_log = get_logger("eventlog")

# The lowest position that somebody still needs; without anybody, all are free to go.
_FLOOR = """
select least(
    (select min(position) + 1 from consumer),
    (select min(next_position) from replay where finished_at is null),
    (select min(position) from parked_event))
"""


async def first_kept_position(database: Database) -> int:
    """All events from this position on are there; 1 as long as none was ever dropped. A reader
    that has dealt with less than the one before it has to be told of the gap."""
    return max(1, (await read_partitions(database))[0].first)


async def require_kept(database: Database, after: int) -> None:
    """Raises `PositionGone` when not everything after this position is kept. From 0 one asks for
    what there is."""
    first = await first_kept_position(database) if after else 1
    if after < first - 1:
        raise PositionGone(first - 1)


class PositionGone(PillarboxError):
    """What came next after a position is not kept any more. `go_on_after`: all after that is."""

    def __init__(self, go_on_after: int) -> None:
        super().__init__(
            "Events after that position are not kept any more. Go on with after="
            f"{go_on_after}; what came before is missed."
        )
        self.go_on_after = go_on_after


async def drop_old_events(database: Database, before: datetime) -> int:
    """Drops partitions, from the oldest on, whose events are all older than `before` and below
    every consumer's position, unfinished replay and parked event. Returns how many.

    The one that is being written, and those made ahead, stay. Raises `Unavailable` when readers
    kept one busy for too long: the next run tries again.
    """
    dropped = 0
    while True:
        async with database.transaction() as connection:
            partition = await _find_droppable(connection, before)
            if partition is None:
                return dropped
            await connection.execute(f"drop table {partition.table}")
        dropped += 1
        _log.info("eventlog.retention", first_position=partition.first, outcome="dropped")


async def _find_droppable(connection: Connection, before: datetime) -> Partition | None:
    oldest = (await read_partitions(connection))[0]
    if not await connection.fetchval(
        "select exists (select from event where position >= $1)", oldest.end
    ):
        return None
    floor = await connection.fetchval(_FLOOR)
    if floor is not None and floor < oldest.end:
        return None
    newest_at = await connection.fetchval(
        f"select created_at from {oldest.table} order by position desc limit 1"
    )
    return oldest if newest_at is None or newest_at < before else None
