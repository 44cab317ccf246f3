"""What every spool promises, asked of each form."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from spool_samples import START, NewMetadata, ReadAll, TurnedClock

from app.core.errors import Corrupt, InvalidInput, NotFound, Unavailable
from app.core.ids import Ids
from app.storage.blobs.folder import FolderBlobs
from app.storage.spool.forms import BlobSpool, FolderSpool, Spool
from app.storage.spool.port import Envelope, Position, SpoolReader, SpoolWriter
from app.storage.spool.reading import count_items
from app.storage.spool.survey import check, list_items

FAR_FUTURE = START + timedelta(days=50_000)


@pytest.fixture(params=["folder", "objects"])
def spool(request: pytest.FixtureRequest, tmp_path: Path, clock: TurnedClock, ids: Ids) -> Spool:
    if request.param == "folder":
        return FolderSpool(tmp_path / "spool", clock, ids)
    return BlobSpool(FolderBlobs(tmp_path / "blobs"), "the/spool", clock, ids, poll_seconds=0.02)


@pytest.fixture
async def writer(spool: Spool) -> AsyncIterator[SpoolWriter]:
    writer = await spool.open_writer("smtp")
    yield writer
    await writer.close()


@pytest.fixture
async def reader(spool: Spool) -> SpoolReader:
    return await spool.open_reader()


async def put_many(writer: SpoolWriter, new_metadata: NewMetadata, count: int) -> set[int]:
    """Puts small items side by side; returns the numbers of their ids."""
    items = [new_metadata() for _ in range(count)]
    await asyncio.gather(*(writer.put(item, b"%d" % item.item_id.int) for item in items))
    return {item.item_id.int for item in items}


async def test_read_gives_back_metadata_and_bytes_when_they_were_put(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    metadata = msgspec.structs.replace(
        new_metadata(),
        envelope=Envelope("", ("gr\u00fc\u00dfe@example.com", "raw-\udcff@example.com")),
        source_id='line\r\nend, "quote", \0',
        prefix_size_bytes=123,
    )
    raw = b"Received: x\r\n\r\n\0\xff" * 10
    await writer.put(metadata, raw)
    (item,) = (await read_all(reader)).items
    assert item.metadata == metadata
    assert item.raw == raw
    assert item.position.producer == writer.producer


async def test_an_item_may_be_empty(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    await writer.put(new_metadata(), b"")
    assert [item.raw for item in (await read_all(reader)).items] == [b""]


async def test_every_item_is_read_once_and_in_order_of_puts_when_many_wait(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    expected: list[int] = []
    for _ in range(5):
        expected += sorted(await put_many(writer, new_metadata, 30))
    found = await read_all(reader)
    numbers = [each.int for each in found.ids]
    assert sorted(numbers) == expected
    assert [set(numbers[n : n + 30]) for n in range(0, 150, 30)] == [
        set(expected[n : n + 30]) for n in range(0, 150, 30)
    ]
    assert found.gaps == []
    positions = [item.position for item in found.items]
    assert positions == sorted(set(positions))


async def test_reading_goes_on_where_it_was_left_when_more_comes(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    first = await put_many(writer, new_metadata, 10)
    found = await read_all(reader)
    assert {each.int for each in found.ids} == first
    second = await put_many(writer, new_metadata, 10)
    assert {each.int for each in (await read_all(reader, found)).ids} == second


async def test_reading_goes_on_after_the_writer_was_closed_and_another_opened(
    spool: Spool, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    found = None
    for _ in range(3):
        writer = await spool.open_writer("smtp")
        expected = await put_many(writer, new_metadata, 5)
        await writer.close()
        found = await read_all(reader, found)
        assert {each.int for each in found.ids} == expected


async def test_items_of_all_producers_are_read_when_several_write(
    spool: Spool, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    writers = [await spool.open_writer(role) for role in ("smtp", "smtp", "imap", "smtp-in")]
    names = {writer.producer for writer in writers}
    assert len(names) == 4
    expected = {writer.producer: await put_many(writer, new_metadata, 9) for writer in writers}
    assert set(await reader.producers()) == names
    found = await read_all(reader)
    for producer, numbers in expected.items():
        assert numbers == {
            item.metadata.item_id.int for item in found.items if item.position.producer == producer
        }
    for writer in writers:
        await writer.close()


async def test_read_respects_max_items(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata
) -> None:
    await put_many(writer, new_metadata, 5)
    start = await reader.start(writer.producer)
    batch = await reader.read(start, max_items=3, max_bytes=1_000_000)
    assert len(batch.items) == 3
    rest = await reader.read(batch.next_position, max_items=3, max_bytes=1_000_000)
    assert len(rest.items) == 2


async def test_read_respects_max_bytes_but_gives_one_item_however_large(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata
) -> None:
    for size in (500, 600, 5000, 10):
        await writer.put(new_metadata(), bytes(size))
    position = await reader.start(writer.producer)
    sizes = []
    while True:
        batch = await reader.read(position, max_items=100, max_bytes=1200)
        if batch.next_position == position:
            break
        sizes.append([len(item.raw) for item in batch.items])
        position = batch.next_position
    assert [part for part in sizes if part] == [[500, 600], [5000], [10]]


async def test_read_gives_nothing_and_stays_when_nothing_is_there(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    nowhere = await reader.start(writer.producer)
    batch = await reader.read(nowhere, max_items=5, max_bytes=5)
    assert (list(batch.items), list(batch.gaps), batch.next_position) == ([], [], nowhere)
    assert list(await reader.producers()) == []
    await writer.put(new_metadata(), b"x")
    found = await read_all(reader)
    (end,) = found.all_positions()
    batch = await reader.read(end, max_items=5, max_bytes=5)
    assert (list(batch.items), batch.next_position) == ([], end)


async def test_load_gives_the_one_item_of_a_position(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    await put_many(writer, new_metadata, 20)
    for item in (await read_all(reader)).items:
        assert await reader.load(item.position) == item


async def test_load_raises_corrupt_when_no_item_stands_there(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    await writer.put(new_metadata(), b"x")
    (item,) = (await read_all(reader)).items
    for offset in (0, item.position.offset + 1, 10_000):
        with pytest.raises(Corrupt):
            await reader.load(replace(item.position, offset=offset))


async def test_load_raises_not_found_when_the_segment_is_gone(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    await writer.put(new_metadata(), b"x")
    with pytest.raises(NotFound):
        await reader.load(Position(writer.producer, 999, 64))
    with pytest.raises(NotFound):
        await reader.load(Position("imap-0", 1, 64))


async def test_a_large_body_comes_back_whole_when_it_was_put_as_a_file(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    bodies = [bytes([n]) * 300_000 for n in range(3)]
    for body in bodies:
        path = writer.new_body_file()
        await asyncio.to_thread(path.write_bytes, body)
        await writer.put(new_metadata(), path)
        await writer.put(new_metadata(), b"small")
    found = await read_all(reader)
    assert [item.raw for item in found.items] == [
        raw for body in bodies for raw in (body, b"small")
    ]
    for item in found.items:
        assert await reader.load(item.position) == item


async def test_body_files_are_all_different(writer: SpoolWriter) -> None:
    assert len({writer.new_body_file() for _ in range(100)}) == 100


async def test_put_refuses_a_file_when_it_is_not_the_spools_own(
    writer: SpoolWriter, new_metadata: NewMetadata, tmp_path: Path
) -> None:
    path = tmp_path / "mine"
    await asyncio.to_thread(path.write_bytes, b"keep me")
    with pytest.raises(InvalidInput):
        await writer.put(new_metadata(), path)
    assert await asyncio.to_thread(path.read_bytes) == b"keep me"


async def test_put_raises_unavailable_when_the_body_file_was_never_written(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    with pytest.raises(Unavailable):
        await writer.put(new_metadata(), writer.new_body_file())
    await writer.put(new_metadata(), b"next")
    assert [item.raw for item in (await read_all(reader)).items] == [b"next"]


async def test_put_raises_unavailable_when_the_writer_is_closed(
    spool: Spool, new_metadata: NewMetadata
) -> None:
    writer = await spool.open_writer("smtp")
    await writer.close()
    with pytest.raises(Unavailable):
        await writer.put(new_metadata(), b"x")
    await writer.close()


async def test_close_lets_puts_in_flight_finish(
    spool: Spool, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    writer = await spool.open_writer("smtp")
    path = writer.new_body_file()
    await asyncio.to_thread(path.write_bytes, bytes(1_000_000))
    puts = [asyncio.create_task(writer.put(new_metadata(), b"x")) for _ in range(20)]
    puts.append(asyncio.create_task(writer.put(new_metadata(), path)))
    await asyncio.sleep(0)
    await writer.close()
    await asyncio.gather(*puts)
    assert len((await read_all(reader)).items) == 21


async def test_a_cancelled_put_leaves_the_others_alone(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    path = writer.new_body_file()
    await asyncio.to_thread(path.write_bytes, bytes(300_000))
    cancelled = [
        asyncio.create_task(writer.put(new_metadata(), b"x")),
        asyncio.create_task(writer.put(new_metadata(), path)),
    ]
    kept = [asyncio.create_task(writer.put(new_metadata(), b"kept")) for _ in range(5)]
    await asyncio.sleep(0)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
    await asyncio.gather(*kept)
    await writer.put(new_metadata(), b"kept")
    raws = [item.raw for item in (await read_all(reader)).items]
    assert raws.count(b"kept") == 6


@pytest.mark.parametrize("role", ["", "SMTP", "a/b", "..", "smtp-", "0", "a_b", "a b"])
async def test_open_writer_refuses_a_role_when_it_is_no_plain_word(spool: Spool, role: str) -> None:
    with pytest.raises(InvalidInput):
        await spool.open_writer(role)


async def test_wait_returns_true_when_an_item_comes(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    await writer.put(new_metadata(), b"first")
    found = await read_all(reader)
    for n in range(5):
        waiting = asyncio.create_task(reader.wait(found.all_positions(), 30))
        await asyncio.sleep(0)
        await writer.put(new_metadata(), b"%d" % n)
        assert await waiting
        found = await read_all(reader, found)
        assert [item.raw for item in found.items] == [b"%d" % n]


async def test_wait_returns_true_when_the_first_producer_appears(
    spool: Spool, reader: SpoolReader, new_metadata: NewMetadata
) -> None:
    waiting = asyncio.create_task(reader.wait([], 30))
    await asyncio.sleep(0)
    writer = await spool.open_writer("smtp")
    await writer.put(new_metadata(), b"x")
    assert await waiting
    await writer.close()


async def test_wait_returns_true_when_another_producer_appears(
    spool: Spool,
    writer: SpoolWriter,
    reader: SpoolReader,
    new_metadata: NewMetadata,
    read_all: ReadAll,
) -> None:
    await writer.put(new_metadata(), b"x")
    found = await read_all(reader)
    waiting = asyncio.create_task(reader.wait(found.all_positions(), 30))
    await asyncio.sleep(0)
    other = await spool.open_writer("imap")
    await other.put(new_metadata(), b"y")
    assert await waiting
    await other.close()


async def test_wait_returns_true_at_once_when_something_was_left_unread(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata
) -> None:
    await put_many(writer, new_metadata, 3)
    start = await reader.start(writer.producer)
    assert await reader.wait([start], 0)
    batch = await reader.read(start, max_items=1, max_bytes=1000)
    assert await reader.wait([batch.next_position], 0)


async def test_wait_returns_false_when_nothing_comes(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    assert not await reader.wait([], 0.05)
    await writer.put(new_metadata(), b"x")
    found = await read_all(reader)
    assert not await reader.wait(found.all_positions(), 0.05)
    await writer.close()
    found = await read_all(reader, found)
    assert not await reader.wait(found.all_positions(), 0.05)


async def test_backlog_tells_size_and_age_of_what_waits(
    writer: SpoolWriter, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    empty = await reader.backlog([])
    assert (empty.size_bytes, empty.oldest_received_at) == (0, None)
    first, second = new_metadata(), new_metadata()
    await writer.put(first, bytes(1000))
    await writer.put(second, bytes(2000))
    whole = await reader.backlog([])
    assert whole.size_bytes > 3000
    assert whole.oldest_received_at == first.received_at
    start = await reader.start(writer.producer)
    batch = await reader.read(start, max_items=1, max_bytes=1)
    rest = await reader.backlog([batch.next_position])
    assert 2000 < rest.size_bytes < whole.size_bytes
    assert rest.oldest_received_at == second.received_at
    found = await read_all(reader)
    done = await reader.backlog(found.all_positions())
    assert (done.size_bytes, done.oldest_received_at) == (0, None)
    counts = [backlog.items for backlog in (empty, whole, rest, done)]
    assert counts in ([0, 2, 1, 0], [None] * 4)


async def write_segments(
    spool: Spool, new_metadata: NewMetadata, clock: TurnedClock, count: int
) -> SpoolWriter:
    """Several sealed segments of one producer each with two items, and the writer, still open."""
    if isinstance(spool, FolderSpool):
        spool = replace(spool, limits=replace(spool.limits, max_segment_size_bytes=1))
    writer = await spool.open_writer("smtp")
    for _ in range(count):
        await asyncio.gather(*(writer.put(new_metadata(), b"x") for _ in range(2)))
        clock.turn(hours=1)
    return writer


async def segments_left(reader: SpoolReader, read_all: ReadAll) -> int:
    return len({item.position.segment for item in (await read_all(reader)).items})


async def test_remove_read_removes_what_was_read_and_nothing_else(
    spool: Spool,
    reader: SpoolReader,
    new_metadata: NewMetadata,
    clock: TurnedClock,
    read_all: ReadAll,
) -> None:
    writer = await write_segments(spool, new_metadata, clock, 5)
    start = await reader.start(writer.producer)
    assert await reader.remove_read([start], [], FAR_FUTURE) == 0
    batch = await reader.read(start, max_items=5, max_bytes=10_000)
    assert await reader.remove_read([batch.next_position], [], FAR_FUTURE) == 2
    with pytest.raises(NotFound):
        await reader.load(batch.items[0].position)
    found = await read_all(reader)
    assert found.items[0].position == batch.items[4].position
    assert len(found.items) == 6
    await writer.close()


async def test_remove_read_keeps_what_is_referenced(
    spool: Spool,
    reader: SpoolReader,
    new_metadata: NewMetadata,
    clock: TurnedClock,
    read_all: ReadAll,
) -> None:
    writer = await write_segments(spool, new_metadata, clock, 4)
    found = await read_all(reader)
    referenced = found.items[2]
    await reader.remove_read(found.all_positions(), [referenced.position], FAR_FUTURE)
    assert await reader.load(referenced.position) == referenced
    with pytest.raises(NotFound):
        await reader.load(found.items[0].position)
    await writer.close()


async def test_remove_read_keeps_what_is_not_old_enough(
    spool: Spool, reader: SpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    writer = await write_segments(spool, new_metadata, TurnedClock(), 3)
    found = await read_all(reader)
    assert await reader.remove_read(found.all_positions(), [], START - timedelta(days=365)) == 0
    assert await segments_left(reader, read_all) == 3
    await writer.close()


async def test_nothing_is_lost_when_all_was_removed_and_a_writer_opens_again(
    spool: Spool,
    reader: SpoolReader,
    new_metadata: NewMetadata,
    clock: TurnedClock,
    read_all: ReadAll,
) -> None:
    writer = await write_segments(spool, new_metadata, clock, 3)
    await writer.close()
    found = await read_all(reader)
    assert await reader.remove_read(found.all_positions(), [], FAR_FUTURE) >= 2
    again = await spool.open_writer("smtp")
    expected = await put_many(again, new_metadata, 4)
    assert {each.int for each in (await read_all(reader, found)).ids} == expected
    await again.close()


async def test_all_segments_can_be_looked_at_and_are_whole(
    spool: Spool, writer: SpoolWriter, new_metadata: NewMetadata
) -> None:
    numbers = await put_many(writer, new_metadata, 20)
    large = new_metadata()
    path = writer.new_body_file()
    path.write_bytes(bytes(300_000))
    await writer.put(large, path)
    found: dict[int, int] = {}
    async for stored in spool.segments():
        items = list(list_items(stored))
        found |= {item.metadata.item_id.int: item.size_bytes for item in items}
        findings = check(stored)
        assert (findings.items, findings.faults, findings.tail_bytes) == (len(items), [], 0)
        assert count_items(stored.segment) == len(items)
        assert stored.producer == writer.producer
    assert found.keys() == numbers | {large.item_id.int}
    assert found[large.item_id.int] == 300_000


async def test_the_name_is_the_same_for_every_reader(spool: Spool) -> None:
    first, second = await spool.open_reader(), await spool.open_reader()
    assert first.name == second.name != ""
