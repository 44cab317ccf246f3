"""One message: what its page shows, its neighbours, and that it was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from app.core.errors import NotFound
from app.core.ids import Ids
from app.eventlog.append import EventLog
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.inbox.authentication import (
    AUTHENTICATION_COLUMN,
    AuthenticationView,
    read_authentication,
)
from app.inbox.listing import ROW_COLUMNS, Access, MessageRow, row_values, shows
from app.inbox.neighbours import neighbours_query
from app.inbox.view import View
from app.storage.db.database import Database

# In the order of the fields of `AttachmentView`.
_ATTACHMENT = """attachment.id, attachment.file_name, attachment.content_type,
    attachment.size_bytes, attachment.is_inline, attachment.content_id, attachment.storage_key"""


@dataclass(frozen=True, slots=True)
class AttachmentView:
    id: UUID
    file_name: str
    content_type: str
    size_bytes: int
    is_inline: bool
    content_id: str
    storage_key: str


class MessageView(MessageRow, frozen=True):
    """A message as its page and the API show it. `html` is as it came, not sanitised;
    `authentication` is None until the message was checked."""

    tenant_id: UUID
    trace_id: UUID
    cc: str
    date: datetime | None
    is_variant: bool
    text: str
    html: str
    attachments: Sequence[AttachmentView]
    authentication: AuthenticationView | None = None


@dataclass(frozen=True, slots=True)
class Neighbours:
    newer: UUID | None
    older: UUID | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Opening messages."""

    database: Database
    log: EventLog
    ids: Ids

    async def open(self, access: Access, message_id: UUID) -> MessageView:
        """The message, if `access` shows it. Raises `NotFound`."""
        row = await self.database.fetch_one(
            f"""select {ROW_COLUMNS}, message.tenant_id, trace_id,
                cc_header as cc, date_header as date, is_variant, text, html,
                {AUTHENTICATION_COLUMN}, array(
                    select ({_ATTACHMENT}) from attachment
                    where attachment.message_id = message.id order by part_number
                ) as attachments
            from message
            join mailbox on mailbox.id = mailbox_id
            join message_body on message_body.message_id = message.id
            where message.id = $1 and message.tenant_id = $2
                and ($3::uuid[] is null or mailbox_id = any($3))""",
            message_id,
            access.tenant_id,
            access.mailbox_ids,
        )
        if row is None:
            raise NotFound("There is no such message.")
        values = row_values(row)
        read = {
            "authentication": read_authentication(values["authentication"]),
            "attachments": [AttachmentView(*attachment) for attachment in values["attachments"]],
        }
        return MessageView(**values | read)

    async def find_attachment(
        self, access: Access, message_id: UUID, attachment_id: UUID
    ) -> AttachmentView:
        """Raises `NotFound`, also when the message is not one that `access` shows."""
        row = await self.database.fetch_one(
            f"""select {_ATTACHMENT} from attachment
            join message on message.id = attachment.message_id
            where attachment.id = $1 and message.id = $2 and message.tenant_id = $3
                and ($4::uuid[] is null or mailbox_id = any($4))""",
            attachment_id,
            message_id,
            access.tenant_id,
            access.mailbox_ids,
        )
        if row is None:
            raise NotFound("There is no such attachment.")
        return AttachmentView(**row)

    async def neighbours(self, access: Access, view: View, row: MessageRow) -> Neighbours:
        """The messages beside one that was opened, in the list that it was opened from; where it
        does not lie in that any more, in the list of its folder."""
        access = access.narrow(view.mailbox_id)
        if not shows(replace(view, unread=False), row):
            view = View(view.mailbox_id, row.folder)
        sql, arguments = neighbours_query(access, view, row)
        found = await self.database.fetch_one(sql, *arguments)
        return Neighbours(found["newer"], found["older"]) if found else Neighbours(None, None)

    async def mark_read(self, view: MessageView) -> None:
        """Remembers that the message was read, and tells so the first time."""
        if view.is_read:
            return
        async with self.log.transaction() as transaction:
            changed = await transaction.connection.fetchval(
                """update message set is_read = true
                where id = $1 and tenant_id = $2 and not is_read returning true""",
                view.id,
                view.tenant_id,
            )
            if changed:
                transaction.tell(
                    NewEvent(
                        EventType.MESSAGE_UPDATED,
                        trace_id=view.trace_id,
                        subject=("message", view.id),
                        tenant_id=view.tenant_id,
                        mailbox_id=view.mailbox_id,
                        data={"is_read": True},
                    )
                )
