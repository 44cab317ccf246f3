"""Folders in place of flags, labels, steps that can be undone, and readers of the event log."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0002"
VERSION = "1.38.0"
DESCRIPTION = "the web inbox"

SQL = """
alter table message add column folder varchar(8) not null default 'inbox'
    check (folder in ('inbox', 'archive', 'spam', 'trash'));
update message set folder = case when is_spam then 'spam' else 'archive' end
    where is_spam or is_archived;
alter table message drop column is_spam, drop column is_archived,
    add column trashed_at timestamptz;
create index message_by_folder on message (mailbox_id, folder, received_at desc, id desc);
create index message_by_tenant_folder on message (tenant_id, folder, received_at desc, id desc);
create index message_unread on message (mailbox_id, received_at desc, id desc)
    where folder = 'inbox' and not is_read;
create index message_unread_of_tenant on message (tenant_id, received_at desc, id desc)
    where folder = 'inbox' and not is_read;
create index message_starred on message (mailbox_id, received_at desc, id desc)
    where is_starred and folder <> 'trash';
create index message_trashed on message (trashed_at) where folder = 'trash';

create table label (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    name varchar(60) not null,
    colour varchar(10) not null,
    created_at timestamptz not null
);
create unique index label_once on label (tenant_id, lower(name));

create table message_label (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    label_id uuid not null references label on delete cascade,
    message_id uuid not null references message on delete cascade,
    received_at timestamptz not null,
    unique (message_id, label_id)
);
create index message_label_by_label on message_label (label_id, received_at desc, message_id desc);

create table undo_step (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    user_id uuid not null references user_account on delete cascade,
    before jsonb not null,
    created_at timestamptz not null
);
create index undo_step_by_age on undo_step (created_at);
create index undo_step_user_id on undo_step (user_id);

create table consumer (
    name varchar(60) primary key,
    position bigint not null,
    leader uuid not null,
    lease_until timestamptz not null,
    updated_at timestamptz not null
);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
