"""How the readers of the event log are doing, where new ones begin, and which are gone for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.errors import AlreadyExists, InvalidInput, NotFound
from app.eventlog.append import EventLog
from app.storage.db.database import Database

_EXACT_EVENTS = 10_000
"""So many events after each position are looked at; of those beyond, all count."""

_STATES = f"""
select name, consumer.position, updated_at as moved_at, lease_until > $1 as is_running,
    near.wanted + greatest(0, newest.position - consumer.position - {_EXACT_EVENTS})
        as events_behind,
    coalesce(near.oldest_at, beyond.created_at) as oldest_at, parked.number as parked_events
from consumer
cross join (select coalesce(max(position), 0) as position from event) as newest
cross join lateral (
    select count(*) as wanted, min(created_at) as oldest_at from event
    where position > consumer.position and position <= consumer.position + {_EXACT_EVENTS}
        and type = any(consumer.types)
) as near
left join lateral (
    select created_at from event where position > consumer.position + {_EXACT_EVENTS}
    order by position limit 1
) as beyond on true
cross join lateral (
    select count(*) as number from parked_event where parked_event.consumer = consumer.name
) as parked
order by name
"""


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """`events_behind` are events that it wants and has not handled, and `oldest_at` is when the
    first of them was appended. More than ten thousand positions behind, those that it does not want
    count as well. It runs while some process holds its lease."""

    name: str
    position: int
    events_behind: int
    oldest_at: datetime | None
    parked_events: int
    moved_at: datetime
    is_running: bool


async def read_consumer_states(database: Database, now: datetime) -> Sequence[ConsumerState]:
    """Every consumer that ever ran, by name. Takes milliseconds, however far behind they are."""
    rows = await database.fetch(_STATES, now)
    return [ConsumerState(**row) for row in rows]


async def start_consumer(log: EventLog, name: str, position: int) -> None:
    """Makes a consumer that never ran begin with the event at `position`. Raises `AlreadyExists`
    when it did run."""
    if position < 1:
        raise InvalidInput("Positions begin with 1.")
    now = log.clock.now()
    made = await log.database.fetch_value(
        """insert into consumer (name, position, leader, lease_until, updated_at)
        values ($1, $2, $3, $4, $4) on conflict (name) do nothing returning true""",
        name,
        position - 1,
        log.ids.new(),
        now,
    )
    if not made:
        raise AlreadyExists(
            f"The consumer {name} has begun already. `pillarbox replay` hands it events again."
        )


async def forget_consumer(log: EventLog, name: str) -> None:
    """Lets go of a consumer that will not run again, with what is parked of it and its replays: it
    keeps no events any more. Raises `NotFound`, and `InvalidInput` while it runs."""
    async with log.database.transaction() as connection:
        runs = await connection.fetchval(
            "select lease_until > $2 from consumer where name = $1 for update",
            name,
            log.clock.now(),
        )
        if runs is None:
            raise NotFound(f"There is no consumer {name!r}.")
        if runs:
            raise InvalidInput(f"The consumer {name} runs: stop it first.")
        for table in ("parked_event", "replay"):
            await connection.execute(f"delete from {table} where consumer = $1", name)
        await connection.execute("delete from consumer where name = $1", name)
