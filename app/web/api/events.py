"""The event log over the API: to read, to wait for, to follow and to take along."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Router, get
from litestar.di import Provide
from litestar.params import QueryParameter
from litestar.response import Stream

from app.access.grants import Grant
from app.access.keys import ApiKeys
from app.access.permissions import Permission
from app.core.clock import Clock
from app.core.errors import InvalidInput, Unauthenticated, Unavailable
from app.directory.mailboxes import Mailboxes
from app.eventlog.event import Event
from app.eventlog.feed import Feed, wait_for_events
from app.eventlog.read import EventFilter, last_position, read_events, walk_events
from app.eventlog.retention import require_kept
from app.eventlog.types import expand_types
from app.storage.db.database import Database
from app.web.access import readable_in
from app.web.api.callers import Caller, calling
from app.web.api.openapi import shown
from app.web.disconnect import while_connected
from app.web.given import Given
from app.web.guards import allow
from app.web.live import format_event, resume_position
from app.web.parameters import After, Limit
from app.web.problems import NOT_FOUND, POSITION_GONE

MAX_WAIT_SECONDS = 30
# A stream outlives what its key may do, so that is looked up again this often.
_GRANTED_FOR = timedelta(seconds=15)

TypeNames = Annotated[
    list[str] | None,
    QueryParameter(
        name="type",
        max_items=100,
        description="Only these, as `ingest.received`, or a group of them, as `webhook.*`. May be"
        " given several times.",
    ),
]
SubjectId = Annotated[
    UUID | None,
    QueryParameter(name="subject", description="Only what happened to this, by its id."),
]
TraceId = Annotated[
    UUID | None,
    QueryParameter(name="trace", description="Only what one mail caused, by its trace id."),
]
MailboxAddress = Annotated[
    str | None,
    QueryParameter(name="mailbox", max_length=320, description="Only of this mailbox."),
]
Since = Annotated[
    datetime | None,
    QueryParameter(name="since", description="Not before this moment (RFC 3339)."),
]
Until = Annotated[
    datetime | None, QueryParameter(name="until", description="Before this moment (RFC 3339).")
]
Wait = Annotated[
    int,
    QueryParameter(
        name="wait",
        ge=0,
        le=MAX_WAIT_SECONDS,
        description="For how many seconds to wait for the first event, where there is none yet.",
    ),
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

    @classmethod
    def of(cls, event: Event) -> "EventSummary":
        return cls(**{name: getattr(event, name) for name in cls.__struct_fields__})


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
_EXAMPLE_LINE = msgspec.json.encode(_EXAMPLE).decode()


async def read_filter(
    grant: Given[Grant],
    mailboxes: Given[Mailboxes],
    type_: TypeNames = None,
    subject: SubjectId = None,
    trace: TraceId = None,
    mailbox: MailboxAddress = None,
    since: Since = None,
    until: Until = None,
) -> EventFilter:
    """What is asked for, of what the key reaches. Raises `InvalidInput` and `NotFound`."""
    access = await readable_in(grant, mailboxes, mailbox)
    return EventFilter(
        tenant_id=access.tenant_id,
        mailbox_ids=access.mailbox_ids,
        types=None if type_ is None else expand_types(type_),
        trace_id=trace,
        subject_id=subject,
        since=_in_utc(since),
        until=_in_utc(until),
    )


@get(
    "/",
    operation_id="list_events",
    summary="Ask the log",
    opt=shown(answer=EventList([_EXAMPLE], 4711), problems=[NOT_FOUND, POSITION_GONE]),
)
async def list_all(
    request: Request[Any, Any, Any],
    database: Given[Database],
    feed: Given[Feed],
    clock: Given[Clock],
    wanted: Given[EventFilter],
    after: After = 0,
    wait: Wait = 0,
    limit: Limit = 100,
) -> EventList:
    """What happened in the tenant, or in the mailboxes that the key is limited to, oldest first.
    Keep `next_cursor` and send it as `after` next time, also when the list was empty: no event is
    missed and none comes twice. With `wait` the answer comes at once when there is an event, else
    with the first one, or empty after so many seconds."""
    await require_kept(database, after)
    looked_at = await last_position(database)
    if wait and (wanted.until is None or wanted.until > clock.now()):
        waiting = wait_for_events(feed, wanted, after=after, timeout_seconds=wait)
        events = (await while_connected(request, waiting) or ())[:limit]
    else:
        events = await read_events(database, after=after, wanted=wanted, limit=limit)
    return EventList(
        [EventSummary.of(event) for event in events],
        events[-1].position if events else max(after, looked_at),
    )


@get(
    "/stream",
    operation_id="stream_events",
    summary="Follow events as they happen",
    media_type="text/event-stream",
    opt=shown(
        answer=f"event: message\nid: {_EXAMPLE.position}\ndata: {_EXAMPLE_LINE}\n\n",
        problems=[NOT_FOUND, POSITION_GONE],
    ),
)
async def stream_all(
    request: Request[Any, Any, Any],
    database: Given[Database],
    feed: Given[Feed],
    keys: Given[ApiKeys],
    clock: Given[Clock],
    caller: Given[Caller],
    wanted: Given[EventFilter],
    after: After = 0,
) -> Stream:
    """The same as server-sent events: first what there is after the position, then each event as it
    is committed. The `id` of an event is its position; a client that sends the last one back as
    `Last-Event-ID`, as browsers do by themselves, misses nothing and gets nothing twice. A comment
    comes every 15 seconds when nothing else does. The stream ends when the key does."""
    position = resume_position(request, after)
    await require_kept(database, position)
    tether = _Tether(keys, clock, caller, clock.now())
    return Stream(
        _stream(feed, wanted, position, tether),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


@get(
    "/export",
    operation_id="export_events",
    summary="Take events along",
    media_type="application/jsonl",
    opt=shown(answer=f"{_EXAMPLE_LINE}\n", problems=[NOT_FOUND, POSITION_GONE]),
)
async def export_all(
    database: Given[Database], clock: Given[Clock], wanted: Given[EventFilter], after: After = 0
) -> Stream:
    """Everything that fits as JSON lines, one event a line, oldest first, in one answer of any
    length. It ends at the newest event that there was when it began."""
    await require_kept(database, after)
    return send_export(database, clock, wanted, after)


def send_export(database: Database, clock: Clock, wanted: EventFilter, after: int) -> Stream:
    """A file of JSON lines, read from the log as it is sent."""
    return Stream(
        _export(database, wanted, after),
        media_type="application/jsonl",
        headers={
            "content-disposition": f'attachment; filename="events-{clock.now():%Y-%m-%d}.jsonl"'
        },
    )


async def _export(database: Database, wanted: EventFilter, after: int) -> AsyncIterator[bytes]:
    encoder = msgspec.json.Encoder()
    async for events in walk_events(database, after=after, wanted=wanted):
        yield encoder.encode_lines([EventSummary.of(event) for event in events])


async def _stream(
    feed: Feed, wanted: EventFilter, after: int, tether: "_Tether"
) -> AsyncIterator[bytes]:
    yield b": connected\n\n"
    async for events in feed.follow(wanted, after=after):
        if not await tether.holds():
            return
        yield b"".join(map(_format, events)) or b": still here\n\n"


def _format(event: Event) -> bytes:
    data = msgspec.json.encode(EventSummary.of(event)).decode()
    return format_event("message", data, event.position)


@dataclass(slots=True)
class _Tether:
    """What ties a stream to the key that opened it."""

    keys: ApiKeys
    clock: Clock
    caller: Caller
    checked_at: datetime

    async def holds(self) -> bool:
        """False when the key is no longer good, or reaches other mailboxes than it did."""
        now = self.clock.now()
        if now - self.checked_at < _GRANTED_FOR:
            return True
        self.checked_at, opened_by = now, self.caller.grant
        try:
            grant = await self.keys.authenticate(self.caller.key.reveal(), opened_by.actor.address)
        except (Unauthenticated, Unavailable):
            return False
        return grant.allows(Permission.EVENTS_READ) and set(grant.mailbox_ids or ()) == set(
            opened_by.mailbox_ids or ()
        )


def _in_utc(moment: datetime | None) -> datetime | None:
    """What names no zone is in UTC. Raises `InvalidInput` at the ends of the calendar."""
    if moment is None or moment.tzinfo is None:
        return moment and moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput("No event is from that time.") from error


events_router = Router(
    "/events",
    route_handlers=[list_all, stream_all, export_all],
    dependencies={
        "wanted": Provide(read_filter),
        "caller": Provide(calling, sync_to_thread=False),
    },
    opt=allow(Permission.EVENTS_READ),
    tags=["events"],
)
