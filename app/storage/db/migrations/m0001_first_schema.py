"""Tenants, access, mailboxes, messages, tickets, outbound mail, the event log and ingest state.

Written as SQL, since indexes and constraints are half of a schema; a test holds the tables in
`app.storage.db.tables` against what the migrations make.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0001"
VERSION = "1.38.0"
DESCRIPTION = "the first schema"

SQL = """
create table tenant (
    id uuid primary key,
    name varchar(200) not null unique,
    plan varchar(20) not null check (plan in ('developer', 'temporary', 'enterprise')),
    next_ticket_number integer not null default 1,
    created_at timestamptz not null
);

create table domain (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    name varchar(253) not null,
    status varchar(20) not null
        check (status in ('pending', 'verified', 'soft_rejected', 'suspended')),
    recipient_policy varchar(20) not null default 'reject_unknown'
        check (recipient_policy in ('reject_unknown', 'accept_and_discard', 'reply_after_data')),
    monitored boolean not null default true,
    verification_token varchar(64) not null,
    verified_at timestamptz,
    created_at timestamptz not null,
    unique (tenant_id, name)
);
create unique index domain_one_verified_owner on domain (name) where status <> 'pending';

create table mailbox (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    domain_id uuid not null references domain,
    address varchar(320) not null unique,
    display_name varchar(200) not null default '',
    token_hash bytea unique,
    expires_at timestamptz,
    created_at timestamptz not null
);
create index mailbox_by_tenant on mailbox (tenant_id, id);
create index mailbox_by_domain on mailbox (domain_id);
create index mailbox_expiring on mailbox (expires_at) where expires_at is not null;

create table user_account (
    id uuid primary key,
    email varchar(320) not null unique,
    name varchar(200) not null default '',
    created_at timestamptz not null
);

create table membership (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    user_id uuid not null references user_account,
    role varchar(10) not null check (role in ('owner', 'admin', 'agent', 'viewer')),
    created_at timestamptz not null,
    unique (tenant_id, user_id)
);
create index membership_user_id on membership (user_id);

create table api_key (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    name varchar(200) not null default '',
    prefix varchar(8) not null,
    key_hash bytea not null unique,
    scopes varchar(40)[] not null,
    domain_ids uuid[] not null,
    mailbox_ids uuid[] not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);
create index api_key_tenant_id on api_key (tenant_id);

create table sign_in_link (
    id uuid primary key,
    user_id uuid not null references user_account,
    token_hash bytea not null unique,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    consumed_at timestamptz
);
create index sign_in_link_user_id on sign_in_link (user_id);

