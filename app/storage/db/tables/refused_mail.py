"""What was refused at SMTP, one row for each recipient, within bounds and for a while."""

from piccolo.columns import JSONB, UUID, ForeignKey, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.tenant import Tenant


class RefusedMail(Table, tablename="refused_mail"):
    """Its events hold no addresses; these rows do, and are removed when their time is over."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id")
    trace_id = UUID(default=None)
    refused_at = Timestamptz(default=None)
    client_address = Varchar(length=45)
    client_name = Text()
    mail_from = Text(help_text="empty for the null reverse-path")
    recipient = Text()
    code = Integer()
    enhanced_code = Varchar(length=10)
    cause = Varchar(length=40)
    reply = Text(help_text="the line that was sent")
    sampled_out = Integer(help_text="how many more like it were not kept")
    handover = JSONB(null=True, default=None, help_text="how far its client had come")
