"""The page of events with the values its handler gives it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.eventlog.event import Event
from app.eventlog.types import EventType
from app.inbox.listing import MessageRow
from app.web.charts import Column, Series, draw_columns
from app.web.event_wording import GROUPS, describe_data, describe_event, look_of
from app.web.pages.events import EventLine, EventSearch


def make_event_pages(
    now: datetime, hostile: str, frame: Mapping[str, Any], row: MessageRow
) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Name, template and context of each."""
    lines = [_line(number, now, hostile, row) for number in range(50)]
    shown = {
        **frame,
        "lines": lines,
        "next_cursor": 4661,
        "filters": "what=mail",
        "search": make_search(what="mail", mailbox_id=UUID(int=7)),
        "groups": {"": "Everything", "mail": "Mail"},
        "periods": {"day": "In the last 24 hours", "week": "In the last 7 days"},
        "position": 4711,
        "chart": draw_columns(
            [Series(look.name, look.colour) for look in GROUPS.values()],
            [Column(f"{n} o'clock", [n * m % 9 for m in range(6)]) for n in range(60)],
        ),
        "is_about": True,
    }
    nothing = {
        **shown,
        "lines": [],
        "next_cursor": None,
        "filters": "",
        "search": make_search(),
        "mailboxes": (),
        "chart": draw_columns([Series("Mail", "blue")], [Column("now", [0])]),
        "is_about": False,
    }
    of_one = make_search(q=hostile, period="day")
    return [
        ("events", "events/list.html", shown),
        ("events, none", "events/list.html", nothing),
        ("events, older", "events/list.html", {**shown, "position": None}),
        ("events, no such thing", "events/list.html", {**nothing, "chart": None, "search": of_one}),
    ]


def make_search(**changes: Any) -> EventSearch:
    values: dict[str, Any] = {
        "what": "",
        "mailbox": "",
        "q": "",
        "period": "week",
        "start": "",
        "end": "",
        "types": (),
        "mailbox_id": None,
        "thing_id": None,
        "since": None,
        "until": None,
    }
    return EventSearch(**{**values, **changes})


def _line(number: int, now: datetime, hostile: str, row: MessageRow) -> EventLine:
    kinds: Sequence[str] = [*EventType, "parcel.left_outside"]
    event = Event(
        position=4711 - number,
        id=UUID(int=number),
        type=kinds[number % len(kinds)],
        tenant_id=None,
        mailbox_id=None,
        trace_id=UUID(int=number),
        subject_type="message",
        subject_id=UUID(int=number),
        data={"source": "smtp", "reason": hostile, "size_bytes": 4096},
        created_at=now - timedelta(minutes=number),
    )
    return EventLine(
        event,
        describe_event(event.type),
        describe_data(event),
        look_of(event.type),
        hostile if number % 2 else "",
        row if number % 3 else None,
    )