create table session (
    id uuid primary key,
    user_id uuid not null references user_account,
    token_hash bytea not null unique,
    user_agent varchar(300) not null default '',
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index session_user_id on session (user_id);

create table ticket (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    mailbox_id uuid not null references mailbox,
    number integer not null,
    state varchar(20) not null,
    subject text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    unique (tenant_id, number)
);
create index ticket_by_update on ticket (tenant_id, updated_at desc, id desc);
create index ticket_mailbox_id on ticket (mailbox_id);

create table message (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    mailbox_id uuid not null references mailbox,
    ticket_id uuid references ticket,
    trace_id uuid not null,
    identity bytea not null,
    fingerprint bytea not null,
    is_variant boolean not null default false,
    sha256 bytea not null,
    content_sha256 bytea not null,
    size_bytes bigint not null,
    envelope_from text not null,
    from_name text not null,
    from_address text not null,
    to_header text not null,
    cc_header text not null,
    subject text not null,
    snippet text not null,
    message_id text,
    in_reply_to text,
    reference_ids text,
    date_header timestamptz,
    received_at timestamptz not null,
    attachment_count integer not null default 0,
    is_read boolean not null default false,
    is_starred boolean not null default false,
    is_archived boolean not null default false,
    is_spam boolean not null default false,
    is_bounce boolean not null default false,
    is_auto_reply boolean not null default false,
    defects jsonb not null default '[]'
);
create unique index message_once on message (mailbox_id, identity, fingerprint);
create index message_by_mailbox on message (mailbox_id, received_at desc, id desc);
create index message_by_tenant on message (tenant_id, received_at desc, id desc);
create index message_by_identity on message (tenant_id, identity);
create index message_ticket_id on message (ticket_id, received_at) where ticket_id is not null;
create index message_by_sha256 on message (tenant_id, sha256);

create table message_body (
    message_id uuid primary key references message on delete cascade,
    tenant_id uuid not null references tenant,
    text text not null,
    html text not null
);

create table attachment (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    message_id uuid not null references message on delete cascade,
    part_number integer not null,
    file_name text not null,
    storage_key text not null,
    content_type text not null,
    content_id text not null default '',
    is_inline boolean not null default false,
    size_bytes bigint not null,
    unique (message_id, part_number)
);

create table raw_blob (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    sha256 bytea not null,
    size_bytes bigint not null,
    reference_count integer not null check (reference_count >= 0),
    unique (tenant_id, sha256)
);

create table released_object (
    id uuid primary key,
    storage_key text not null,
    released_at timestamptz not null
);
create index released_object_released_at on released_object (released_at);

create table outbound (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    mailbox_id uuid references mailbox,
    ticket_id uuid references ticket,
    lane varchar(12) not null check (lane in ('auth', 'interactive', 'auto', 'bulk')),
    email_type varchar(40) not null default '',
    status varchar(12) not null check (status in (
        'pending', 'sending', 'sent', 'delivered', 'bounced', 'complained', 'rejected',
        'failed', 'suppressed', 'doubtful', 'dead')),
    mail_from text not null,
    rcpt_to text not null,
    subject text not null,
    storage_key text not null,
    message_id text not null,
    ses_message_id text unique,
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    leased_until timestamptz,
    error text not null default '',
    metadata jsonb not null default '{}',
    created_at timestamptz not null,
    sent_at timestamptz,
    delivered_at timestamptz,
    bounced_at timestamptz,
    bounce_type varchar(40) not null default '',
    bounce_subtype varchar(40) not null default '',
    complained_at timestamptz,
    rejected_at timestamptz,
    reject_reason text not null default '',
    opened_at timestamptz,
    open_count integer not null default 0,
    clicked_at timestamptz,
    click_count integer not null default 0,
    last_clicked_link text not null default ''
);
create index outbound_due on outbound (lane, next_attempt_at, id) where status = 'pending';
create index outbound_by_tenant on outbound (tenant_id, created_at desc, id desc);
create index outbound_mailbox_id on outbound (mailbox_id);
create index outbound_ticket_id on outbound (ticket_id);
create index outbound_by_message_id on outbound (tenant_id, message_id);

create table outbound_attempt (
    id uuid primary key,
    tenant_id uuid not null references tenant,
    outbound_id uuid not null references outbound,
    transport varchar(20) not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    outcome varchar(20) not null default '',
    response text not null default ''
);
create index outbound_attempt_outbound_id on outbound_attempt (outbound_id, started_at);

create table event (
    position bigserial primary key,
    id uuid not null unique,
    tenant_id uuid,
    mailbox_id uuid,
    type varchar(40) not null,
    trace_id uuid not null,
    subject_type varchar(20) not null,
    subject_id uuid not null,
    data jsonb not null default '{}',
    created_at timestamptz not null
);
create index event_by_tenant on event (tenant_id, position);
create index event_by_type on event (tenant_id, type, position);
create index event_by_mailbox on event (mailbox_id, position) where mailbox_id is not null;
create index event_by_subject on event (subject_id, position);
create index event_by_trace on event (trace_id, position);
create index event_by_time on event using brin (created_at);

create table spool_position (
    id uuid primary key,
    spool text not null,
    producer text not null,
    segment bigint not null,
    byte_offset bigint not null,
    unique (spool, producer)
);

create table spool_deferred (
    id uuid primary key,
    spool text not null,
    producer text not null,
    segment bigint not null,
    byte_offset bigint not null,
    attempts integer not null,
    next_attempt_at timestamptz not null,
    stage varchar(20) not null,
    reason text not null,
    created_at timestamptz not null
);
create index spool_deferred_next_attempt_at on spool_deferred (spool, next_attempt_at);

create table quarantine (
    id uuid primary key,
    tenant_id uuid,
    trace_id uuid not null,
    stage varchar(20) not null,
    reason text not null,
    storage_key text not null,
    size_bytes bigint not null,
    source jsonb not null default '{}',
    created_at timestamptz not null
);
create index quarantine_by_age on quarantine (created_at desc, id desc);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
