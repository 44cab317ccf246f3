"""How much a temporary inbox took in, so that it stays within its limits."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0011"
VERSION = "1.38.0"
DESCRIPTION = "limits of temporary inboxes"

SQL = """
create table inbox_usage (
    mailbox_id uuid primary key references mailbox on delete cascade,
    tenant_id uuid not null references tenant,
    message_count integer not null default 0,
    size_bytes bigint not null default 0,
    hour_began_at timestamptz not null,
    hour_message_count integer not null default 0,
    discarded_count integer not null default 0
);
insert into inbox_usage (mailbox_id, tenant_id, message_count, size_bytes, hour_began_at)
    select mailbox.id, mailbox.tenant_id, count(message.id), coalesce(sum(message.size_bytes), 0),
        now()
    from mailbox join tenant on tenant.id = mailbox.tenant_id and tenant.plan = 'temporary'
    left join message on message.mailbox_id = mailbox.id
    group by mailbox.id;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
