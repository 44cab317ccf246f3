"""What SPF, DKIM and DMARC say of received messages."""

from piccolo.columns import UUID, Boolean, ForeignKey, Integer, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.tenant import Tenant


class MessageAuthentication(Table, tablename="message_authentication"):
    """The results for one message (RFC 8601, section 2.7), the domains they speak of, and short
    words for why. `is_aligned`: SPF or DKIM passed for `from_domain`. While the DNS owes an answer,
    `next_attempt_at` says when it is asked again."""

    message_id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    spf = Varchar(length=10)
    spf_domain = Varchar(length=253)
    spf_reason = Varchar(length=30)
    dkim = Varchar(length=10)
    dkim_domain = Varchar(length=253)
    dkim_reason = Varchar(length=30)
    dmarc = Varchar(length=10)
    dmarc_reason = Varchar(length=30)
    dmarc_policy = Varchar(length=10)
    from_domain = Varchar(length=253)
    is_aligned = Boolean(default=False)
    attempts = Integer(default=0)
    next_attempt_at = Timestamptz(null=True, default=None)
    checked_at = Timestamptz(default=None)
