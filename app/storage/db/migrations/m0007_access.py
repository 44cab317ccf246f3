"""Who may do what: operators, the tenant a session is in, and the audit trail."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0007"
VERSION = "1.38.0"
DESCRIPTION = "access"

SQL = """
alter table user_account add column is_operator boolean not null default false;
alter table session add column tenant_id uuid references tenant on delete set null;
alter table api_key add column replaced_by uuid references api_key;

create table audit_chain (
    id uuid primary key,
    tenant_id uuid unique nulls not distinct references tenant on delete cascade,
    last_number bigint not null,
    last_hash bytea not null,
    removed_number bigint not null,
    removed_hash bytea not null
);

create table audit_entry (
    id uuid primary key,
    chain_id uuid not null references audit_chain on delete cascade,
    tenant_id uuid references tenant on delete cascade,
    number bigint not null,
    recorded_at timestamptz not null,
    action varchar(40) not null,
    actor_kind varchar(10) not null,
    actor_id uuid,
    actor_name text not null,
    actor_address varchar(60) not null,
    subject_type varchar(20) not null,
    subject_id uuid not null,
    facts jsonb not null,
    hash bytea not null,
    unique (chain_id, number)
);
create index audit_entry_recorded_at on audit_entry (chain_id, recorded_at);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
