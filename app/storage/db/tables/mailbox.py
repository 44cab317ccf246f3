"""Mailboxes: the addresses that we host."""

from piccolo.columns import UUID, BigInt, Bytea, ForeignKey, Integer, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.domain import Domain
from app.storage.db.tables.tenant import Tenant


class Mailbox(Table, tablename="mailbox"):
    """An address, or the catch-all of a domain (`address` is then `@domain`).

    A temporary inbox is a mailbox with `expires_at` and the hash of the token that opens it.
    """

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    domain_id = ForeignKey(Domain, null=False, default=None, db_column_name="domain_id")
    address = Varchar(
        length=320,
        help_text="normalised: lower case, ASCII domain; one mailbox for each receives",
    )
    display_name = Varchar(length=200, default="")
    token_hash = Bytea(null=True, default=None, unique=True)
    expires_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz(default=None)
    detached_at = Timestamptz(
        null=True, default=None, help_text="since then its domain is another tenant's"
    )


class InboxUsage(Table, tablename="inbox_usage"):
    """What a mailbox of the temporary plan took in since it was made, and what it did not keep."""

    mailbox_id = ForeignKey(
        Mailbox, primary_key=True, null=False, default=None, db_column_name="mailbox_id"
    )
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    message_count = Integer(default=0)
    size_bytes = BigInt(default=0)
    hour_began_at = Timestamptz(default=None)
    hour_message_count = Integer(default=0, help_text="since then")
    discarded_count = Integer(default=0)
