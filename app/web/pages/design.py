"""Every component in every state on one page, from the partials that the real pages are made of.

For those who work on the look; `app.main` leaves it out in production.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from litestar import get
from litestar.response import Template

from app.core.clock import Clock
from app.inbox.listing import LabelView, MessageRow
from app.inbox.sidebar import Counts, MailboxView
from app.inbox.view import ALL_MAIL, Folder, View
from app.web.assets import Assets
from app.web.given import Given
from app.web.guards import allow_public
from app.web.pages.actions import Notice

_LABELS = tuple(
    LabelView(UUID(int=number), name, colour)
    for number, (name, colour) in enumerate(
        (
            *(("Bills", "amber"), ("Travel", "blue"), ("Family", "green")),
            *(
                ("Urgent", "red"),
                ("Reading", "violet"),
                ("A label with a long name", "grey"),
            ),
        ),
        start=1,
    )
)
_MAILBOXES = (
    MailboxView(UUID(int=1), "support@acme.example"),
    MailboxView(UUID(int=2), "sales@acme.example"),
)
_EMPTY = (
    ("Inbox", View(folder=Folder.INBOX)),
    ("Unread", View(folder=Folder.INBOX, unread=True)),
    ("Starred", View(starred=True)),
    ("Archive", View(folder=Folder.ARCHIVE)),
    ("Spam", View(folder=Folder.SPAM)),
    ("Trash", View(folder=Folder.TRASH)),
    ("All mail", View(folder=ALL_MAIL)),
    ("Bills", View(label_id=UUID(int=1))),
)
_SNIPPET = "What the message begins with, as much of it as there is room for"
_LONG = "a subject that does not know when to stop, and goes on, and then on again " * 2


@get("/design", opt=allow_public())
async def show_design(clock: Given[Clock], assets: Given[Assets]) -> Template:
    """Shows what there is. Nothing on it does anything."""
    return Template(
        "design/index.html",
        context={
            "base_url": "/inbox",
            "signed_in_as": "ada@acme.example",
            "tenant_name": "Acme",
            "csrf_token": "",
            "may_write": True,
            "rows": _make_rows(clock),
            "next_cursor": "older",
            "position": None,
            "view": View(folder=Folder.INBOX),
            "title": "Inbox",
            "mailboxes": _MAILBOXES,
            "mailbox_address": None,
            "labels": _LABELS,
            "counts": Counts(1000),
            "empty": _EMPTY,
            "notices": (
                Notice("3 messages archived.", UUID(int=1)),
                Notice("Nothing had to be changed.", None),
            ),
            "notice": None,
            "granted": lambda _: frozenset(("admin", "operator")),
            "icon_names": sorted(assets.icons),
        },
    )


def _make_rows(clock: Clock) -> Sequence[MessageRow]:
    now = clock.now()
    states = (
        ("Ada Winter", "Unread", False, False, (), 0, timedelta()),
        ("Jonas Berg", "Read", True, False, (), 0, timedelta(minutes=5)),
        ("City Library", "Starred", True, True, (), 0, timedelta(hours=1)),
        ("Mina Okafor", "With attachments", False, False, (), 3, timedelta(hours=23)),
        ("Harbour Energy", "With a label", True, False, _LABELS[:1], 0, timedelta(days=1)),
        ("Priya Raman", "With many labels", False, True, _LABELS, 1, timedelta(days=6)),
        (
            "A sender with a long name",
            _LONG,
            True,
            False,
            _LABELS[4:],
            1,
            timedelta(days=30),
        ),
        ("", "", False, False, (), 0, timedelta(days=400)),
    )
    return [
        MessageRow(
            id=UUID(int=number),
            mailbox_id=_MAILBOXES[0].id,
            mailbox_address=_MAILBOXES[number % 2].address,
            from_name=name,
            from_address="",
            to="",
            subject=subject,
            snippet="What the message begins with, as much of it as there is room for"
            if name
            else "",
            received_at=now - ago,
            is_read=is_read,
            is_starred=is_starred,
            folder=Folder.INBOX,
            attachment_count=attachment_count,
            size_bytes=4321,
            sha256=b"",
            ticket_id=None,
            labels=labels,
        )
        for number, (
            name,
            subject,
            is_read,
            is_starred,
            labels,
            attachment_count,
            ago,
        ) in enumerate(states, start=1)
    ]
