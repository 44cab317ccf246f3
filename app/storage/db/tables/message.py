"""Messages as they were received, their parts and their raw bytes."""

from piccolo.columns import (
    JSONB,
    UUID,
    BigInt,
    Boolean,
    Bytea,
    ForeignKey,
    Integer,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.table import Table

from app.storage.db.tables.mailbox import Mailbox
from app.storage.db.tables.tenant import Tenant
from app.storage.db.tables.ticket import Ticket


class Message(Table, tablename="message"):
    """One message in one mailbox; what a list shows of it, and its flags.

    `identity` is the SHA-256 of the Message-ID, or `content_sha256` where there is none. With
    `fingerprint` it is unique in a mailbox; the same identity with another fingerprint is kept,
    and `is_variant` marks it.
    """

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    mailbox_id = ForeignKey(Mailbox, null=False, default=None, db_column_name="mailbox_id")
    ticket_id = ForeignKey(Ticket, null=True, default=None, db_column_name="ticket_id", index=True)
    trace_id = UUID(default=None)
    identity = Bytea()
    fingerprint = Bytea()
    is_variant = Boolean(default=False)
    sha256 = Bytea(help_text="of the raw bytes that we serve, with our trace fields")
    content_sha256 = Bytea(help_text="of DATA as it was received")
    size_bytes = BigInt()
    envelope_from = Text()
    client_address = Text(default="")
    client_name = Text(default="", help_text="what the client called itself (HELO, EHLO)")
    from_name = Text()
    from_address = Text()
    to_header = Text()
    cc_header = Text()
    subject = Text()
    snippet = Text()
    message_id = Text(null=True, default=None)
    in_reply_to = Text(null=True, default=None)
    references = Text(null=True, default=None, db_column_name="reference_ids")
    date = Timestamptz(null=True, default=None, db_column_name="date_header")
    received_at = Timestamptz(default=None)
    attachment_count = Integer(default=0)
    is_read = Boolean(default=False)
    is_starred = Boolean(default=False)
    folder = Varchar(length=8, default="inbox")
    trashed_at = Timestamptz(null=True, default=None)
    is_bounce = Boolean(default=False)
    is_auto_reply = Boolean(default=False)
    defects = JSONB(default="[]")


class MessageBody(Table, tablename="message_body"):
    """What a message page shows: decoded text and the HTML as it came, not yet sanitised."""

    message_id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    text = Text()
    html = Text()


class Attachment(Table, tablename="attachment"):
    """A part of a message that is kept as an object of its own."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    message_id = ForeignKey(Message, null=False, default=None, db_column_name="message_id")
    part_number = Integer()
    file_name = Text()
    storage_key = Text()
    content_type = Text()
    content_id = Text(default="")
    is_inline = Boolean(default=False)
    size_bytes = BigInt()


class RepeatedArrival(Table, tablename="repeated_arrival"):
    """Another arrival of a message that was in its mailbox: who brought it. The first one's client
    stands in the message."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    message_id = ForeignKey(Message, null=False, default=None, db_column_name="message_id")
    trace_id = UUID(default=None, index=True)
    client_address = Text()
    client_name = Text()


class RawBlob(Table, tablename="raw_blob"):
    """How many messages refer to one stored raw message. With the last one the row goes too."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    sha256 = Bytea()
    size_bytes = BigInt()
    reference_count = Integer()


class ReleasedObject(Table, tablename="released_object"):
    """An object that nothing refers to any more and that is to be removed from the store."""

    id = UUID(primary_key=True, default=None)
    storage_key = Text()
    released_at = Timestamptz(default=None, index=True)
