"""The event log over the API."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.params import QueryParameter

from app.access.grants import Grant
from app.access.permissions import Permission
from app.eventlog.event import Event
from app.eventlog.read import EventFilter, read_events
from app.storage.db.database import Database
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import After, Limit

EventTypeName = Annotated[
    str | None,
    QueryParameter(name="type", max_length=40, description="Only these, as `ingest.received`."),
]


class EventSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One event. Remember `position` and ask for what comes after it."""

    position: int
    id: UUID
    type: str
    trace_id: UUID
    mailbox_id: UUID | None
    subject_type: str
    subject_id: UUID
    data: Mapping[str, Any]
    created_at: datetime


class EventList(msgspec.Struct, frozen=True):
    """In order of position. `next_cursor` is the `after` to go on with, also at the end."""

    items: Sequence[EventSummary]
    next_cursor: int


_EXAMPLE = EventSummary(
    position=4711,
    id=UUID("0198c5f2-7802-7d11-9a52-2b6c8e0f1d34"),
    type="ingest.received",
    trace_id=UUID("0198c5f2-7700-7000-8000-4b1d3a5c7e90"),
    mailbox_id=UUID("0198c5ef-02d1-7a60-b6aa-93c1f6e4d208"),
    subject_type="message",
    subject_id=UUID("0198c5f2-77aa-7e01-8c11-5d2f0e9b7a31"),
    data={"source": "smtp", "size_bytes": 4096},
    created_at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
)


@get(
    "/",
    operation_id="list_events",
    summary="Follow events",
    opt={**allow(Permission.EVENTS_READ), **shown(answer=EventList([_EXAMPLE], 4711))},
)
async def list_all(
    grant: Given[Grant],
    database: Given[Database],
    after: After = 0,
    type_: EventTypeName = None,
    limit: Limit = 100,
) -> EventList:
    """What happened in the tenant, or in the mailboxes that the key is limited to, oldest first.
    Keep `next_cursor` and send it as `after` next time, also when the list was empty: no event is
    missed and none comes twice."""
    wanted = EventFilter(
        tenant_id=grant.tenant_id,
        mailbox_ids=grant.mailbox_ids,
        types=None if type_ is None else [type_],
    )
    events = await read_events(database, after=after, wanted=wanted, limit=limit)
    return EventList(
        [_summary(event) for event in events], events[-1].position if events else after
    )


def _summary(event: Event) -> EventSummary:
    return EventSummary(**{name: getattr(event, name) for name in EventSummary.__struct_fields__})


events_router = Router("/events", route_handlers=[list_all], tags=["events"])
