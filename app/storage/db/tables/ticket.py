"""Tickets: threads with a number and a state."""

from piccolo.columns import UUID, ForeignKey, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.mailbox import Mailbox
from app.storage.db.tables.tenant import Tenant


class Ticket(Table, tablename="ticket"):
    """A conversation with one person about one matter, numbered within its tenant."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    mailbox_id = ForeignKey(Mailbox, null=False, default=None, db_column_name="mailbox_id")
    number = Integer()
    state = Varchar(length=20)
    subject = Text()
    created_at = Timestamptz(default=None)
    updated_at = Timestamptz(default=None)
