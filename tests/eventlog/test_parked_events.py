"""An event that cannot be handled does not stop those behind it, and is kept for a person."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from conditions import eventually
from event_readers import Reader, reading, tell

from app.assembly import Services
from app.core.backoff import Backoff
from app.core.errors import InvalidInput, Unavailable
from app.eventlog.event import Event, NewEvent
from app.eventlog.narrowing import MAX_TRIES
from app.eventlog.parked import Chosen, ParkedEvent, ParkedEvents


async def wait_for_seen(reader: Reader, count: int) -> None:
    async def enough() -> bool:
        return len(reader.seen) >= count

    await eventually(enough)


async def parked(services: Services) -> Sequence[ParkedEvent]:
    return await ParkedEvents(services.log).list()


@pytest.mark.parametrize("atomic", [False, True])
async def test_event_is_parked_and_all_others_are_handled_once(
    services: Services, atomic: bool
) -> None:
    reader = Reader()
    subjects = await tell(services, 25)
    reader.faults[subjects[6]] = InvalidInput("This one is beyond me.")
    async with reading(services, reader, atomic=atomic):
        await wait_for_seen(reader, 24)
    assert reader.seen == [*subjects[:6], *subjects[7:]]
    (only,) = await parked(services)
    assert (only.consumer, only.position, only.reason) == ("reader", 7, "This one is beyond me.")
    assert only.attempts == 1


async def test_several_are_parked_when_several_cannot_be_handled(services: Services) -> None:
    reader = Reader(batch_size=16)
    subjects = await tell(services, 32)
    bad = [subjects[place] for place in (0, 1, 7, 15, 16, 31)]
    reader.faults |= dict.fromkeys(bad, InvalidInput("no"))
    async with reading(services, reader):
        await eventually(lambda: _are_parked(services, 6))
    assert reader.seen == [subject for subject in subjects if subject not in bad]
    assert [each.position for each in await parked(services)] == [1, 2, 8, 16, 17, 32]


async def _are_parked(services: Services, count: int) -> bool:
    return len(await parked(services)) == count


async def test_unexpected_error_is_tried_again_before_it_counts_as_lasting(
    services: Services,
) -> None:
    reader = Reader()
    subjects = await tell(services, 3)
    reader.faults[subjects[1]] = KeyError("x")
    async with reading(services, reader):
        await wait_for_seen(reader, 2)
    assert reader.seen == [subjects[0], subjects[2]]
    (only,) = await parked(services)
    assert only.reason == "KeyError: 'x'"
    assert reader.calls >= MAX_TRIES + 2


@pytest.mark.parametrize(
    "fault",
    [
        Unavailable("away"),
        ConnectionResetError(),
        ExceptionGroup("several", [ValueError(), Unavailable("away")]),
    ],
    ids=type,
)
async def test_nothing_is_parked_while_something_is_away(
    services: Services, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.eventlog.consumer._PAUSE", Backoff(0.01, 0.01))
    reader = Reader()
    (subject,) = await tell(services, 1)
    reader.faults[subject] = fault

    async def tried_often() -> bool:
        return reader.calls > MAX_TRIES

    async with reading(services, reader):
        await eventually(tried_often)
        assert await parked(services) == []
        reader.faults.clear()
        await wait_for_seen(reader, 1)


async def test_parked_event_is_handled_when_it_is_asked_for(services: Services) -> None:
    reader = Reader()
    subjects = await tell(services, 4)
    reader.faults |= dict.fromkeys(subjects[1:3], InvalidInput("not yet"))
    events = ParkedEvents(services.log)
    async with reading(services, reader):
        await eventually(lambda: _are_parked(services, 2))
        reader.faults.pop(subjects[1])
        assert await events.ask(Chosen(consumer="reader")) == 2
        await eventually(lambda: _are_parked(services, 1))

        async def is_tried_again() -> bool:
            (one,) = await parked(services)
            return one.attempts == 2 and one.asked_at is None

        await eventually(is_tried_again)
    assert reader.seen == [subjects[0], subjects[3], subjects[1]]
    (left,) = await parked(services)
    assert await events.drop(Chosen(ids=[left.id])) == 1
    assert await parked(services) == []


async def test_asking_outlives_the_process_that_led(services: Services) -> None:
    reader = Reader()
    (subject,) = await tell(services, 1)
    reader.faults[subject] = InvalidInput("no")
    async with reading(services, reader):
        await eventually(lambda: _are_parked(services, 1))
    await ParkedEvents(services.log).ask(Chosen(consumer="reader"))
    reader.faults.clear()
    async with reading(services, reader):
        await wait_for_seen(reader, 1)
        await eventually(lambda: _are_parked(services, 0))


class Bookkeeper(Reader):
    """Writes a row for each event, and nothing keeps it from writing two."""

    services: Services

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        for event in events:
            await self.services.database.execute("insert into effect values ($1)", event.subject_id)
        return await super().handle(events)


async def test_rows_of_an_atomic_consumer_are_undone_with_its_batch(services: Services) -> None:
    await services.database.execute("create table effect (subject_id uuid)")
    reader = Bookkeeper()
    reader.services = services
    subjects = await tell(services, 20)
    reader.faults |= {subjects[3]: InvalidInput("no"), subjects[12]: ValueError()}
    async with reading(services, reader, atomic=True):
        await eventually(lambda: _are_parked(services, 2))
        await wait_for_seen(reader, 18)
    rows = await services.database.fetch("select subject_id from effect")
    written: list[UUID] = [row["subject_id"] for row in rows]
    assert written == [each for each in subjects if each not in reader.faults]
