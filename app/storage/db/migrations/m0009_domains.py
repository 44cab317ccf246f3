"""Domains that are checked again and again: what was seen, their keys, and whom to tell."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0009"
VERSION = "1.38.0"
DESCRIPTION = "domains"

# A detached mailbox keeps its mail and receives no more: its domain is another tenant's now, who
# may give the same address to a mailbox of their own.
SQL = """
alter table domain
    add column mta_sts_mode varchar(10) not null default 'testing'
        check (mta_sts_mode in ('none', 'testing', 'enforce')),
    add column ownership_lost_at timestamptz,
    add column mx_lost_at timestamptz,
    add column checked_at timestamptz,
    add column next_check_at timestamptz,
    add column checks_alike integer not null default 0;
update domain set next_check_at = created_at where monitored;
create index domain_next_check_at on domain (next_check_at) where monitored;

create table domain_check (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    domain_id uuid not null references domain on delete cascade,
    status varchar(20) not null,
    changes varchar(20)[] not null,
    outcome varchar(20) not null,
    sightings jsonb not null,
    times integer not null default 1,
    first_at timestamptz not null,
    last_at timestamptz not null
);
create index domain_check_domain_id on domain_check (domain_id, id desc);
create index domain_check_tenant_id on domain_check (tenant_id);

create table domain_signing_key (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    domain_id uuid not null unique references domain on delete cascade,
    selector varchar(63) not null,
    public_key text not null,
    private_key_sealed bytea not null,
    created_at timestamptz not null
);
create index domain_signing_key_tenant_id on domain_signing_key (tenant_id);

create table domain_notice (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    domain_id uuid not null references domain on delete cascade,
    user_id uuid not null references user_account on delete cascade,
    change varchar(20) not null,
    reason varchar(20) not null default '',
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    created_at timestamptz not null
);
create index domain_notice_next_attempt_at on domain_notice (next_attempt_at);
create index domain_notice_domain_id on domain_notice (domain_id);
create index domain_notice_user_id on domain_notice (user_id);
create index domain_notice_tenant_id on domain_notice (tenant_id);

alter table mailbox add column detached_at timestamptz;
alter table mailbox drop constraint mailbox_address_key;
create unique index mailbox_one_receiver on mailbox (address) where detached_at is null;
create index mailbox_address on mailbox (address);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
