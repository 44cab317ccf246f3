"""What people arrange their mail with."""

from piccolo.columns import JSONB, UUID, ForeignKey, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.message import Message
from app.storage.db.tables.tenant import Tenant
from app.storage.db.tables.user import User


class Label(Table, tablename="label"):
    """A word to put on messages, the same for everybody of a tenant."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    name = Varchar(length=60)
    colour = Varchar(length=10)
    created_at = Timestamptz(default=None)


class MessageLabel(Table, tablename="message_label"):
    """A label on a message. `received_at` is the message's, for lists in order."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    label_id = ForeignKey(Label, null=False, default=None, db_column_name="label_id")
    message_id = ForeignKey(Message, null=False, default=None, db_column_name="message_id")
    received_at = Timestamptz(default=None)


class UndoStep(Table, tablename="undo_step"):
    """How messages were before somebody changed several at once. Kept for a day."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    user_id = ForeignKey(User, null=False, default=None, db_column_name="user_id")
    before = JSONB(default="[]")
    created_at = Timestamptz(default=None)
