"""Sign-in bound to the browser that asked, single sign-on, and who may sign in how and whence."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0008"
VERSION = "1.38.0"
DESCRIPTION = "bound sign-in and single sign-on"

# Requests under way belong to no browser: whoever waits for such a mail asks again.
SQL = """
delete from sign_in_request;
alter table sign_in_request
    add column secret_hash bytea not null,
    add column browser_kind varchar(60) not null;

alter table sign_in_link
    add column secret_hash bytea,
    add column browser_kind varchar(60) not null default '',
    add column code_hash bytea;
create index sign_in_link_code_hash on sign_in_link (code_hash);

create table sign_in_tries (
    secret_hash bytea primary key,
    email varchar(320) not null,
    tries integer not null default 0,
    expires_at timestamptz not null
);
create index sign_in_tries_expires_at on sign_in_tries (expires_at);

create table sign_in_policy (
    tenant_id uuid primary key references tenant on delete cascade,
    allows_mail boolean not null default true,
    needs_same_browser_kind boolean not null default false,
    admin_networks varchar(50)[] not null default '{}'
);

create table sso_connection (
    tenant_id uuid primary key references tenant on delete cascade,
    issuer varchar(500) not null,
    client_id varchar(500) not null,
    client_secret bytea,
    role_claim varchar(200) not null default '',
    roles jsonb not null default '{}',
    default_role varchar(10) not null default '',
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table sso_domain (
    domain_id uuid primary key references domain on delete cascade,
    tenant_id uuid not null references sso_connection on delete cascade
);
create index sso_domain_tenant_id on sso_domain (tenant_id);

create table sso_identity (
    id uuid primary key,
    tenant_id uuid not null references sso_connection on delete cascade,
    subject varchar(300) not null,
    user_id uuid not null references user_account on delete cascade,
    created_at timestamptz not null,
    unique (tenant_id, subject),
    unique (tenant_id, user_id)
);
create index sso_identity_user_id on sso_identity (user_id);

create table sso_request (
    state_hash bytea primary key,
    tenant_id uuid not null references sso_connection on delete cascade,
    secret_hash bytea not null,
    next_path varchar(1000) not null default '',
    expires_at timestamptz not null
);
create index sso_request_expires_at on sso_request (expires_at);
create index sso_request_tenant_id on sso_request (tenant_id);

alter table session
    add column method varchar(20) not null default 'mail',
    add column network varchar(60) not null default '',
    add column sso_tenant_id uuid references tenant on delete cascade;
create index session_sso_tenant_id on session (sso_tenant_id);
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
