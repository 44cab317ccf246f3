"""A consumer sees every event that it wants, in order, whoever dies on the way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from conditions import eventually

from app.assembly import Services
from app.core.errors import Unavailable
from app.eventlog.consumer import ConsumerRunner
from app.eventlog.consumer_states import ConsumerState, read_consumer_states
from app.eventlog.event import Event, NewEvent
from app.eventlog.lease import LEASE_TTL
from app.eventlog.types import EventType


@dataclass
class Collector:
    """Remembers what it was handed; fails as often as it is told to."""

    name: str = "collector"
    types: Sequence[str] = (EventType.INGEST_RECEIVED,)
    batch_size: int = 10
    failures: int = 0
    seen: list[UUID] = field(default_factory=list)

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        if self.failures:
            self.failures -= 1
            raise Unavailable("not now")
        self.seen += [event.subject_id for event in events]
        return [
            NewEvent(EventType.MESSAGE_UPDATED, trace_id=e.trace_id, subject=("message", uuid4()))
            for e in events
        ]


async def tell(services: Services, count: int, kind: EventType) -> list[UUID]:
    subjects = [uuid4() for _ in range(count)]
    async with services.log.transaction() as transaction:
        for subject in subjects:
            transaction.tell(NewEvent(kind, trace_id=uuid4(), subject=("message", subject)))
    return subjects


async def count_told(services: Services) -> int:
    return int(
        await services.database.fetch_value(
            "select count(*) from event where type = $1", EventType.MESSAGE_UPDATED
        )
    )


@asynccontextmanager
async def running(
    services: Services, collector: Collector, leader: UUID | None = None
) -> AsyncIterator[asyncio.Task[None]]:
    runner = ConsumerRunner(collector, services.log, leader or uuid4())
    task = asyncio.create_task(runner.run())
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def wait_for(collector: Collector, count: int) -> None:
    async def enough() -> bool:
        return len(collector.seen) >= count

    await eventually(enough)


async def wait_until_told(services: Services, count: int) -> None:
    async def enough() -> bool:
        return await count_told(services) >= count

    await eventually(enough)


async def test_wanted_events_arrive_once_and_in_order_across_restarts(services: Services) -> None:
    collector = Collector()
    wanted: list[UUID] = []
    for _ in range(3):
        wanted += await tell(services, 25, EventType.INGEST_RECEIVED)
        await tell(services, 5, EventType.MESSAGE_DELETED)
        async with running(services, collector):
            await wait_for(collector, len(wanted))
            await wait_until_told(services, len(wanted))
    assert collector.seen == wanted


async def test_batch_comes_again_when_handling_it_failed(services: Services) -> None:
    collector = Collector(failures=2)
    wanted = await tell(services, 3, EventType.INGEST_RECEIVED)
    async with running(services, collector):
        await wait_for(collector, 3)
    assert collector.seen == wanted


async def test_nothing_is_told_when_the_lease_was_lost_meanwhile(services: Services) -> None:
    collector, leader = Collector(), uuid4()
    first = await tell(services, 3, EventType.INGEST_RECEIVED)
    async with running(services, collector, leader):
        await wait_until_told(services, 3)
        await services.database.execute("update consumer set leader = $1", uuid4())
        second = await tell(services, 3, EventType.INGEST_RECEIVED)
        await wait_for(collector, 6)
        await services.database.execute("update consumer set leader = $1", leader)
        await wait_until_told(services, 6)
    assert collector.seen[:6] == first + second
    assert await count_told(services) == 6


async def test_one_of_two_leads_and_the_other_follows_when_it_stops(services: Services) -> None:
    first, second = Collector(), Collector()
    async with running(services, first) as task:
        wanted = await tell(services, 5, EventType.INGEST_RECEIVED)
        await wait_for(first, 5)
        async with running(services, second):
            wanted += await tell(services, 5, EventType.INGEST_RECEIVED)
            await wait_until_told(services, 10)
            assert not second.seen
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            wanted += await tell(services, 5, EventType.INGEST_RECEIVED)
            await wait_for(second, 5)
    assert first.seen + second.seen == wanted


async def test_leader_that_died_is_followed_when_its_lease_ran_out(
    services: Services, clock: object
) -> None:
    now = services.clock.now()
    await services.database.execute(
        "insert into consumer values ('collector', 0, $1, $2, $3)", uuid4(), now + LEASE_TTL, now
    )
    collector = Collector()
    wanted = await tell(services, 2, EventType.INGEST_RECEIVED)
    async with running(services, collector):
        clock.moved_seconds = LEASE_TTL.total_seconds() + 1  # type: ignore[attr-defined]
        await wait_for(collector, 2)
    assert collector.seen == wanted


async def test_lag_is_what_is_wanted_and_not_handled_yet(services: Services) -> None:
    async def state() -> ConsumerState | None:
        states = await read_consumer_states(services.database, services.clock.now())
        return states[0] if states else None

    async with running(services, Collector()):
        await eventually(state)
    await tell(services, 3, EventType.MESSAGE_DELETED)
    lag = await state()
    assert lag is not None
    assert (lag.events_behind, lag.oldest_at, lag.is_running) == (0, None, False)
    await tell(services, 7, EventType.INGEST_RECEIVED)
    lag = await state()
    assert lag is not None
    assert (lag.name, lag.position, lag.events_behind) == ("collector", 0, 7)
    assert lag.oldest_at is not None


async def test_lag_counts_all_events_where_counting_would_take_long(services: Services) -> None:
    async with running(services, Collector()):
        await eventually(lambda: read_consumer_states(services.database, services.clock.now()))
    await services.database.execute("select setval('event_position_seq', 25000)")
    await tell(services, 2, EventType.MESSAGE_DELETED)
    (lag,) = await read_consumer_states(services.database, services.clock.now())
    assert lag.events_behind == 15_002
    assert lag.oldest_at is not None
