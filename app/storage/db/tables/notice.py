"""Mails to the owners of tenants about what became of their things."""

from piccolo.columns import UUID, ForeignKey, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.tenant import Tenant
from app.storage.db.tables.user import User


class OwnerNotice(Table, tablename="owner_notice"):
    """A mail to an owner, until it was sent."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id", index=True)
    user_id = ForeignKey(User, null=False, default=None, db_column_name="user_id", index=True)
    subject_type = Varchar(length=20, help_text="domain or webhook")
    subject_id = UUID(default=None, index=True)
    subject_name = Text(help_text="as the mail is to call it")
    change = Varchar(length=20)
    reason = Varchar(length=20, default="")
    attempts = Integer(default=0)
    next_attempt_at = Timestamptz(default=None, index=True)
    created_at = Timestamptz(default=None)
