"""How often things happened over a time, in steps of it.

Each type in each step is counted in the index alone, and to `COUNTED` at most: beyond that the rest
of the step is taken to be as busy as its beginning was. So what is read is bounded, however long
the log is: at most `COUNTED` entries for each type and step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.eventlog.read import find_positions
from app.storage.db.database import Database

COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a time, from `start` until before `end`, with how many events of each type."""

    start: datetime
    end: datetime
    events: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Rates:
    """Steps in order. `is_about`: so much happened that a part of it was not counted."""

    steps: Sequence[Step]
    is_about: bool


async def count_rates(
    database: Database,
    tenant_id: UUID,
    *,
    types: Sequence[str],
    mailbox_ids: Sequence[UUID] | None = None,
    since: datetime,
    until: datetime,
    steps: int,
) -> Rates:
    """The tenant's events of these types, or those of some of its mailboxes, in equal steps."""
    length = (until - since) / steps
    edges = [since + length * number for number in range(steps)] + [until]
    positions = await find_positions(database, edges)
    rows = await database.fetch(
        _OF_MAILBOXES if mailbox_ids is not None else _OF_TENANT,
        positions[:-1],
        positions[1:],
        tenant_id,
        list(types),
        *([] if mailbox_ids is None else [list(mailbox_ids)]),
    )
    counts: list[dict[str, int]] = [{} for _ in range(steps)]
    for row in rows:
        counts[row["step"] - 1][row["type"]] = round(row["events"] * row["share"])
    return Rates(
        [Step(edges[n], edges[n + 1], counts[n]) for n in range(steps)],
        any(row["share"] > 1 for row in rows),
    )


def step_length(span: timedelta, most: int) -> timedelta:
    """The shortest whole step that people think in, of which `span` has at most `most`."""
    return next((step for step in _LENGTHS if span <= step * most), _LENGTHS[-1])


_LENGTHS = (
    *(timedelta(minutes=number) for number in (1, 2, 5, 10, 15, 30)),
    *(timedelta(hours=number) for number in (1, 2, 3, 6, 12)),
    *(timedelta(days=number) for number in (1, 2, 7, 14, 30, 90, 365, 3650)),
)

# What was counted, and by how much more there is: the step's length over that of what was counted.
_OF_TENANT = f"""
select step, type, counted.events,
    case when counted.events < {COUNTED} then 1
        else (high - low)::float / (counted.last - low + 1) end as share
from unnest($1::bigint[], $2::bigint[]) with ordinality as steps (low, high, step)
cross join unnest($4::text[]) as wanted (type)
cross join lateral (
    select count(*) as events, max(position) as last from (
        select position from event
        where tenant_id = $3 and event.type = wanted.type and position >= low and position < high
        order by position limit {COUNTED}
    ) as first
) as counted
where counted.events > 0
"""
_OF_MAILBOXES = f"""
select step, type, sum(events)::bigint as events, max(share) as share
from unnest($1::bigint[], $2::bigint[]) with ordinality as steps (low, high, step)
cross join unnest($5::uuid[]) as wanted (mailbox_id)
cross join lateral (
    select type, count(*) as events,
        case when sum(count(*)) over () < {COUNTED} then 1
            else (high - low)::float / (max(max(position)) over () - low + 1) end as share
    from (
        select position, type from event
        where tenant_id = $3 and event.mailbox_id = wanted.mailbox_id
            and position >= low and position < high
        order by position limit {COUNTED}
    ) as first
    where type = any($4::text[]) group by type
) as counted
group by step, type
"""
