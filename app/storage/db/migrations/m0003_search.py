"""What search keeps: the index of the engine that stands on Postgres, how far each mailbox is
indexed, whom suggestions name, and searches that people keep."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0003"
VERSION = "1.38.0"
DESCRIPTION = "search"

SQL = """
create extension if not exists btree_gin;

create table search_document (
    message_id uuid primary key references message on delete cascade,
    tenant_id uuid not null references tenant,
    mailbox_id uuid not null references mailbox on delete cascade,
    received_at timestamptz not null,
    terms tsvector not null
);
create index search_document_by_mailbox on search_document
    (mailbox_id, received_at desc, message_id desc);
create index search_document_terms on search_document using gin (mailbox_id, terms)
    with (gin_pending_list_limit = 512);

create table search_index (
    mailbox_id uuid primary key references mailbox on delete cascade,
    tenant_id uuid not null references tenant,
    engine varchar(10) not null,
    generation bigint not null,
    rebuild_requested_at timestamptz,
    rebuild_done integer not null default 0,
    rebuild_total integer not null default 0,
    rebuilt_at timestamptz
);
create index search_index_rebuilds on search_index (rebuild_requested_at)
    where rebuild_requested_at is not null;

create table correspondent (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    mailbox_id uuid not null references mailbox on delete cascade,
    message_id uuid references message on delete set null,
    address text not null,
    name text not null,
    last_seen_at timestamptz not null,
    unique (mailbox_id, address)
);
create index correspondent_by_address on correspondent (tenant_id, address text_pattern_ops);
create index correspondent_by_name on correspondent (tenant_id, lower(name) text_pattern_ops);
create index correspondent_message_id on correspondent (message_id);

create table saved_search (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    user_id uuid not null references user_account on delete cascade,
    name varchar(60) not null,
    query varchar(1024) not null,
    created_at timestamptz not null
);
create unique index saved_search_once on saved_search (user_id, tenant_id, lower(name));
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
