"""Sign-in by mail: the queue behind it, where to go afterwards, and session tokens that change."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0005"
VERSION = "1.38.0"
DESCRIPTION = "sign-in by mail"

SQL = """
create table sign_in_request (
    id uuid primary key,
    email varchar(320) not null,
    next_path varchar(1000) not null default '',
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    created_at timestamptz not null
);
create index sign_in_request_next_attempt_at on sign_in_request (next_attempt_at);

alter table sign_in_link add column next_path varchar(1000) not null default '';

alter table session add column last_seen_at timestamptz, add column renewed_at timestamptz;
update session set last_seen_at = created_at, renewed_at = created_at;
alter table session alter column last_seen_at set not null, alter column renewed_at set not null;

create table session_token (
    token_hash bytea primary key,
    session_id uuid not null references session on delete cascade,
    created_at timestamptz not null,
    used_at timestamptz,
    replaced_at timestamptz
);
create index session_token_session_id on session_token (session_id);
insert into session_token (token_hash, session_id, created_at, used_at)
    select token_hash, id, created_at, created_at from session;
alter table session drop column token_hash;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(SQL))
    return manager
