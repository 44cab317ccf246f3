"""Reading the log in order. Each reader keeps the position of the last event it has dealt with."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from app.eventlog.event import Event
from app.storage.db.database import Database, Record

_COLUMNS = """position, id, type, tenant_id, mailbox_id, trace_id, subject_type, subject_id, data,
    created_at"""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a reader wants; None wants all."""

    tenant_id: UUID | None = None
    mailbox_ids: Sequence[UUID] | None = None
    types: Sequence[str] | None = None


async def read_events(
    database: Database, *, after: int, wanted: EventFilter, limit: int
) -> Sequence[Event]:
    """At most `limit` wanted events with a position above `after`, in order."""
    conditions = ["position > $1"]
    arguments: list[object] = [after]
    for column, value in (
        ("tenant_id = ${}", wanted.tenant_id),
        ("mailbox_id = any(${}::uuid[])", wanted.mailbox_ids),
        ("type = any(${}::text[])", wanted.types),
    ):
        if value is not None:
            arguments.append(value)
            conditions.append(column.format(len(arguments)))
    rows = await database.fetch(
        f"select {_COLUMNS} from event where {' and '.join(conditions)}"
        f" order by position limit {int(limit)}",
        *arguments,
    )
    return [_to_event(row) for row in rows]


async def last_position(database: Database) -> int:
    """The position of the newest event; 0 when there is none."""
    return int(await database.fetch_value("select coalesce(max(position), 0) from event"))


def _to_event(row: Record) -> Event:
    values = dict(row)
    return Event(**(values | {"data": msgspec.json.decode(values["data"])}))
