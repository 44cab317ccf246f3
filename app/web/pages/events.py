"""The event log as a page: what happened, how often, and what happens now."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from jinja2 import Environment
from litestar import Request, Router, get
from litestar.di import Provide
from litestar.params import QueryParameter
from litestar.response import Stream, Template

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session, Sessions
from app.core.clock import Clock
from app.core.errors import InvalidInput, NotFound
from app.directory.mailboxes import Mailboxes
from app.eventlog.event import Event
from app.eventlog.feed import Feed
from app.eventlog.rates import count_rates, step_length
from app.eventlog.read import EventFilter, last_position, read_newest
from app.inbox.listing import MessageRow, find_rows
from app.inbox.sidebar import read_sidebar
from app.storage.db.database import Database
from app.web.access import readable
from app.web.api.events import send_export
from app.web.calls import draw_calls, types_of_calls
from app.web.charts import Chart, Column, Series, draw_columns
from app.web.cookies import SessionCookies
from app.web.event_wording import (
    GROUPS,
    WORDINGS,
    EventGroup,
    GroupLook,
    describe_data,
    describe_event,
    look_of,
    types_of,
)
from app.web.given import Given
from app.web.guards import allow
from app.web.live import format_event, resume_position
from app.web.parameters import After, Cursor
from app.web.rendering import describe_exactly

_PAGE_EVENTS = 50
_MOST_STEPS = 60
_PERIODS: Mapping[str, tuple[str, timedelta]] = {
    "hour": ("In the last hour", timedelta(hours=1)),
    "day": ("In the last 24 hours", timedelta(days=1)),
    "week": ("In the last 7 days", timedelta(days=7)),
}
_PERIOD = "week"

What = Annotated[str, QueryParameter(name="what", max_length=20)]
MailboxId = Annotated[str, QueryParameter(name="mailbox", max_length=36)]
Thing = Annotated[str, QueryParameter(name="q", max_length=100)]
Period = Annotated[str, QueryParameter(name="since", max_length=10)]
Edge = Annotated[str, QueryParameter(max_length=16)]


@dataclass(frozen=True, slots=True)
class EventSearch:
    """What a person asked for. Empty means everything; `since` and `until` are None for the id of
    a thing, whose events are all shown, and `until` as long as time goes on."""

    what: str
    mailbox: str
    q: str
    period: str
    start: str
    end: str
    types: Sequence[str]
    mailbox_id: UUID | None
    thing_id: UUID | None
    since: datetime | None
    until: datetime | None

    @property
    def query(self) -> str:
        """As addresses name it."""
        chosen = {
            "what": self.what,
            "mailbox": self.mailbox,
            "q": self.q,
            "start": self.start,
            "end": self.end,
            "since": self.period if self.period != _PERIOD else "",
        }
        return urlencode({name: text for name, text in chosen.items() if text})


@dataclass(frozen=True, slots=True)
class EventLine:
    """An event as a row of the list. `message` is what it is of, while that is there."""

    event: Event
    words: str
    details: str
    look: GroupLook
    mailbox_address: str
    message: MessageRow | None


async def read_search(
    clock: Given[Clock],
    what: What = "",
    mailbox: MailboxId = "",
    q: Thing = "",
    since: Period = _PERIOD,
    start: Edge = "",
    end: Edge = "",
) -> EventSearch:
    """Raises `InvalidInput` for what no form of ours sends."""
    if (what and what not in GROUPS) or since not in _PERIODS:
        raise InvalidInput("There is no such filter.")
    first, last = _read_time(start), _read_time(end)
    if first is None:
        first = (last or clock.now()) - _PERIODS[since][1]
    q = q.strip()
    return EventSearch(
        *(what, mailbox, q, since, start, end),
        types=types_of(EventGroup(what)) if what else list(WORDINGS),
        mailbox_id=_read_id(mailbox) if mailbox else None,
        thing_id=_read_id(q) if q else None,
        since=None if q else first,
        until=None if q else last,
    )


@dataclass(frozen=True, slots=True)
class EventPages:
    """Renders events for people."""

    database: Database
    mailboxes: Mailboxes
    feed: Feed
    environment: Environment
    clock: Clock

    async def narrow(self, grant: Grant, search: EventSearch) -> EventFilter:
        """What is asked for, of what somebody may see. An id is looked for as that of a mail's
        trace first, and then as that of a thing."""
        access = readable(grant).narrow(search.mailbox_id)
        wanted = EventFilter(
            grant.tenant_id,
            access.mailbox_ids,
            types=search.types if search.what else None,
            since=search.since,
            until=search.until,
        )
        if search.thing_id is None:
            return wanted
        traced = EventFilter(grant.tenant_id, grant.mailbox_ids, trace_id=search.thing_id)
        if await read_newest(self.database, before=None, wanted=traced, limit=1):
            return replace(wanted, trace_id=search.thing_id)
        return replace(wanted, subject_id=search.thing_id)

    async def draw_lines(self, grant: Grant, events: Sequence[Event]) -> Sequence[EventLine]:
        """With what is known of their mailboxes and, for whoever may read mail, messages."""
        ids = {event.mailbox_id for event in events if event.mailbox_id}
        addresses = await self.mailboxes.find_addresses(ids, grant.tenant_id)
        messages: Mapping[UUID, MessageRow] = {}
        if grant.allows(Permission.MESSAGES_READ):
            subjects = {event.subject_id for event in events if event.subject_type == "message"}
            found = await find_rows(self.database, readable(grant), list(subjects))
            messages = {row.id: row for row in found}
        return [
            EventLine(
                event,
                describe_event(event.type),
                describe_data(event),
                look_of(event.type),
                addresses.get(event.mailbox_id, "") if event.mailbox_id else "",
                messages.get(event.subject_id),
            )
            for event in events
        ]

    async def draw_chart(self, grant: Grant, search: EventSearch) -> tuple[Chart, bool] | None:
        """How often things happened in the time that is shown, and whether the numbers are only
        about right; None for the events of one thing."""
        if search.since is None:
            return None
        until = search.until or self.clock.now()
        length = step_length(until - search.since, _MOST_STEPS - 1)
        since = search.since - (search.since - _MIDNIGHT) % length
        rates = await count_rates(
            self.database,
            grant.tenant_id,
            types=search.types,
            mailbox_ids=readable(grant).narrow(search.mailbox_id).mailbox_ids,
            since=since,
            until=since + length * ceil((until - since) / length),
            steps=max(1, ceil((until - since) / length)),
        )
        kinds = [frozenset(types_of(group)) for group in GROUPS]
        columns = [
            Column(
                describe_exactly(step.start),
                [sum(step.events.get(kind, 0) for kind in of) for of in kinds],
            )
            for step in rates.steps
        ]
        series = [Series(look.name, look.colour) for look in GROUPS.values()]
        return draw_columns(series, columns), rates.is_about

    async def follow(
        self, grant: Grant, sessions: Sessions, session: Session, wanted: EventFilter, after: int
    ) -> AsyncIterator[bytes]:
        """Rows as they come, and calls for a person, as server-sent events."""
        calls = types_of_calls(grant)
        everything = EventFilter(grant.tenant_id) if calls else wanted
        template = self.environment.get_template("events/_row.html")
        yield b": connected\n\n"
        async for events in self.feed.follow(everything, after=after):
            try:
                await sessions.require_open(session)
            except NotFound:
                return
            fitting = [event for event in events if wanted.matches(event)]
            rows = {
                line.event.position: format_event(
                    "message", template.render(line=line), line.event.position
                )
                for line in await self.draw_lines(grant, fitting)
            }
            # Of one event there may be a row and a call, which then come under one position.
            for position, call in draw_calls(self.environment, events, calls).items():
                rows[position] = rows.get(position, b"") + call
            told = b"".join(rows[position] for position in sorted(rows))
            yield told or b": still here\n\n"


@get("/")
async def show_events(
    request: Request[Any, Any, Any],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    grant: Given[Grant],
    database: Given[Database],
    event_pages: Given[EventPages],
    search: Given[EventSearch],
    cursor: Cursor = None,
) -> Template:
    """The whole page, or only its further rows when htmx asks for them."""
    position = await last_position(database)
    wanted = await event_pages.narrow(grant, search)
    events = await read_newest(
        database, before=_read_cursor(cursor), wanted=wanted, limit=_PAGE_EVENTS + 1
    )
    lines = await event_pages.draw_lines(grant, events[:_PAGE_EVENTS])
    context = {
        "lines": lines,
        "next_cursor": events[_PAGE_EVENTS - 1].position if len(events) > _PAGE_EVENTS else None,
        "filters": search.query,
    }
    if cursor is not None and request.headers.get("hx-request") == "true":
        return Template("events/_rows.html", context=context)
    chart, is_about = await event_pages.draw_chart(grant, search) or (None, False)
    return Template(
        "events/list.html",
        context={
            **context,
            "signed_in_as": session.email,
            "csrf_token": session_cookies.csrf_token(session),
            "search": search,
            "groups": {"": "Everything"} | {each.value: look.name for each, look in GROUPS.items()},
            "periods": {name: words for name, (words, _) in _PERIODS.items()},
            "mailboxes": (await read_sidebar(database, grant.tenant_id)).mailboxes,
            "position": None if cursor or search.until else position,
            "chart": chart,
            "is_about": is_about,
        },
    )


@get("/live")
async def follow_events(
    request: Request[Any, Any, Any],
    session: Given[Session],
    sessions: Given[Sessions],
    grant: Given[Grant],
    event_pages: Given[EventPages],
    search: Given[EventSearch],
    after: After = 0,
) -> Stream:
    """What happens after a position: however long a page lay open, it goes on where it was."""
    wanted = replace(await event_pages.narrow(grant, search), since=None)
    position = resume_position(request, after)
    return Stream(
        event_pages.follow(grant, sessions, session, wanted, position),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


@get("/export.jsonl")
async def export_events(
    grant: Given[Grant],
    database: Given[Database],
    clock: Given[Clock],
    event_pages: Given[EventPages],
    search: Given[EventSearch],
) -> Stream:
    """All that the search finds, oldest first, one JSON object a line."""
    return send_export(database, clock, await event_pages.narrow(grant, search), 0)


# What steps of a chart are counted from.
_MIDNIGHT = datetime(2024, 1, 1, tzinfo=UTC)
_YEARS = range(2000, 3000)


def _read_time(text: str) -> datetime | None:
    """What a field for a date and a time of day sends, in UTC (HTML, section 2.3.5)."""
    if not text:
        return None
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidInput("This is not a time.") from error
    if moment.year not in _YEARS:
        raise InvalidInput("No event is from that time.")
    return moment


def _read_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidInput("This is not an id.") from error


def _read_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise InvalidInput("This cursor is not one of ours.")
    return int(cursor)


events_page_router = Router(
    "/events",
    route_handlers=[show_events, follow_events, export_events],
    dependencies={"search": Provide(read_search)},
    opt=allow(Permission.EVENTS_READ),
)
