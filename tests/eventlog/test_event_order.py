"""A reader that remembers the highest position it saw must never miss an event."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest

from app.assembly import Services
from app.core.errors import Unavailable
from app.eventlog.append import MAX_EVENTS_PER_APPEND
from app.eventlog.event import NewEvent
from app.eventlog.read import EventFilter, read_events
from app.eventlog.types import EventType

WRITERS, ROUNDS = 8, 40


def new_event(subject: UUID) -> NewEvent:
    return NewEvent(EventType.INGEST_RECEIVED, trace_id=uuid4(), subject=("message", subject))


async def append_in_order(services: Services, subject: UUID) -> None:
    async with services.log.transaction() as transaction:
        await transaction.connection.execute("select 1")
        transaction.tell(new_event(subject))
        await asyncio.sleep(0)


async def append_elsewhere(services: Services, subject: UUID) -> None:
    """As another process would: on a connection of its own, outside our transaction."""
    await asyncio.create_task(append_in_order(services, subject), context=contextvars.Context())


async def append_naively(services: Services, subject: UUID) -> None:
    """An insert as anyone would write it: its position is drawn long before its commit."""
    async with services.database.transaction() as connection:
        await connection.execute(
            """insert into event (id, type, trace_id, subject_type, subject_id, created_at)
            values ($1, 'ingest.received', $1, 'message', $2, now())""",
            uuid4(),
            subject,
        )
        await asyncio.sleep(0.001 * (subject.int % 5))


async def run_writers_and_a_reader(
    services: Services, append: Callable[[Services, UUID], Awaitable[None]]
) -> tuple[set[UUID], list[UUID]]:
    """What was committed, and what a reader saw that followed the writers all the time."""
    subjects = [[uuid4() for _ in range(ROUNDS)] for _ in range(WRITERS)]
    seen: list[UUID] = []
    writing = True

    async def write(own: list[UUID]) -> None:
        for subject in own:
            await append(services, subject)

    async def read() -> None:
        position = 0
        while True:
            last_round = not writing
            events = await read_events(
                services.database, after=position, wanted=EventFilter(), limit=50
            )
            seen.extend(event.subject_id for event in events)
            if events:
                position = events[-1].position
            elif last_round:
                return

    reader = asyncio.create_task(read())
    await asyncio.gather(*(write(own) for own in subjects))
    writing = False
    await reader
    return {subject for own in subjects for subject in own}, seen


async def test_reader_misses_nothing_when_writers_append_through_the_log(
    services: Services,
) -> None:
    committed, seen = await run_writers_and_a_reader(services, append_in_order)
    assert len(seen) == len(set(seen))
    assert set(seen) == committed


async def test_reader_misses_events_when_writers_do_not_take_the_lock(services: Services) -> None:
    """The proof that the test above can fail: the same reader beside ordinary inserts."""
    for _ in range(5):
        committed, seen = await run_writers_and_a_reader(services, append_naively)
        if set(seen) != committed:
            return
        await services.database.execute("truncate event")
    pytest.fail("ordinary inserts lost nothing in five runs: the test proves too little")


async def test_events_of_a_transaction_are_gone_when_it_fails(services: Services) -> None:
    with pytest.raises(RuntimeError):
        async with services.log.transaction() as transaction:
            transaction.tell(new_event(uuid4()))
            raise RuntimeError
    assert await read_events(services.database, after=0, wanted=EventFilter(), limit=10) == []


async def test_append_is_refused_when_it_would_hold_the_log_too_long(services: Services) -> None:
    with pytest.raises(ValueError, match="too many"):
        async with services.log.transaction() as transaction:
            transaction.tell(*(new_event(uuid4()) for _ in range(MAX_EVENTS_PER_APPEND + 1)))


async def test_others_give_up_after_the_lock_timeout_when_a_writer_stalls(
    services: Services,
) -> None:
    """The stalled one holds the log's lock; who waits is told to try again, not kept."""
    async with services.database.transaction() as stalled:
        await stalled.execute("select pg_advisory_xact_lock(5788047129284608)")
        with pytest.raises(Unavailable):
            await append_elsewhere(services, uuid4())


async def test_log_is_free_again_when_a_stalled_writer_ran_out_of_time(
    services: Services,
) -> None:
    """The server ends an idle transaction by itself, whatever its writer does."""
    subject = uuid4()
    with pytest.raises(Unavailable):
        async with services.database.transaction() as stalled:
            await stalled.execute("set local idle_in_transaction_session_timeout = '300ms'")
            await stalled.execute("select pg_advisory_xact_lock(5788047129284608)")
            while True:
                try:
                    await append_elsewhere(services, subject)
                    break
                except Unavailable:
                    continue
    events = await read_events(services.database, after=0, wanted=EventFilter(), limit=10)
    assert [event.subject_id for event in events] == [subject]


async def test_connections_carry_the_timeouts_that_bound_a_stalled_writer(
    services: Services,
) -> None:
    shown = [
        await services.database.fetch_value(f"show {name}")
        for name in ("lock_timeout", "idle_in_transaction_session_timeout")
    ]
    assert shown == ["2s", "5s"]
