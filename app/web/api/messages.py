"""Messages over the API."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, delete, get, patch
from litestar.params import Body, FromPath, QueryParameter
from litestar.response import Redirect, Stream
from msgspec import UNSET, UnsetType

from app.access.grants import Grant
from app.access.permissions import Permission
from app.directory.mailboxes import Mailboxes
from app.inbox.actions import Action, Actions
from app.inbox.listing import LabelView, MessageRow, list_messages
from app.inbox.reading import MessageView, Reading
from app.inbox.view import Folder, View
from app.storage.db.database import Database
from app.web.access import readable, readable_in
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.pages.messages import MessagePages
from app.web.parameters import Cursor, Limit
from app.web.problems import NOT_FOUND

MAX_LABELS_AT_ONCE = 20

MailboxAddress = Annotated[
    str | None,
    QueryParameter(name="mailbox", max_length=320, description="Only this mailbox: its address."),
]
InFolder = Annotated[Folder | None, QueryParameter(name="folder", description="Only there.")]
WithLabel = Annotated[
    UUID | None, QueryParameter(name="label_id", description="Only with this label.")
]
Unread = Annotated[bool, QueryParameter(name="is_unread", description="Only what is not read.")]
Starred = Annotated[bool, QueryParameter(name="is_starred", description="Only what is starred.")]
LabelIds = Annotated[Sequence[UUID], msgspec.Meta(max_length=MAX_LABELS_AT_ONCE)]


class Label(msgspec.Struct, frozen=True):
    """A word that people of the tenant put on messages."""

    id: UUID
    name: str
    colour: str


class MessageSummary(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A message as lists give it. `mailbox` is the address it came to, `from` its sender's;
    `sha256` is of its raw bytes."""

    id: UUID
    mailbox: str
    from_: str
    to: str
    subject: str
    snippet: str
    received_at: datetime
    size_bytes: int
    sha256: str
    ticket_id: UUID | None
    folder: Folder
    is_read: bool
    is_starred: bool
    labels: Sequence[Label]


class AttachmentSummary(msgspec.Struct, frozen=True):
    """A part of a message, fetched at `messages/{id}/attachments/{id}`."""

    id: UUID
    file_name: str
    content_type: str
    size_bytes: int


class AuthenticationSummary(msgspec.Struct, frozen=True):
    """What SPF, DKIM and DMARC came to (RFC 8601, section 2.7); null until it is known."""

    spf: str | None
    dkim: str | None
    dmarc: str | None


