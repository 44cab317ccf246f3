"""Mail that was refused at SMTP, for whoever asks why it did not arrive."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0006"
VERSION = "1.38.0"
DESCRIPTION = "refused mail"

SQL = """
create table refused_mail (
    id uuid primary key,
    tenant_id uuid not null references tenant on delete cascade,
    refused_at timestamptz not null,
    client_address varchar(45) not null,
    client_name text not null,
    mail_from text not null,
    recipient text not null,
    code integer not null,
    enhanced_code varchar(10) not null,
    cause varchar(40) not null,
    reply text not null,
    sampled_out integer not null
);
create index refused_mail_tenant_id_refused_at on refused_mail (tenant_id, refused_at desc, id desc);
create index refused_mail_refused_at on refused_mail (refused_at);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
