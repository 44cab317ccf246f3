"""Addresses that lead to mailboxes of another name."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0012"
VERSION = "1.38.0"
DESCRIPTION = "routes"

# A route ends in mailboxes and never in another route, so none can lead back to itself.
SQL = """
create table route (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    domain_id uuid not null references domain on delete cascade,
    pattern varchar(64) not null,
    created_at timestamptz not null,
    constraint route_once unique (domain_id, pattern)
);
create index route_tenant_id on route (tenant_id, id);
create index route_wildcard on route (domain_id) where pattern like '%*%';

create table route_target (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    route_id uuid not null references route on delete cascade,
    mailbox_id uuid not null references mailbox on delete cascade,
    constraint route_target_once unique (route_id, mailbox_id)
);
create index route_target_mailbox_id on route_target (mailbox_id);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
