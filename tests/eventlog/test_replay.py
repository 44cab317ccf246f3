"""Events are handed again to a consumer that goes on following the log."""

import pytest
from conditions import eventually
from event_readers import Reader, reading, tell

from app.assembly import Services
from app.core.errors import AlreadyExists, InvalidInput, NotFound, Unavailable
from app.eventlog.consumer_states import (
    forget_consumer,
    read_consumer_states,
    start_consumer,
)
from app.eventlog.parked import ParkedEvents
from app.eventlog.replays import Replay, Replays
from app.eventlog.types import EventType


async def wait_for_seen(reader: Reader, count: int) -> None:
    async def enough() -> bool:
        return len(reader.seen) >= count

    await eventually(enough)


async def wait_until_at(services: Services, position: int) -> None:
    """What was handled before counts only once its position was committed."""

    async def is_there() -> bool:
        states = await read_consumer_states(services.database, services.clock.now())
        return bool(states) and states[0].position >= position

    await eventually(is_there)


async def wait_for_end(services: Services) -> Replay:
    async def finished() -> Replay | None:
        last = (await Replays(services.log).list())[-1]
        return last if last.finished_at else None

    end: Replay = await eventually(finished)
    return end


async def test_range_is_handed_again_while_new_events_come(services: Services) -> None:
    reader, replays = Reader(), Replays(services.log)
    subjects = await tell(services, 50)
    async with reading(services, reader):
        await wait_until_at(services, 50)
    await replays.ask("reader", 11, 40)
    new = await tell(services, 20)
    reader.seen.clear()
    async with reading(services, reader):
        replay = await wait_for_end(services)
        await wait_until_at(services, 70)
    assert replay.event_count == 30
    assert [each for each in reader.seen if each in subjects] == subjects[10:40]
    assert [each for each in reader.seen if each in new] == new


async def test_only_wanted_types_are_handed_again(services: Services) -> None:
    reader, replays = Reader(), Replays(services.log)
    await tell(services, 5)
    deleted = await tell(services, 5, EventType.MESSAGE_DELETED)
    await tell(services, 5, EventType.MESSAGE_UPDATED)
    await tell(services, 1)
    async with reading(services, reader):
        await wait_until_at(services, 16)
        reader.seen.clear()
        types = [EventType.MESSAGE_DELETED, EventType.MESSAGE_UPDATED]
        await replays.ask("reader", 1, None, types)
        assert (await wait_for_end(services)).event_count == 5
    assert reader.seen == deleted


async def test_replay_goes_on_where_it_was_when_its_process_ended(services: Services) -> None:
    reader, replays = Reader(batch_size=5), Replays(services.log)
    subjects = await tell(services, 20)
    async with reading(services, reader):
        await wait_until_at(services, 20)
        reader.seen.clear()
        reader.faults[subjects[12]] = Unavailable("away")
        asked = await replays.ask("reader", 1, None)

        async def is_half_done() -> bool:
            replay = await replays.find(asked.id)
            return replay is not None and replay.next_position == 11

        await eventually(is_half_done)
    reader.faults.clear()
    async with reading(services, reader):
        await wait_for_end(services)
    assert reader.seen == subjects


async def test_event_that_fails_in_a_replay_is_parked(services: Services) -> None:
    reader, replays = Reader(), Replays(services.log)
    subjects = await tell(services, 20)
    async with reading(services, reader):
        await wait_until_at(services, 20)
        reader.seen.clear()
        reader.faults[subjects[4]] = InvalidInput("no")
        await replays.ask("reader", 1, None)
        await wait_for_end(services)
    assert reader.seen == [*subjects[:4], *subjects[5:]]
    assert [each.position for each in await ParkedEvents(services.log).list()] == [5]


async def test_replay_that_was_called_off_stops(services: Services) -> None:
    reader, replays = Reader(), Replays(services.log)
    subjects = await tell(services, 20)
    async with reading(services, reader):
        await wait_until_at(services, 20)
        reader.faults[subjects[15]] = Unavailable("away")
        await replays.ask("reader", 1, None)
        await wait_for_seen(reader, 30)
        assert await replays.cancel("reader") == 1
        new = await tell(services, 1)
        await wait_for_seen(reader, 31)
        reader.faults.clear()
        new += await tell(services, 1)
        await wait_for_seen(reader, 32)
    assert reader.seen[30:] == new


async def test_new_consumer_begins_where_it_is_told_to(services: Services) -> None:
    reader = Reader()
    subjects = await tell(services, 20)
    await start_consumer(services.log, "reader", 15)
    with pytest.raises(AlreadyExists):
        await start_consumer(services.log, "reader", 3)
    async with reading(services, reader):
        await wait_for_seen(reader, 6)
        with pytest.raises(InvalidInput, match="stop it"):
            await forget_consumer(services.log, "reader")
    assert reader.seen == subjects[14:]
    await forget_consumer(services.log, "reader")
    assert await read_consumer_states(services.database, services.clock.now()) == []


async def test_replay_is_refused_when_there_is_nothing_to_replay(services: Services) -> None:
    replays = Replays(services.log)
    await tell(services, 5)
    with pytest.raises(NotFound):
        await replays.ask("reader", 1, None)
    await start_consumer(services.log, "reader", 4)
    for first, last, types in ((0, None, None), (4, None, None), (3, 2, None), (1, 2, ["mail"])):
        with pytest.raises(InvalidInput):
            await replays.ask("reader", first, last, types)
    assert await replays.list() == []
