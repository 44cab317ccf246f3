"""Reading the spool: every producer, from where the database says it was left."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from mailroom import Mailroom

from app.core.errors import Unavailable
from app.storage.spool.port import Batch, Position, SpoolReader


def mail(number: int) -> bytes:
    return f"Subject: {number}\r\nMessage-ID: <{number}@x>\r\n\r\n".encode()


class FailingReader:
    """A reader to whom one producer's disk gives nothing."""

    def __init__(self, reader: SpoolReader, broken: str) -> None:
        self._reader, self._broken = reader, broken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def producers(self) -> Sequence[str]:
        return sorted([*await self._reader.producers(), self._broken])

    async def start(self, producer: str) -> Position:
        if producer == self._broken:
            return Position(producer, 0, 0)
        return await self._reader.start(producer)

    async def read(self, position: Position, *, max_items: int, max_bytes: int) -> Batch:
        if position.producer == self._broken:
            raise Unavailable("This disk gives nothing.")
        return await self._reader.read(position, max_items=max_items, max_bytes=max_bytes)


async def test_others_are_read_when_one_producer_cannot_be(mailroom: Mailroom) -> None:
    mailroom.drain.reader = FailingReader(mailroom.drain.reader, "callback-0")
    await mailroom.spool(mail(1))
    with pytest.raises(Unavailable):
        await mailroom.drain.take_what_is_there()
    assert len(await mailroom.rows()) == 1


async def test_reader_goes_on_where_the_database_says_when_it_starts_again(
    mailroom: Mailroom,
) -> None:
    await mailroom.spool(mail(1))
    await mailroom.take_in()
    mailroom.drain.positions = await mailroom.drain.load_positions()
    assert not await mailroom.drain.take_what_is_there()
    await mailroom.spool(mail(2))
    assert await mailroom.drain.take_what_is_there()
    assert len(await mailroom.rows()) == 2


async def test_more_than_a_batch_is_taken_in_parts(mailroom: Mailroom) -> None:
    for number in range(250):
        await mailroom.spool(mail(number))
    await mailroom.take_in()
    subjects = await mailroom.services.database.fetch("select subject from message")
    assert {row["subject"] for row in subjects} == {str(number) for number in range(250)}


async def test_envelopes_of_many_recipients_fit_the_log(mailroom: Mailroom) -> None:
    """Two events for each delivery, and an append takes at most 500."""
    boxes = [await mailroom.add_mailbox(f"m{number}@example.test") for number in range(100)]
    for number in range(6):
        await mailroom.spool(mail(number), *(box.address for box in boxes))
    await mailroom.take_in()
    count = await mailroom.services.database.fetch_value("select count(*) from message")
    assert count == 600


async def test_segments_are_kept_until_they_were_read_and_their_time_is_over(
    mailroom: Mailroom, clock: Any
) -> None:
    await mailroom.spool(mail(1))
    await mailroom.writer.close()
    mailroom.writer = await mailroom.services.spool.open_writer("smtp")
    await mailroom.spool(mail(2))
    clock.moved_seconds = 3600
    assert await mailroom.drain.trim(keep=timedelta()) == 0
    await mailroom.take_in()
    assert await mailroom.drain.trim(keep=timedelta(hours=2)) == 0
    assert await mailroom.drain.trim(keep=timedelta()) == 1
    assert len(await mailroom.rows()) == 2
