"""How the readers of the event log are doing, for people to see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.storage.db.database import Database


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """`events_behind` counts those that it does not want as well. It runs while some process
    holds its lease."""

    name: str
    events_behind: int
    moved_at: datetime
    is_running: bool


async def read_consumer_states(database: Database, now: datetime) -> Sequence[ConsumerState]:
    """Every consumer that ever ran, by name."""
    rows = await database.fetch(
        """select name,
            (select coalesce(max(position), 0) from event) - position as events_behind,
            updated_at as moved_at, lease_until > $1 as is_running
        from consumer order by name""",
        now,
    )
    return [ConsumerState(**row) for row in rows]
