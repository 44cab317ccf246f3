"""Reading the log in order. Each reader keeps the position of the last event it has dealt with.

The log is long and what is wanted of it may be rare. So each question walks one index and stops at
its limit: of a trace or a subject there is little; else each mailbox, or each type of a tenant, is
asked for its own next events, of which the first are taken. Times are turned into positions, by
halving the log until they are found, so that what lies outside of them is not looked at.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.eventlog.event import Event
from app.storage.db.database import Database, Record

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_EVENTS_PER_BATCH = 500
_COLUMNS = """position, id, type, tenant_id, mailbox_id, trace_id, subject_type, subject_id, data,
    created_at"""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a reader wants; None wants all. `since` is included, `until` is not."""

    tenant_id: UUID | None = None
    mailbox_ids: Sequence[UUID] | None = None
    types: Sequence[str] | None = None
    trace_id: UUID | None = None
    subject_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, event: Event) -> bool:
        """Whether this one is wanted."""
        return (
            self.tenant_id in (None, event.tenant_id)
            and (self.mailbox_ids is None or event.mailbox_id in self.mailbox_ids)
            and (self.types is None or event.type in self.types)
            and self.trace_id in (None, event.trace_id)
            and self.subject_id in (None, event.subject_id)
            and (self.since is None or event.created_at >= self.since)
            and (self.until is None or event.created_at < self.until)
        )


async def read_events(
    database: Database, *, after: int, wanted: EventFilter, limit: int, last: int | None = None
) -> Sequence[Event]:
    """At most `limit` wanted events with a position above `after`, up to `last` where it is given,
    in order."""
    return await _read(database, wanted, limit, "asc", after=after, last=last)


async def read_newest(
    database: Database, *, before: int | None, wanted: EventFilter, limit: int
) -> Sequence[Event]:
    """At most `limit` wanted events with a position below `before`, the newest first."""
    last = None if before is None else before - 1
    return await _read(database, wanted, limit, "desc", after=None, last=last)


async def walk_events(
    database: Database, *, after: int, wanted: EventFilter
) -> AsyncIterator[Sequence[Event]]:
    """All wanted events after a position that there were when it began, in order, a batch in
    memory at a time."""
    last = await last_position(database)
    while events := await read_events(
        database, after=after, wanted=wanted, limit=_EVENTS_PER_BATCH, last=last
    ):
        yield events
        after = events[-1].position


async def last_position(database: Database, *, after: int = 0) -> int:
    """The position of the newest event; `after` when there is none above it. Who knows a position
    saves looking into all that lies before."""
    newest = await database.fetch_value(
        "select max(position) from event where position > $1", after
    )
    return after if newest is None else int(newest)


async def find_positions(database: Database, moments: Sequence[datetime]) -> Sequence[int]:
    """For each of these times the position that all older events lie below, and no others."""
    rows = await database.fetch(
        f"select {_first_position_since('moment')} as position from unnest($1::timestamptz[])"
        " with ordinality as asked (moment, place) order by place",
        moments,
    )
    return [row["position"] for row in rows]


async def _read(
    database: Database,
    wanted: EventFilter,
    limit: int,
    order: Literal["asc", "desc"],
    *,
    after: int | None,
    last: int | None,
) -> Sequence[Event]:
    arguments: list[object] = []
    conditions: list[str] = []

    def add(condition: str, value: object) -> None:
        if value is not None:
            arguments.append(value)
            conditions.append(condition.format(len(arguments)))

    add("position > ${}", after)
    add("position <= ${}", last)
    add("tenant_id = ${}", wanted.tenant_id)
    add("trace_id = ${}", wanted.trace_id)
    add("subject_id = ${}", wanted.subject_id)
    add(_SINCE, wanted.since)
    add(_UNTIL, wanted.until)
    is_short = wanted.trace_id is not None or wanted.subject_id is not None
    each = ""
    if wanted.mailbox_ids is not None and not is_short:
        add("mailbox_id = each.mailbox_id", list(dict.fromkeys(wanted.mailbox_ids)))
        each = f"unnest(${len(arguments)}::uuid[]) as each (mailbox_id)"
    else:
        add("mailbox_id = any(${}::uuid[])", wanted.mailbox_ids)
    if wanted.types is not None and wanted.tenant_id is not None and not (each or is_short):
        add("type = each.type", list(dict.fromkeys(wanted.types)))
        each = f"unnest(${len(arguments)}::text[]) as each (type)"
    else:
        add("type = any(${}::text[])", wanted.types)
    page = f"order by position {order} limit {limit:d}"
    query = f"select {_COLUMNS} from event where {' and '.join(conditions) or 'true'} {page}"
    if each:
        query = f"select found.* from {each} cross join lateral ({query}) as found {page}"
    return [_to_event(row) for row in await database.fetch(query, *arguments)]


def _first_position_since(moment: str) -> str:
    """SQL for the position that all events older than `moment` lie below, and no others. Events
    have the order of their times, as both are given under one lock."""
    return f"""(
        with recursive search (low, high) as (
            select coalesce(min(position), 1), coalesce(max(position), 0) + 1 from event
            union all
            select case when probe.created_at < {moment} then probe.position + 1 else low end,
                case when probe.created_at < {moment} then high else (low + high) / 2 end
            from search cross join lateral (
                select position, created_at from event
                where position >= (low + high) / 2 order by position limit 1
            ) as probe
            where low < high
        )
        select max(low) from search
    )"""


# Writers have clocks of their own, which may differ by some seconds.
_SINCE = "created_at >= ${0}::timestamptz and position >= " + _first_position_since(
    "${0}::timestamptz - interval '1 minute'"
)
_UNTIL = "created_at < ${0}::timestamptz and position < " + _first_position_since(
    "${0}::timestamptz + interval '1 minute'"
)


def _to_event(row: Record) -> Event:
    """In the order of `_COLUMNS`, which is that of the fields: a million are read in a minute."""
    return Event(*(*row[:8], _decode(row[8]), row[9]))
