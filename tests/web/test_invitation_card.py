"""The invitation of a message, found and shown."""

from email.message import EmailMessage
from uuid import UUID

import pytest
from mailroom import Mailroom
from page_samples import ASSETS, HOSTILE, FixedClock

from app.inbox.invitations import InvitationView, find_invitation
from app.inbox.listing import Access
from app.mime.calendar import read_invitation
from app.web.rendering import create_environment

CALENDAR = (
    b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nSUMMARY:The engine\r\n"
    b"DTSTART:20261123T100000Z\r\nORGANIZER:mailto:ada@acme.example\r\n"
    b"ATTENDEE:mailto:bob@acme.example\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


async def receive(mailroom: Mailroom, *calendars: bytes) -> InvitationView | None:
    message = EmailMessage()
    message["From"] = "ada@acme.example"
    message.set_content("Come.")
    for calendar in calendars:
        message.add_attachment(calendar, maintype="text", subtype="calendar", filename="invite.ics")
    await mailroom.spool(message.as_bytes())
    await mailroom.take_in()
    (row,) = await mailroom.rows()
    access = Access(mailroom.mailbox.tenant_id)
    view = await mailroom.services.reading.open(access, row.id)
    return await find_invitation(mailroom.services.blobs, view.attachments)


async def test_invitation_is_found_behind_a_calendar_without_an_event(mailroom: Mailroom) -> None:
    found = await receive(mailroom, b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", CALENDAR)
    assert found is not None
    assert found.invitation.summary == "The engine"


async def test_nothing_is_found_without_a_calendar(mailroom: Mailroom) -> None:
    assert await receive(mailroom) is None


async def test_nothing_is_read_when_a_calendar_is_too_large(mailroom: Mailroom) -> None:
    assert await receive(mailroom, CALENDAR + b" \r\n" * 400_000) is None


def render(calendar: bytes | None) -> str:
    invitation = read_invitation(calendar) if calendar else None
    shown = InvitationView(invitation, UUID(int=5)) if invitation else None
    template = create_environment(FixedClock(), ASSETS).get_template("messages/_calendar.html")
    return template.render(invitation=shown, url="/inbox/m/1")


def test_card_shows_the_event_and_saves_it() -> None:
    page = render(CALENDAR)
    for words in (
        *("Invitation", "The engine", "Monday 23 November 2026, 10:00 (UTC)", "Every day"),
        *("ada@acme.example", "1 attendee", "Save to calendar"),
    ):
        assert words in page
    assert f'href="/inbox/m/1/attachments/{UUID(int=5)}" download' in page


def test_card_is_absent_without_an_invitation() -> None:
    assert render(None).strip() == ""


@pytest.mark.parametrize("field", ["SUMMARY", "LOCATION", "ORGANIZER;CN=x", "METHOD"])
def test_card_escapes_what_strangers_write(field: str) -> None:
    line = f"{field}:{HOSTILE}\r\nEND:VEVENT".encode()
    assert "<script" not in render(CALENDAR.replace(b"END:VEVENT", line, 1))
    reply = CALENDAR.replace(b"METHOD:REQUEST", b"METHOD:REPLY")
    named = reply.replace(b"ATTENDEE:", b'ATTENDEE;CN="<script>alert(1)</script>":')
    assert "Reply from &lt;script&gt;" in render(named)
