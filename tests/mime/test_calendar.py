"""Invitations, read for their card."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.mime.calendar import MAX_CALENDAR_BYTES, Invitation, read_invitation
from app.mime.recurrence import describe_recurrence

OUTLOOK = """BEGIN:VCALENDAR
METHOD:REQUEST
PRODID:Microsoft Exchange Server 2010
VERSION:2.0
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=SECONDLY
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN="Lovelace, Ada":mailto:ada@acme.example
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;CN=Bob:mailto:bob@acme.example
ATTENDEE;CN=Eve:mailto:eve@acme.example
UID:0400000082
SUMMARY;LANGUAGE=en-US:Notes on the engine\\, part G
DTSTART;TZID=W. Europe Standard Time:20261123T100000
DTEND;TZID=W. Europe Standard Time:20261123T110000
RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;UNTIL=20270305T090000Z
LOCATION;LANGUAGE=en-US:Room 1\\; upper floo
 r
BEGIN:VALARM
SUMMARY:Wake up
TRIGGER:-PT15M
END:VALARM
END:VEVENT
BEGIN:VEVENT
SUMMARY:Another
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n").encode()


def event(*lines: str, method: str = "") -> Invitation | None:
    outside = [f"METHOD:{method}"] if method else []
    whole = ["BEGIN:VCALENDAR", *outside, "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"]
    return read_invitation("\r\n".join(whole).encode())


def shown(*lines: str, method: str = "") -> Invitation:
    invitation = event("SUMMARY:x", *lines, method=method)
    assert invitation is not None
    return invitation


def test_invitation_says_what_when_where_and_who() -> None:
    invitation = read_invitation(OUTLOOK)
    assert invitation is not None
    assert invitation.heading == "Invitation"
    assert invitation.summary == "Notes on the engine, part G"
    assert invitation.when == "Monday 23 November 2026, 10:00 to 11:00 (Europe/Berlin)"
    assert invitation.recurrence == (
        "Every 2 weeks on Monday and Friday, until Friday 5 March 2027"
    )
    assert (invitation.location, invitation.organiser) == ("Room 1; upper floor", "Lovelace, Ada")
    assert invitation.attendee_count == 2


@pytest.mark.parametrize(
    ("lines", "when"),
    [
        (["DTSTART:20261123T100000Z", "DURATION:PT90M"], "10:00 to 11:30 (UTC)"),
        (["DTSTART:20261123T100000"], "10:00"),
        (["DTSTART;TZID=Mars/Base:20261123T100000"], "10:00 (Mars/Base)"),
        (
            ["DTSTART;TZID=Asia/Tokyo:20261123T100000", "DTEND:20261123T020000Z"],
            "10:00 to 11:00 (Asia/Tokyo)",
        ),
        (
            ["DTSTART:20261123T230000Z", "DTEND:20261124T010000Z"],
            "23:00 to Tuesday 24 November 2026, 01:00 (UTC)",
        ),
        (["DTSTART:20261123T100000Z", "DTEND:20261122T100000Z"], "10:00 (UTC)"),
        (["DTSTART;VALUE=DATE:20261123"], "all day"),
        (["DTSTART;VALUE=DATE:20261123", "DTEND;VALUE=DATE:20261124"], "all day"),
    ],
)
def test_time_is_that_of_the_event_in_its_own_zone(lines: list[str], when: str) -> None:
    assert shown(*lines).when == f"Monday 23 November 2026, {when}"


def test_event_of_several_days_ends_on_the_last_of_them() -> None:
    found = shown("DTSTART;VALUE=DATE:20261123", "DTEND;VALUE=DATE:20261126")
    assert found.when == "Monday 23 November 2026 to Wednesday 25 November 2026, all day"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"FREQ": ["DAILY"]}, "Every day"),
        (
            {"FREQ": ["WEEKLY"], "BYDAY": ["MO", "TU", "FR"]},
            "Every week on Monday, Tuesday and Friday",
        ),
        ({"FREQ": ["MONTHLY"], "BYDAY": ["-1FR"]}, "Every month on the last Friday"),
        (
            {"FREQ": ["MONTHLY"], "BYMONTHDAY": [15], "COUNT": [10]},
            "Every month on day 15, 10 times",
        ),
        ({"FREQ": ["YEARLY"], "INTERVAL": [4]}, "Every 4 years"),
        ({"FREQ": ["WEEKLY"], "BYDAY": ["17XX"]}, "Every week"),
        ({"FREQ": ["SECONDLY"]}, "Repeatedly"),
        ({}, "Repeatedly"),
    ],
)
def test_recurrence_is_said_in_words(rule: dict[str, list[object]], words: str) -> None:
    assert describe_recurrence(rule) == words


