"""Domains that we receive for."""

from piccolo.columns import UUID, Boolean, ForeignKey, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.tenant import Tenant


class Domain(Table, tablename="domain"):
    """A domain name and what becomes of mail for it. Only one verified owner for a name."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    name = Varchar(length=253)
    status = Varchar(length=20, help_text="pending, verified, soft_rejected or suspended")
    recipient_policy = Varchar(
        length=20, help_text="reject_unknown, accept_and_discard or reply_after_data"
    )
    monitored = Boolean(default=True, help_text="False: an operator vouched for it")
    verification_token = Varchar(length=64)
    verified_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz(default=None)
