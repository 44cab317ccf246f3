"""The audit trail: who did what from where, chained by hash."""

from piccolo.columns import JSONB, UUID, BigInt, Bytea, ForeignKey, Text, Timestamptz, Varchar
from piccolo.table import Table

from app.storage.db.tables.tenant import Tenant


class AuditChain(Table, tablename="audit_chain"):
    """The ends of a tenant's chain; without a tenant, of the installation's own."""

    id = UUID(primary_key=True, default=None)
    tenant_id = ForeignKey(Tenant, null=True, default=None, db_column_name="tenant_id", unique=True)
    last_number = BigInt(default=0)
    last_hash = Bytea()
    removed_number = BigInt(default=0, help_text="the newest that was removed for its age")
    removed_hash = Bytea(help_text="what the first one kept is chained to")


class AuditEntry(Table, tablename="audit_entry"):
    """One thing that was done. Numbered from 1 in its chain, without a gap."""

    id = UUID(primary_key=True, default=None)
    chain_id = ForeignKey(AuditChain, null=False, default=None, db_column_name="chain_id")
    tenant_id = ForeignKey(Tenant, null=True, default=None, db_column_name="tenant_id")
    number = BigInt(default=None)
    recorded_at = Timestamptz(default=None)
    action = Varchar(length=40)
    actor_kind = Varchar(length=10)
    actor_id = UUID(null=True, default=None)
    actor_name = Text()
    actor_address = Varchar(length=60)
    subject_type = Varchar(length=20)
    subject_id = UUID(default=None)
    facts = JSONB()
    hash = Bytea()