@pytest.mark.parametrize(
    ("method", "lines", "heading"),
    [
        ("request", [], "Invitation"),
        ("", [], "Event"),
        ("CANCEL", [], "Cancelled"),
        ("", ["STATUS:CANCELLED"], "Cancelled"),
        ("COUNTER", [], "Another time proposed"),
        (
            "REPLY",
            ["ATTENDEE;PARTSTAT=ACCEPTED;CN=Ada:mailto:a@b.example"],
            "Reply from Ada: accepted",
        ),
        (
            "REPLY",
            ["ATTENDEE;PARTSTAT=DECLINED:MAILTO:a@b.example"],
            "Reply from a@b.example: declined",
        ),
        ("REPLY", ["ATTENDEE;CN=Ada:mailto:a@b.example"], "Reply from Ada"),
        ("REPLY", [], "Reply"),
    ],
)
def test_heading_says_what_is_asked(method: str, lines: list[str], heading: str) -> None:
    assert shown(*lines, method=method).heading == heading


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a calendar",
        b"BEGIN:VCALENDAR\r\nEND:VCALENDAR",
        b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nSUMMARY:x\r\nEND:VTODO\r\nEND:VCALENDAR",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR",
        b"BEGIN:VEVENT\r\nSUMMARY:x\r\nEND:VEVENT",
        OUTLOOK + b" " * MAX_CALENDAR_BYTES,
    ],
)
def test_nothing_is_shown_when_there_is_no_event(data: bytes) -> None:
    assert read_invitation(data) is None


def test_event_that_lost_its_end_is_shown() -> None:
    invitation = read_invitation(OUTLOOK[: OUTLOOK.index(b"BEGIN:VALARM")])
    assert invitation is not None
    assert invitation.summary == "Notes on the engine, part G"


def test_texts_are_bounded_and_on_one_line() -> None:
    found = shown(
        "LOCATION:" + "r" * 3000, "ORGANIZER;CN=a\u202eb:mailto:x", "SUMMARY:ignored: the second"
    )
    assert len(found.location) == 500
    assert found.organiser == "ab"
    assert shown("LOCATION:one\\ntwo").location == "one two"


HEAD = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\n"


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b'ATTENDEE;CN="x":mailto:a@b.example\r\n' * 25_000,
        HEAD + b"DTSTART;" + b"X=a;" * 200_000 + b"Y=1:20260101",
        HEAD + b"DTSTART;X=" + b'"a",' * 900 + b":20260101",
        HEAD + b"RDATE:" + b"20260101T000000Z," * 50_000,
        HEAD + b"RRULE:FREQ=SECONDLY;BYSECOND=" + b"1," * 1900 + b"1",
        HEAD + b"LOCATION:" + b"a\r\n " * 200_000,
        HEAD + b"DTSTART:99991231T235959\r\nDURATION:P999999999D",
        b"BEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 60_000,
        b"\n" * 1_000_000,
    ],
)
def test_calendar_that_is_made_to_be_slow_is_read_or_passed_over(data: bytes) -> None:
    found = read_invitation(data)
    assert found is None or found.summary == "x"


_LINES = st.sampled_from(OUTLOOK.decode().split("\r\n"))
_VALUES = st.sampled_from(
    ["", "20261123", "P1D", "FREQ=X", "mailto:", "\\", '"', "\ud800", "9" * 40]
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            _LINES,
            st.builds("{}:{}".format, _LINES.map(lambda line: line.partition(":")[0]), _VALUES),
            st.text(max_size=30),
        ),
        max_size=40,
    )
)
def test_nothing_is_raised_whatever_the_calendar(lines: list[str]) -> None:
    whole = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines]
    found = read_invitation("\r\n".join(whole).encode("utf-8", "surrogatepass"))
    if found is not None:
        (found.heading + found.when + found.recurrence + found.summary).encode()
