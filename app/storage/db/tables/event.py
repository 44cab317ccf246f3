"""The append-only log of every change worth telling."""

from piccolo.columns import JSONB, UUID, BigSerial, Timestamptz, Varchar
from piccolo.table import Table


class Event(Table, tablename="event"):
    """One thing that happened. Ids only, never addresses or subjects; no foreign keys, since
    events outlive what they speak of. Partitioned by position (`app.eventlog.partitions`)."""

    position = BigSerial(primary_key=True)
    id = UUID(default=None)
    tenant_id = UUID(null=True, default=None)
    mailbox_id = UUID(null=True, default=None)
    type = Varchar(length=40)
    trace_id = UUID(default=None)
    subject_type = Varchar(length=20)
    subject_id = UUID(default=None)
    data = JSONB(default="{}")
    created_at = Timestamptz(default=None)
