"""What the trace of a mail tells and nothing else holds."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0015"
VERSION = "1.38.0"
DESCRIPTION = "traces"

SQL = """
alter table refused_mail add column trace_id uuid, add column handover jsonb;
update refused_mail set trace_id = coalesce(
    (select trace_id from event where subject_id = refused_mail.id order by position limit 1), id);
alter table refused_mail alter column trace_id set not null;

create table repeated_arrival (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    message_id uuid not null references message on delete cascade,
    trace_id uuid not null,
    client_address text not null,
    client_name text not null
);
create index repeated_arrival_message_id on repeated_arrival (message_id);
create index repeated_arrival_trace_id on repeated_arrival (trace_id);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
