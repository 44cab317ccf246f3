"""Messages over the API."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream

from app.access.grants import Grant
from app.access.permissions import Permission
from app.directory.mailboxes import Mailboxes
from app.inbox.listing import MessageRow, list_messages
from app.inbox.reading import MessageView, Reading
from app.storage.db.database import Database
from app.web.access import readable, readable_in
from app.web.given import Given
from app.web.guards import allow
from app.web.pages.messages import MessagePages
from app.web.parameters import Cursor, Limit


class MessageSummary(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A message as lists give it. `mailbox` is the address it came to, `from` its sender's."""

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


@get("/")
async def list_all(
    grant: Given[Grant],
    database: Given[Database],
    mailboxes: Given[Mailboxes],
    mailbox: FromQuery[str | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> MessageList:
    """The messages that the key may read, all of them or those of one mailbox (an address)."""
    access = await readable_in(grant, mailboxes, mailbox)
    page = await list_messages(database, access, cursor=cursor, limit=limit)
    return MessageList([summarise(row) for row in page.rows], page.next_cursor)


@get("/{message_id:uuid}")
async def show(
    grant: Given[Grant], reading: Given[Reading], message_id: FromPath[UUID]
) -> MessageDetail:
    return _detail(await reading.open(readable(grant), message_id))


@get("/{message_id:uuid}/raw", status_code=303)
async def link_raw(
    grant: Given[Grant], messages: Given[MessagePages], message_id: FromPath[UUID]
) -> Redirect:
    """Leads to a signed link, good for ten minutes, that serves the raw message."""
    return await messages.raw(readable(grant), message_id)


@get("/{message_id:uuid}/attachments/{attachment_id:uuid}")
async def download_attachment(
    grant: Given[Grant],
    messages: Given[MessagePages],
    message_id: FromPath[UUID],
    attachment_id: FromPath[UUID],
) -> Stream:
    return await messages.attachment(readable(grant), message_id, attachment_id)


def summarise(row: MessageRow) -> MessageSummary:
    return MessageSummary(**_fields(row))


def _detail(message: MessageView) -> MessageDetail:
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
    }


messages_router = Router(
    "/messages",
    route_handlers=[list_all, show, link_raw, download_attachment],
    opt=allow(Permission.MESSAGES_READ),
    tags=["messages"],
)
