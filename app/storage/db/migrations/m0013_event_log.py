"""The event log in partitions, events that a consumer could not handle, and replays."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.storage.db.statements import run_statements

ID = "0013"
VERSION = "1.38.0"
DESCRIPTION = "partitions of the event log, parked events and replays"

# The table as it is becomes the first partition: its rows and its indexes stay where they are, and
# are read once to see that they lie within its bounds. What is new is empty.
PARTITIONS = """
alter table event rename to event_0;
alter table event_0 alter column position drop default;
alter index event_by_tenant rename to event_0_by_tenant;
alter index event_by_type rename to event_0_by_type;
alter index event_by_mailbox rename to event_0_by_mailbox;
alter index event_by_subject rename to event_0_by_subject;
alter index event_by_trace rename to event_0_by_trace;
alter index event_by_time rename to event_0_by_time;
alter index event_pkey rename to event_0_pkey;
alter index event_id_key rename to event_0_id_key;

create table event (
    position bigint not null default nextval('event_position_seq'),
    id uuid not null,
    tenant_id uuid,
    mailbox_id uuid,
    type varchar(40) not null,
    trace_id uuid not null,
    subject_type varchar(20) not null,
    subject_id uuid not null,
    data jsonb not null default '{}',
    created_at timestamptz not null,
    primary key (position)
) partition by range (position);
alter sequence event_position_seq owned by event.position;
create index event_by_tenant on event (tenant_id, position);
create index event_by_type on event (tenant_id, type, position);
create index event_by_mailbox on event (mailbox_id, position) where mailbox_id is not null;
create index event_by_subject on event (subject_id, position);
create index event_by_trace on event (trace_id, position);
create index event_by_time on event using brin (created_at);

do $$
declare
    ends bigint := ((select coalesce(max(position), 0) from event_0) / 1000000 + 1) * 1000000;
begin
    execute format('alter table event attach partition event_0 for values from (0) to (%s)', ends);
    execute format('create table event_%s (like event, unique (id))', ends);
    execute format('alter table event attach partition event_%s for values from (%s) to (%s)',
        ends, ends, ends + 1000000);
end
$$;
"""

CONSUMERS = """
alter table consumer add column types text[] not null default '{}';

create table parked_event (
    id uuid primary key,
    consumer varchar(60) not null,
    position bigint not null,
    event_id uuid not null,
    tenant_id uuid,
    type varchar(40) not null,
    reason text not null,
    attempts integer not null,
    parked_at timestamptz not null,
    asked_at timestamptz,
    constraint parked_event_once unique (consumer, position)
);
create index parked_event_asked on parked_event (consumer, position) where asked_at is not null;

create table replay (
    id uuid primary key,
    consumer varchar(60) not null,
    types text[],
    first_position bigint not null,
    next_position bigint not null,
    last_position bigint not null,
    event_count bigint not null default 0,
    asked_at timestamptz not null,
    finished_at timestamptz
);
create index replay_unfinished on replay (consumer, asked_at) where finished_at is null;
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="pillarbox", description=DESCRIPTION)
    manager.add_raw(run_statements(PARTITIONS))
    manager.add_raw(run_statements(CONSUMERS))
    return manager
