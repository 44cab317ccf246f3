"""How far the spool was read, what must be tried again, and what could not be taken in."""

from piccolo.columns import JSONB, UUID, BigInt, Integer, Text, Timestamptz, Varchar
from piccolo.table import Table


class SpoolPosition(Table, tablename="spool_position"):
    """Everything before this place in one producer's segments was recorded."""

    id = UUID(primary_key=True, default=None)
    spool = Text()
    producer = Text()
    segment = BigInt()
    offset = BigInt(db_column_name="byte_offset")


class SpoolDeferred(Table, tablename="spool_deferred"):
    """An item that was read, met a passing fault and waits for its next try."""

    id = UUID(primary_key=True, default=None, help_text="the id of the spool item")
    spool = Text()
    producer = Text()
    segment = BigInt()
    offset = BigInt(db_column_name="byte_offset")
    attempts = Integer()
    next_attempt_at = Timestamptz(default=None, index=True)
    stage = Varchar(length=20)
    reason = Text()
    created_at = Timestamptz(default=None)


class Quarantine(Table, tablename="quarantine"):
    """An item that could not be taken in. Its bytes lie in the object store."""

    id = UUID(primary_key=True, default=None, help_text="the id of the spool item")
    tenant_id = UUID(null=True, default=None)
    trace_id = UUID(default=None)
    stage = Varchar(length=20)
    reason = Text()
    storage_key = Text()
    size_bytes = BigInt()
    source = JSONB(default="{}", help_text="the metadata of the spool item")
    created_at = Timestamptz(default=None)
