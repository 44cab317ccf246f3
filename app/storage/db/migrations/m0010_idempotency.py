"""Answers to writes over the API, kept for a day for whoever sends the same once more."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0010"
VERSION = "1.38.0"
DESCRIPTION = "idempotency keys"

SQL = """
create table idempotency_key (
    call_hash bytea primary key,
    tenant_id uuid not null references tenant on delete cascade,
    api_key_id uuid not null,
    request_hash bytea not null,
    answer bytea not null,
    created_at timestamptz not null
);
create index idempotency_key_created_at on idempotency_key (created_at);
create index idempotency_key_tenant_id on idempotency_key (tenant_id);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
