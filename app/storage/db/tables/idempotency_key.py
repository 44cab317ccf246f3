"""Writes over the API that were carried out, and what was answered."""

from piccolo.columns import UUID, Bytea, ForeignKey, Timestamptz
from piccolo.table import Table

from app.storage.db.tables.tenant import Tenant


class IdempotencyKey(Table, tablename="idempotency_key"):
    """One write that named an `Idempotency-Key`. Kept for a day."""

    call_hash = Bytea(primary_key=True, help_text="of tenant, method, path and the key named")
    tenant_id = ForeignKey(Tenant, null=False, default=None, db_column_name="tenant_id", index=True)
    api_key_id = UUID(default=None, help_text="who wrote: nobody else is told the answer")
    request_hash = Bytea(help_text="of the query and the body")
    answer = Bytea(help_text="encrypted with a key that only the API key's holder can make")
    created_at = Timestamptz(default=None, index=True)
