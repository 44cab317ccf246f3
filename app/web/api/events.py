"""The event log over the API."""

from collections.abc import Mapping, Sequence
from datetime import datetime
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
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import After, Limit


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


@get("/", opt=allow(Permission.EVENTS_READ))
async def list_all(
    grant: Given[Grant],
    database: Given[Database],
    after: After = 0,
    type_: Annotated[str | None, QueryParameter(name="type", max_length=40)] = None,
    limit: Limit = 100,
) -> EventList:
    """The events of the key's tenant, or of the mailboxes that the key is limited to."""
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
