"""The log has room ahead, keeps its rows when it is partitioned, and lets go of what is old."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.assembly import Services
from app.eventlog.event import NewEvent
from app.eventlog.partitions import PARTITION_POSITIONS, RoomAhead, read_partitions
from app.eventlog.read import EventFilter, last_position, read_events
from app.eventlog.retention import drop_old_events, first_kept_position
from app.eventlog.types import EventType
from app.storage.db.migrations import m0013_event_log

FIRST_SCHEMA = """
drop table event; drop table parked_event; drop table replay;
alter table consumer drop column types;
create table event (
    position bigserial primary key, id uuid not null unique, tenant_id uuid, mailbox_id uuid,
    type varchar(40) not null, trace_id uuid not null, subject_type varchar(20) not null,
    subject_id uuid not null, data jsonb not null default '{}', created_at timestamptz not null
);
create index event_by_tenant on event (tenant_id, position);
create index event_by_type on event (tenant_id, type, position);
create index event_by_mailbox on event (mailbox_id, position) where mailbox_id is not null;
create index event_by_subject on event (subject_id, position);
create index event_by_trace on event (trace_id, position);
create index event_by_time on event using brin (created_at);
"""


async def append(services: Services, count: int = 1) -> int:
    async with services.log.transaction() as transaction:
        for _ in range(count):
            transaction.tell(
                NewEvent(EventType.INGEST_RECEIVED, trace_id=uuid4(), subject=("message", uuid4()))
            )
    return await last_position(services.database)


async def go_to(services: Services, position: int) -> None:
    """As if so many events had been appended."""
    await services.database.execute("select setval('event_position_seq', $1)", position - 1)


async def bounds(services: Services) -> list[int]:
    return [each.first // PARTITION_POSITIONS for each in await read_partitions(services.database)]


async def test_rows_and_their_order_survive_when_the_table_becomes_a_partition(
    database_url: str,
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(FIRST_SCHEMA)
    await connection.execute(
        """insert into event (position, id, type, trace_id, subject_type, subject_id, created_at)
        select n, gen_random_uuid(), 'ingest.received', gen_random_uuid(), 'message',
            gen_random_uuid(), now() from generate_series(1, 2500000, 100000) as n"""
    )
    before = await connection.fetch("select * from event order by position")
    await connection.execute("select setval('event_position_seq', 2400001)")
    await connection.execute(m0013_event_log.PARTITIONS)
    assert await connection.fetch("select * from event order by position") == before
    new = await connection.fetchval(
        """insert into event (id, type, trace_id, subject_type, subject_id, created_at)
        select id, type, trace_id, subject_type, subject_id, created_at from event limit 0
        returning position"""
    )
    assert new is None
    assert [each.end for each in await read_partitions(connection)] == [3_000_000, 4_000_000]
    indexes = "select count(*) from pg_index where indrelid = $1::text::regclass"
    assert await connection.fetchval(indexes, "event_0") == 8
    assert await connection.fetchval(indexes, "event_3000000") == 8
    await connection.close()


async def test_a_whole_partition_lies_ahead_when_events_were_appended(services: Services) -> None:
    await append(services)
    assert await bounds(services) == [0, 1]
    await go_to(services, PARTITION_POSITIONS + 5)
    await append(services)
    assert await bounds(services) == [0, 1, 2]


async def test_append_makes_its_own_room_when_nothing_made_any(services: Services) -> None:
    """However far positions have gone meanwhile, and by as many writers as there are."""
    await append(services)
    await go_to(services, 4 * PARTITION_POSITIONS - 3)
    await asyncio.gather(*(append(services, 10) for _ in range(4)))
    assert (await bounds(services))[:5] == [0, 1, 2, 3, 4]
    events = await read_events(services.database, after=1, wanted=EventFilter(), limit=100)
    assert [event.position for event in events] == list(
        range(4 * PARTITION_POSITIONS - 3, 4 * PARTITION_POSITIONS + 37)
    )


async def test_partitions_are_made_once_when_several_make_them(services: Services) -> None:
    rooms = [RoomAhead(services.database) for _ in range(4)]
    made = await asyncio.gather(*(room.ensure(2 * PARTITION_POSITIONS) for room in rooms))
    assert sum(made) == 2
    assert await bounds(services) == [0, 1, 2, 3]


@pytest.fixture
async def three_partitions(services: Services, clock: Any) -> Services:
    """With events in each, of which those in the first two are a day older."""
    await append(services, 3)
    await go_to(services, PARTITION_POSITIONS)
    await append(services, 3)
    clock.moved_seconds = timedelta(days=1).total_seconds()
    await go_to(services, 2 * PARTITION_POSITIONS)
    await append(services, 3)
    return services


async def drop(services: Services) -> int:
    return await drop_old_events(services.database, services.clock.now() - timedelta(hours=1))


async def test_old_partitions_go_when_nobody_needs_them(three_partitions: Services) -> None:
    services = three_partitions
    assert await first_kept_position(services.database) == 1
    assert await drop(services) == 2
    assert await first_kept_position(services.database) == 2 * PARTITION_POSITIONS
    assert await drop(services) == 0
    events = await read_events(services.database, after=0, wanted=EventFilter(), limit=10)
    assert [event.position - 2 * PARTITION_POSITIONS for event in events] == [0, 1, 2]
    assert await append(services) == 2 * PARTITION_POSITIONS + 3


async def test_the_partition_in_use_stays_however_old(services: Services, clock: Any) -> None:
    await append(services)
    clock.moved_seconds = timedelta(days=900).total_seconds()
    assert await drop(services) == 0


HOLDERS = (
    """insert into consumer values ('a', {position}, gen_random_uuid(), now(), now())""",
    """insert into parked_event values (gen_random_uuid(), 'a', {position} + 1, gen_random_uuid(),
        null, 'ingest.received', 'why', 1, now())""",
    """insert into replay
        values (gen_random_uuid(), 'a', null, 1, {position} + 1, 2e9, 0, now())""",
)


@pytest.mark.parametrize("holder", HOLDERS, ids=("consumer", "parked", "replay"))
async def test_nothing_goes_that_somebody_still_needs(
    three_partitions: Services, holder: str
) -> None:
    services = three_partitions
    await services.database.execute(holder.format(position=PARTITION_POSITIONS + 1))
    assert await drop(services) == 1
    assert await first_kept_position(services.database) == PARTITION_POSITIONS
