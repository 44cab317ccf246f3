"""The live feed: to each follower its own events, each once and in order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from uuid import UUID, uuid4

import pytest

from app.assembly import Services
from app.consumers.live import LiveFeed
from app.eventlog.event import Event, NewEvent
from app.eventlog.read import EventFilter, last_position, read_events
from app.eventlog.types import EventType

TENANTS = [UUID(int=number) for number in (1, 2)]
MAILBOXES = [UUID(int=number) for number in (11, 12, 13)]
FILTERS = (
    EventFilter(),
    EventFilter(TENANTS[0]),
    EventFilter(TENANTS[1], types=["message.updated"]),
    EventFilter(TENANTS[0], MAILBOXES[:2]),
    EventFilter(TENANTS[0], [MAILBOXES[1], MAILBOXES[1]]),
    EventFilter(TENANTS[1], MAILBOXES),
    EventFilter(types=["ingest.received"]),
)


@pytest.fixture
async def feed(services: Services) -> AsyncIterator[LiveFeed]:
    async with services.feed.running():
        yield services.feed


async def append(services: Services, number: int, count: int = 1) -> None:
    async with services.log.transaction() as transaction:
        for each in range(number, number + count):
            transaction.tell(
                NewEvent(
                    (EventType.INGEST_RECEIVED, EventType.MESSAGE_UPDATED)[each % 2],
                    trace_id=uuid4(),
                    subject=("message", uuid4()),
                    tenant_id=TENANTS[each % 3 % 2],
                    mailbox_id=(None, *MAILBOXES)[each % 4],
                )
            )


async def take(feed: LiveFeed, wanted: EventFilter, after: int, count: int) -> Sequence[Event]:
    taken: list[Event] = []
    async with aclosing(feed.follow(wanted, after=after)) as following, asyncio.timeout(60):
        while len(taken) < count:
            taken += await anext(following)
    return taken


async def test_follower_gets_its_own_events_once_and_in_order_while_they_are_written(
    services: Services, feed: LiveFeed
) -> None:
    """They begin in the midst of the log and of the writing, and break off and come back."""
    await append(services, 0, 40)
    after = [0, 7, 0, 3, 0, 20, 39]

    async def follow(number: int) -> Sequence[Event]:
        first = await take(feed, FILTERS[number], after[number], 5)
        return [*first, *await take(feed, FILTERS[number], first[-1].position, 12)]

    following = [asyncio.create_task(follow(number)) for number in range(len(FILTERS))]
    for number in range(40, 160):
        await append(services, number)
    for number, task in enumerate(following):
        got = await task
        expected = await read_events(
            services.database, after=after[number], wanted=FILTERS[number], limit=len(got)
        )
        assert got == expected


async def test_events_of_one_transaction_arrive_together(
    services: Services, feed: LiveFeed
) -> None:
    after = await last_position(services.database)
    async with aclosing(feed.follow(EventFilter(), after=after)) as following:
        waiting = asyncio.ensure_future(anext(following))
        await asyncio.sleep(0)
        await append(services, 0, 10)
        assert len(await waiting) == 10


async def test_follower_misses_nothing_when_another_begins_at_the_same_time(
    services: Services, feed: LiveFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ask where the log ends, and the second is answered once an event was written."""
    answers = [asyncio.get_running_loop().create_future() for _ in range(2)]
    asked = iter(answers)
    monkeypatch.setattr("app.consumers.live.last_position", lambda _: next(asked))
    first, second = (asyncio.create_task(take(feed, EventFilter(), 0, 1)) for _ in range(2))
    await asyncio.sleep(0)
    answers[0].set_result(0)
    await asyncio.sleep(0)
    answers[1].set_result(1)
    await asyncio.sleep(0)
    await append(services, 0)
    assert await first == await second


async def test_slow_follower_is_let_go_and_misses_nothing_when_it_comes_back(
    services: Services, feed: LiveFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.consumers.live._MAX_WAITING_EVENTS", 3)
    await append(services, 0)
    slow, seen = feed.follow(EventFilter(), after=0), []
    seen += await anext(slow)
    quick = asyncio.create_task(take(feed, EventFilter(types=["ingest.received"]), 1, 2))
    for number in range(1, 9):
        await append(services, number)
    await quick
    async for events in slow:
        seen += events
    seen += await take(feed, EventFilter(), seen[-1].position, 9 - len(seen))
    assert [event.position for event in seen] == list(range(1, 10))


async def test_every_stream_ends_when_the_process_stops(services: Services, feed: LiveFeed) -> None:
    await append(services, 0)
    following = [feed.follow(EventFilter(mailbox_ids=ids), after=0) for ids in ([], None)]
    waiting = [asyncio.ensure_future(anext(each, None)) for each in following]
    assert await waiting[1]
    waiting[1] = asyncio.ensure_future(anext(following[1], None))
    await asyncio.sleep(0)
    feed.end()
    async with asyncio.timeout(10):
        assert await asyncio.gather(*waiting) == [None, None]
    assert [each async for each in feed.follow(EventFilter(), after=0)] == []


async def test_stream_that_begins_while_the_process_stops_ends(
    feed: LiveFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    position = asyncio.get_running_loop().create_future()
    monkeypatch.setattr("app.consumers.live.last_position", lambda _: position)
    following = asyncio.ensure_future(anext(feed.follow(EventFilter(), after=0), None))
    await asyncio.sleep(0)
    feed.end()
    position.set_result(0)
    async with asyncio.timeout(10):
        assert await following is None
