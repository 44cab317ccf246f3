"""Who sent a message, as far as it can be proven, and what the proof starts from."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0004"
VERSION = "1.38.0"
DESCRIPTION = "authentication results"

SQL = """
alter table message
    add column client_address text not null default '',
    add column client_name text not null default '';

create table message_authentication (
    message_id uuid primary key references message on delete cascade,
    tenant_id uuid not null references tenant,
    spf varchar(10) not null,
    spf_domain varchar(253) not null,
    spf_reason varchar(30) not null,
    dkim varchar(10) not null,
    dkim_domain varchar(253) not null,
    dkim_reason varchar(30) not null,
    dmarc varchar(10) not null,
    dmarc_reason varchar(30) not null,
    dmarc_policy varchar(10) not null,
    from_domain varchar(253) not null,
    is_aligned boolean not null,
    attempts integer not null,
    next_attempt_at timestamptz,
    checked_at timestamptz not null
);
create index message_authentication_due on message_authentication (next_attempt_at)
    where next_attempt_at is not null;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
