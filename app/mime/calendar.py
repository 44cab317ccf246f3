"""Invitations to events (RFC 5545 and RFC 5546), read for a card above the message.

Only the lines that the card needs are given to a parser, and recurrences are said in words, never
worked out: a calendar of one megabyte may hold an event in every second until the end of time.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from icalendar import Calendar, Component

from app.mime.charsets import one_line
from app.mime.recurrence import describe_day, describe_recurrence

MAX_CALENDAR_BYTES = 1024 * 1024
_MAX_LINES = 50_000
_MAX_LINE_CHARS = 4000
_MAX_TEXT_CHARS = 500
_MAX_ADDRESS_CHARS = 254

_FOLD = re.compile(r"\r?\n[ \t]")
_OUTSIDE, _IN_EVENT = ["VCALENDAR"], ["VCALENDAR", "VEVENT"]
_NAME = re.compile(r"[A-Za-z-]{1,40}(?=[;:])")
_SHOWN = frozenset(
    {
        *("SUMMARY", "LOCATION", "ORGANIZER", "STATUS", "RRULE"),
        *("DTSTART", "DTEND", "DURATION", "ATTENDEE"),
    }
)
_ANSWERS = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "maybe"}
_HEADINGS = {"REQUEST": "Invitation", "COUNTER": "Another time proposed"}


@dataclass(frozen=True, slots=True)
class Invitation:
    """One event and what is asked about it. Texts are plain, on one line and bounded.

    `method` is that of RFC 5546 in capitals, empty where there is none. Times are dates for events
    of whole days; `ends_at` is then the last of them. `time_zone` is the event's own as it is
    known or else as it was named; empty for a time that is meant wherever the reader is.
    """

    method: str
    summary: str
    starts_at: date | datetime | None
    ends_at: date | datetime | None
    time_zone: str
    recurrence: str
    location: str
    organiser: str
    attendee_count: int
    respondent: str
    answer: str
    is_cancelled: bool

    @property
    def heading(self) -> str:
        """What it is: `Invitation`, `Cancelled`, `Reply from Ada: accepted`…"""
        if self.is_cancelled:
            return "Cancelled"
        if self.method == "REPLY":
            answer = _ANSWERS.get(self.answer)
            heading = f"Reply from {self.respondent}" if self.respondent else "Reply"
            return f"{heading}: {answer}" if answer else heading
        return _HEADINGS.get(self.method, "Event")

    @property
    def when(self) -> str:
        """`Monday 23 November 2026, 10:00 to 11:00 (Europe/Berlin)`; empty without a start."""
        start, end = self.starts_at, self.ends_at
        if start is None:
            return ""
        day = describe_day(start)
        if not isinstance(start, datetime):
            until = f" to {describe_day(end)}" if end is not None and end > start else ""
            return f"{day}{until}, all day"
        zone = f" ({self.time_zone})" if self.time_zone else ""
        if not isinstance(end, datetime) or end == start:
            return f"{day}, {start:%H:%M}{zone}"
        last = "" if end.date() == start.date() else f"{describe_day(end)}, "
        return f"{day}, {start:%H:%M} to {last}{end:%H:%M}{zone}"


def read_invitation(data: bytes) -> Invitation | None:
    """The first event in a calendar; None where there is none that can be read.

    Never fails, and takes time for as many lines as the card shows.
    """
    if len(data) > MAX_CALENDAR_BYTES:
        return None
    lines, attendee_count = _choose_lines(_FOLD.sub("", data.decode("utf-8-sig", "replace")))
    try:
        calendar = Calendar.from_ical("\r\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]))
        (event,) = calendar.walk("VEVENT")
        invitation = _make_invitation(calendar, event, attendee_count)
    except Exception:
        # The library raises whatever its parts do, and a card is worth no error page.
        return None
    return invitation if invitation.summary or invitation.starts_at else None


def _choose_lines(text: str) -> tuple[Sequence[str], int]:
    """The method, the lines of the first event that are shown, and how many attendees it has.

    Time zones are left out, which would be worked out for decades: they are known by their names.
    """
    inside: list[str] = []
    chosen: dict[str, str] = {}
    attendee_count = 0
    for line in text.split("\n", _MAX_LINES)[:_MAX_LINES]:
        line = line.rstrip("\r")
        match = _NAME.match(line)
        name = match[0].upper() if match else ""
        if name == "BEGIN":
            inside.append(line.partition(":")[2].strip().upper()[:40])
        elif name == "END":
            if inside == _IN_EVENT:
                break
            inside = inside[:-1]
        elif (name in _SHOWN and inside == _IN_EVENT) or (name == "METHOD" and inside == _OUTSIDE):
            attendee_count += name == "ATTENDEE"
            if len(line) <= _MAX_LINE_CHARS:
                chosen.setdefault(name, line)
    if inside[:2] != _IN_EVENT:
        return (), 0
    method = [chosen.pop("METHOD")] if "METHOD" in chosen else []
    return [*method, "BEGIN:VEVENT", *chosen.values(), "END:VEVENT"], attendee_count


def _make_invitation(calendar: Component, event: Component, attendee_count: int) -> Invitation:
    method = _text(calendar, "METHOD").upper()
    start, zone = _moment(event, "DTSTART")
    end = _find_end(event, start)
    attendee = event.get("ATTENDEE")
    return Invitation(
        method=method,
        summary=_text(event, "SUMMARY"),
        starts_at=start,
        ends_at=end,
        time_zone=zone,
        recurrence=describe_recurrence(event.get("RRULE")) if "RRULE" in event else "",
        location=_text(event, "LOCATION"),
        organiser=_person(event.get("ORGANIZER")),
        attendee_count=attendee_count,
        respondent=_person(attendee) if method == "REPLY" else "",
        answer=_parameters(attendee).get("PARTSTAT", "").upper() if method == "REPLY" else "",
        is_cancelled=method == "CANCEL" or _text(event, "STATUS").upper() == "CANCELLED",
    )


def _moment(event: Component, name: str) -> tuple[date | datetime | None, str]:
    """The date or time that a property says, and its zone."""
    value = event.get(name)
    moment = getattr(value, "dt", None)
    if not isinstance(moment, date):
        return None, ""
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        return moment, one_line(_parameters(value).get("TZID", ""))[:60]
    if moment.tzinfo is UTC or moment.tzname() == "UTC":
        return moment, "UTC"
    return moment, str(getattr(moment.tzinfo, "key", "") or moment.tzname() or "")


def _find_end(event: Component, start: date | datetime | None) -> date | datetime | None:
    """In the zone of the start, so that both can be compared and read together."""
    if start is None:
        return None
    end, _ = _moment(event, "DTEND")
    duration = getattr(event.get("DURATION"), "dt", None)
    if end is None and isinstance(duration, timedelta):
        end = start + duration
    if not isinstance(start, datetime):
        # The day named is the first that it no longer lasts (section 3.6.1).
        if end is None or isinstance(end, datetime):
            return None
        return end - timedelta(days=1)
    if not isinstance(end, datetime) or (end.tzinfo is None) != (start.tzinfo is None):
        return None
    end = end.astimezone(start.tzinfo) if start.tzinfo else end
    return end if end >= start else None


def _text(component: Component, name: str) -> str:
    value = component.get(name, "")
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = next(iter(value), "")
    return one_line(str(value))[:_MAX_TEXT_CHARS]


def _person(value: object) -> str:
    """The name of an organiser or attendee, or else the address."""
    if value is None:
        return ""
    name = one_line(_parameters(value).get("CN", ""))[:_MAX_TEXT_CHARS]
    address = re.sub(r"(?i)^mailto:", "", one_line(str(value)))
    return name or address[:_MAX_ADDRESS_CHARS]


def _parameters(value: object) -> Mapping[str, str]:
    found = getattr(value, "params", None) or {}
    return {name: str(content) for name, content in found.items()}
