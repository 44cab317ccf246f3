"""Webhooks: endpoints, what is delivered to them, and notices to owners of any kind."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0014"
VERSION = "1.38.0"
DESCRIPTION = "webhooks"

# A delivery is pending until it is delivered or failed; a pending one with a lease is under way.
# Its event has no foreign key, since it may be older than what the log still keeps. `mailbox_ids`
# is a list, as one that lost its last mailbox must not become one for all of them.
SQL = """
create table webhook_endpoint (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    url text not null,
    description varchar(200) not null default '',
    types varchar(40)[] not null,
    mailbox_ids uuid[] not null,
    is_ordered boolean not null default false,
    secret_sealed bytea not null,
    previous_secret_sealed bytea,
    previous_until timestamptz,
    state varchar(10) not null default 'enabled' check (state in ('enabled', 'disabled')),
    disabled_reason varchar(20) not null default '',
    disabled_at timestamptz,
    disabled_position bigint,
    failing_since timestamptz,
    resting_until timestamptz,
    start_position bigint not null,
    created_at timestamptz not null,
    constraint webhook_endpoint_says_why_disabled
        check ((state = 'disabled') = (disabled_at is not null))
);
create index webhook_endpoint_tenant_id on webhook_endpoint (tenant_id, id);

create table webhook_delivery (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    endpoint_id uuid not null references webhook_endpoint on delete cascade,
    event_id uuid not null,
    position bigint,
    mailbox_id uuid,
    type varchar(40) not null,
    trace_id uuid not null,
    payload text not null,
    state varchar(10) not null default 'pending'
        check (state in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    lease_until timestamptz,
    created_at timestamptz not null,
    finished_at timestamptz,
    constraint webhook_delivery_once unique (endpoint_id, event_id)
);
create index webhook_delivery_due on webhook_delivery (endpoint_id, next_attempt_at)
    where state = 'pending';
create index webhook_delivery_head on webhook_delivery (endpoint_id, position nulls first)
    where state = 'pending';
create index webhook_delivery_leased on webhook_delivery (endpoint_id)
    where state = 'pending' and lease_until is not null;
create index webhook_delivery_listed on webhook_delivery (endpoint_id, state, id);
create index webhook_delivery_trace_id on webhook_delivery (trace_id);
create index webhook_delivery_finished_at on webhook_delivery (finished_at)
    where finished_at is not null;
create index webhook_delivery_tenant_id on webhook_delivery (tenant_id, id);

create table webhook_attempt (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    delivery_id uuid not null references webhook_delivery on delete cascade,
    started_at timestamptz not null,
    duration_ms integer,
    status integer,
    response_head text not null default '',
    error varchar(200) not null default ''
);
create index webhook_attempt_delivery_id on webhook_attempt (delivery_id, id);

create table webhook_replay (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    endpoint_id uuid not null references webhook_endpoint on delete cascade,
    which varchar(12) not null check (which in ('new', 'undelivered', 'all')),
    position bigint not null,
    to_position bigint not null,
    deliveries integer not null default 0,
    created_at timestamptz not null,
    finished_at timestamptz
);
create index webhook_replay_endpoint_id on webhook_replay (endpoint_id, id);
create index webhook_replay_open on webhook_replay (id) where finished_at is null;

create table owner_notice (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    user_id uuid not null references user_account on delete cascade,
    subject_type varchar(20) not null,
    subject_id uuid not null,
    subject_name text not null,
    change varchar(20) not null,
    reason varchar(20) not null default '',
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    created_at timestamptz not null
);
insert into owner_notice
select domain_notice.id, domain_notice.tenant_id, user_id, 'domain', domain_id, name, change,
    reason, attempts, next_attempt_at, domain_notice.created_at
from domain_notice join domain on domain.id = domain_id;
drop table domain_notice;
create index owner_notice_next_attempt_at on owner_notice (next_attempt_at);
create index owner_notice_subject_id on owner_notice (subject_id);
create index owner_notice_user_id on owner_notice (user_id);
create index owner_notice_tenant_id on owner_notice (tenant_id);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
