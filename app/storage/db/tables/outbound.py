"""Mail that leaves, each try to send it, and what became of it."""

from piccolo.columns import (
    JSONB,
    UUID,
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


class Outbound(Table, tablename="outbound"):
    """One mail to one recipient on its way out."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    mailbox_id = ForeignKey(Mailbox, null=True, default=None, db_column_name="mailbox_id")
    ticket_id = ForeignKey(Ticket, null=True, default=None, db_column_name="ticket_id", index=True)
    lane = Varchar(length=12, help_text="auth, interactive, auto or bulk")
    email_type = Varchar(length=40, default="")
    status = Varchar(length=12)
    mail_from = Text()
    rcpt_to = Text()
    subject = Text()
    storage_key = Text(help_text="the composed message in the object store")
    message_id = Text()
    ses_message_id = Text(null=True, default=None, unique=True)
    attempts = Integer(default=0)
    next_attempt_at = Timestamptz(null=True, default=None)
    leased_until = Timestamptz(null=True, default=None)
    error = Text(default="")
    metadata = JSONB(default="{}")
    created_at = Timestamptz(default=None)
    sent_at = Timestamptz(null=True, default=None)
    delivered_at = Timestamptz(null=True, default=None)
    bounced_at = Timestamptz(null=True, default=None)
    bounce_type = Varchar(length=40, default="")
    bounce_subtype = Varchar(length=40, default="")
    complained_at = Timestamptz(null=True, default=None)
    rejected_at = Timestamptz(null=True, default=None)
    reject_reason = Text(default="")
    opened_at = Timestamptz(null=True, default=None)
    open_count = Integer(default=0)
    clicked_at = Timestamptz(null=True, default=None)
    click_count = Integer(default=0)
    last_clicked_link = Text(default="")


class OutboundAttempt(Table, tablename="outbound_attempt"):
    """One try to send: committed before the transport is called, its result after."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    outbound_id = ForeignKey(
        Outbound, null=False, default=None, db_column_name="outbound_id", index=True
    )
    transport = Varchar(length=20)
    started_at = Timestamptz(default=None)
    finished_at = Timestamptz(null=True, default=None)
    outcome = Varchar(length=20, default="")
    response = Text(default="")
