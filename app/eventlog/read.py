"""Reading the log in order. Each reader keeps the position of the last event it has dealt with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.eventlog.event import Event
from app.storage.db.database import Database, Record

_decode = msgspec.json.Decoder(dict[str, Any]).decode
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
    conditions = ["position > $1"]
    arguments: list[object] = [after]
    for column, value in (
        ("position <= ${}", last),
        ("tenant_id = ${}", wanted.tenant_id),
        ("mailbox_id = any(${}::uuid[])", wanted.mailbox_ids),
        ("type = any(${}::text[])", wanted.types),
        ("trace_id = ${}", wanted.trace_id),
        ("subject_id = ${}", wanted.subject_id),
        ("created_at >= ${}", wanted.since),
        ("created_at < ${}", wanted.until),
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


async def last_position(database: Database, *, after: int = 0) -> int:
    """The position of the newest event; `after` when there is none above it. Who knows a position
    saves looking into all that lies before."""
    newest = await database.fetch_value(
        "select max(position) from event where position > $1", after
    )
    return after if newest is None else int(newest)


def _to_event(row: Record) -> Event:
    """In the order of `_COLUMNS`, which is that of the fields: a million are read in a minute."""
    return Event(*(*row[:8], _decode(row[8]), row[9]))