class MessageDetail(MessageSummary, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A message with its decoded text and HTML, as they came, and its attachments."""

    cc: str
    date: datetime | None
    trace_id: UUID
    text: str
    html: str
    authentication: AuthenticationSummary
    attachments: Sequence[AttachmentSummary]


class MessageList(msgspec.Struct, frozen=True):
    """Newest first. `next_cursor` asks for the page after this one; null at the end."""

    items: Sequence[MessageSummary]
    next_cursor: str | None


class MessageChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to change of a message; what is left out stays. Labels are named by their ids."""

    is_read: bool | UnsetType = UNSET
    is_starred: bool | UnsetType = UNSET
    folder: Folder | UnsetType = UNSET
    add_labels: LabelIds = ()
    remove_labels: LabelIds = ()


_LABEL = Label(UUID("0198c5f0-6d4b-7c3e-9f52-1a2b3c4d5e6f"), "Bills", "amber")
_FACTS: dict[str, Any] = {
    "id": UUID("0198c5f2-77aa-7e01-8c11-5d2f0e9b7a31"),
    "mailbox": "sales@acme.example",
    "from_": "ada@example.org",
    "to": "Sales <sales@acme.example>",
    "subject": "Two pillar boxes, please",
    "snippet": "Could you send us an offer for two red ones?",
    "received_at": datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    "size_bytes": 4096,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "ticket_id": None,
    "folder": Folder.INBOX,
    "is_read": False,
    "is_starred": False,
    "labels": [_LABEL],
}
SUMMARY_EXAMPLE = MessageSummary(**_FACTS)
CURSOR_EXAMPLE = "644a5d3c5b000-0198c5f277aa7e018c115d2f0e9b7a31"
DETAIL_EXAMPLE = MessageDetail(
    **_FACTS,
    cc="",
    date=datetime(2026, 11, 22, 9, 29, 58, tzinfo=UTC),
    trace_id=UUID("0198c5f2-7700-7000-8000-4b1d3a5c7e90"),
    text="Could you send us an offer for two red ones?\n",
    html="",
    authentication=AuthenticationSummary("pass", "pass", "pass"),
    attachments=[
        AttachmentSummary(
            UUID("0198c5f2-77ab-7b42-a1c9-0f4e2d6c8b17"), "plan.pdf", "application/pdf", 18_204
        )
    ],
)
_CHANGE_EXAMPLE = MessageChange(is_read=True, folder=Folder.ARCHIVE, add_labels=[_LABEL.id])


@get(
    "/",
    operation_id="list_messages",
    summary="List messages",
    opt=shown(answer=MessageList([SUMMARY_EXAMPLE], CURSOR_EXAMPLE), problems=[NOT_FOUND]),
)
async def list_all(
    grant: Given[Grant],
    database: Given[Database],
    mailboxes: Given[Mailboxes],
    mailbox: MailboxAddress = None,
    folder: InFolder = None,
    label_id: WithLabel = None,
    is_unread: Unread = False,
    is_starred: Starred = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> MessageList:
    """The messages that the key may read, newest first: all of them, or those that fit every
    condition. With a condition other than `folder` and `mailbox` the trash is left out."""
    access = await readable_in(grant, mailboxes, mailbox)
    view = View(folder=folder or "", starred=is_starred, unread=is_unread, label_id=label_id)
    page = await list_messages(database, access, view, cursor=cursor, limit=limit)
    return MessageList([summarise(row) for row in page.rows], page.next_cursor)


@get(
    "/{message_id:uuid}",
    operation_id="get_message",
    summary="Get a message",
    opt=shown(answer=DETAIL_EXAMPLE),
)
async def show(
    grant: Given[Grant], reading: Given[Reading], message_id: FromPath[UUID]
) -> MessageDetail:
    """A message with its text, its HTML and what is attached. `html` is as the sender wrote it:
    clean it before you show it to anybody. Reading it here does not mark it as read."""
    return describe_message(await reading.open(readable(grant), message_id))


@get(
    "/{message_id:uuid}/raw",
    status_code=303,
    operation_id="get_raw_message",
    summary="Get the raw message",
    response_description="The link is in `Location`.",
)
async def link_raw(
    grant: Given[Grant], messages: Given[MessagePages], message_id: FromPath[UUID]
) -> Redirect:
    """Leads to a signed link, good for ten minutes and without a key, to the message as it was
    received (RFC 5322), with our `Return-Path` and `Received` in front."""
    return await messages.raw(readable(grant), message_id)


@get(
    "/{message_id:uuid}/attachments/{attachment_id:uuid}",
    operation_id="get_attachment",
    summary="Get an attachment",
    media_type="application/octet-stream",
    response_description="The bytes of the attachment, decoded.",
)
async def download_attachment(
    grant: Given[Grant],
    messages: Given[MessagePages],
    message_id: FromPath[UUID],
    attachment_id: FromPath[UUID],
) -> Stream:
    """The bytes of one attachment. They come as `application/octet-stream` whatever the sender
    called them; the type and the name that he gave are in the message."""
    return await messages.attachment(readable(grant), message_id, attachment_id)


@patch(
    "/{message_id:uuid}",
    operation_id="change_message",
    summary="Change a message",
    opt={**allow(Permission.MESSAGES_WRITE), **shown(answer=DETAIL_EXAMPLE, body=_CHANGE_EXAMPLE)},
)
async def change(
    grant: Given[Grant],
    reading: Given[Reading],
    actions: Given[Actions],
    message_id: FromPath[UUID],
    data: Annotated[MessageChange, Body(title="What to change")],
) -> MessageDetail:
    """Marks a message as read or starred, moves it to another folder, puts labels on it or takes
    them off: all of it or nothing. Saying what is so already changes nothing."""
    access = readable(grant)
    await reading.open(access, message_id)
    for action, label_id in _steps(data):
        await actions.apply(access, None, action, [message_id], label_id)
    return describe_message(await reading.open(access, message_id))


@delete(
    "/{message_id:uuid}",
    operation_id="trash_message",
    summary="Move a message to the trash",
    opt=allow(Permission.MESSAGES_WRITE),
    response_description="It is in the trash.",
)
async def trash(
    grant: Given[Grant],
    actions: Given[Actions],
    reading: Given[Reading],
    message_id: FromPath[UUID],
) -> None:
    """The message lies in the trash for 30 days and is then gone. Until then it can be moved back
    by changing its `folder`. Deleting what is in the trash already changes nothing."""
    access = readable(grant)
    await reading.open(access, message_id)
    await actions.apply(access, None, Action.TRASH, [message_id])


def summarise(row: MessageRow) -> MessageSummary:
    return MessageSummary(**_fields(row))


def describe_label(label: LabelView) -> Label:
    return Label(label.id, label.name, label.colour)


def describe_message(message: MessageView) -> MessageDetail:
    found = message.authentication
    return MessageDetail(
        **_fields(message),
        cc=message.cc,
        date=message.date,
        trace_id=message.trace_id,
        text=message.text,
        html=message.html,
        authentication=AuthenticationSummary(
            *((found.spf, found.dkim, found.dmarc) if found else (None, None, None))
        ),
        attachments=[
            AttachmentSummary(part.id, part.file_name, part.content_type, part.size_bytes)
            for part in message.attachments
        ],
    )


_FOLDER_ACTIONS = {
    Folder.INBOX: Action.INBOX,
    Folder.ARCHIVE: Action.ARCHIVE,
    Folder.SPAM: Action.SPAM,
    Folder.TRASH: Action.TRASH,
}


def _steps(wanted: MessageChange) -> Sequence[tuple[Action, UUID | None]]:
    steps: list[tuple[Action, UUID | None]] = []
    if wanted.is_read is not UNSET:
        steps.append((Action.READ if wanted.is_read else Action.UNREAD, None))
    if wanted.is_starred is not UNSET:
        steps.append((Action.STAR if wanted.is_starred else Action.UNSTAR, None))
    if wanted.folder is not UNSET:
        steps.append((_FOLDER_ACTIONS[wanted.folder], None))
    steps += [(Action.LABEL, label_id) for label_id in wanted.add_labels]
    steps += [(Action.UNLABEL, label_id) for label_id in wanted.remove_labels]
    return steps


def _fields(row: MessageRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "mailbox": row.mailbox_address,
        "from_": row.from_address,
        "to": row.to,
        "subject": row.subject,
        "snippet": row.snippet,
        "received_at": row.received_at,
        "size_bytes": row.size_bytes,
        "sha256": row.sha256.hex(),
        "ticket_id": row.ticket_id,
        "folder": Folder(row.folder),
        "is_read": row.is_read,
        "is_starred": row.is_starred,
        "labels": [describe_label(label) for label in row.labels],
    }


messages_router = Router(
    "/messages",
    route_handlers=[list_all, show, link_raw, download_attachment, change, trash],
    opt=allow(Permission.MESSAGES_READ),
    tags=["messages"],
)
