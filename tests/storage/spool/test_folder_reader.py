"""What only the reader of the folder form promises: torn tails, damage, renames, big backlogs."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from spool_samples import START, NewMetadata, ReadAll, SegmentSample, TurnedClock, make_segment

from app.core.errors import Corrupt, NotFound, Unavailable
from app.core.ids import Ids
from app.storage.spool.folder_reader import FolderSpoolReader
from app.storage.spool.folder_writer import FolderSpoolWriter
from app.storage.spool.forms import FolderSpool
from app.storage.spool.layout import list_segments
from app.storage.spool.port import Position

FAR_FUTURE = START + timedelta(days=50_000)


@pytest.fixture
def spool(tmp_path: Path, clock: TurnedClock, ids: Ids) -> FolderSpool:
    return FolderSpool(tmp_path / "spool", clock, ids)


@pytest.fixture
async def reader(spool: FolderSpool) -> FolderSpoolReader:
    return await spool.open_reader()


@pytest.fixture
async def writer(spool: FolderSpool) -> AsyncIterator[FolderSpoolWriter]:
    writer = await spool.open_writer("smtp")
    yield writer
    await writer.close()


@pytest.fixture
def folder(spool: FolderSpool) -> Path:
    """The folder of a producer that nobody holds, as after a crash."""
    folder = spool.root / "smtp-0"
    (folder / "bodies").mkdir(parents=True)
    return folder


def sample(new_metadata: NewMetadata, number: int, *, sealed: bool = True) -> SegmentSample:
    """A segment with three items whose bodies tell where they are from."""
    items = [(new_metadata(), b"%d.%d" % (number, n)) for n in range(3)]
    marker = bytes([number]) * 16
    return make_segment(items, marker=marker, number=number, sealed=sealed)


def write(folder: Path, number: int, data: bytes, suffix: str) -> Path:
    path = folder / f"{number:016d}.{suffix}"
    path.write_bytes(data)
    return path


def raws_of(items: object) -> list[str]:
    return [item.raw.decode() for item in items]  # type: ignore[attr-defined]


@pytest.mark.parametrize("cut", [1, 8, 50, 300])
async def test_the_torn_tail_of_an_open_segment_is_not_read(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata, read_all: ReadAll, cut: int
) -> None:
    segment = sample(new_metadata, 1, sealed=False)
    write(folder, 1, segment.data[:-cut], "open")
    found = await read_all(reader)
    assert raws_of(found.items) == ["1.0", "1.1"]
    assert found.gaps == []
    assert found.positions["smtp-0"].offset == segment.offsets[2]


async def test_a_torn_tail_is_read_when_the_rest_arrives(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    segment = sample(new_metadata, 1, sealed=False)
    write(folder, 1, segment.data[:-20], "open")
    found = await read_all(reader)
    write(folder, 1, segment.data, "open")
    assert await reader.wait(found.all_positions(), 30)
    assert raws_of((await read_all(reader, found)).items) == ["1.2"]


async def test_the_tail_of_an_abandoned_segment_is_stepped_over(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    first = sample(new_metadata, 1, sealed=False)
    write(folder, 1, first.data[:-1], "open")
    found = await read_all(reader)
    write(folder, 2, sample(new_metadata, 2, sealed=False).data, "open")
    assert await reader.wait(found.all_positions(), 30)
    found = await read_all(reader, found)
    assert raws_of(found.items) == ["2.0", "2.1", "2.2"]
    assert found.gaps == []


async def test_damage_within_an_abandoned_segment_is_a_gap_and_what_follows_is_read(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    first = sample(new_metadata, 1, sealed=False)
    data = bytearray(first.data)
    data[first.offsets[1] + 60] ^= 1
    write(folder, 1, bytes(data), "open")
    assert raws_of((await read_all(reader)).items) == ["1.0"], "as yet it may be a torn tail"
    write(folder, 2, sample(new_metadata, 2).data, "seg")
    found = await read_all(reader)
    assert raws_of(found.items) == ["1.0", "1.2", "2.0", "2.1", "2.2"]
    assert found.gaps == [(1, first.offsets[1], first.offsets[2])]


@pytest.mark.parametrize("content", [b"", b"PBXSPOOL", bytes(64), bytes(500)])
async def test_an_abandoned_segment_without_a_header_is_stepped_over(
    reader: FolderSpoolReader,
    folder: Path,
    new_metadata: NewMetadata,
    read_all: ReadAll,
    content: bytes,
) -> None:
    write(folder, 1, content, "open")
    assert (await read_all(reader)).items == []
    write(folder, 2, sample(new_metadata, 2).data, "seg")
    found = await read_all(reader)
    assert raws_of(found.items) == ["2.0", "2.1", "2.2"]
    assert found.gaps == []


async def test_a_position_beyond_a_segment_that_was_cut_and_sealed_moves_to_the_next(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    segment = sample(new_metadata, 1)
    write(folder, 1, segment.data, "seg")
    for offset in (segment.offsets[-1] + 1, len(segment.data), len(segment.data) + 999):
        batch = await reader.read(Position("smtp-0", 1, offset), max_items=9, max_bytes=9)
        assert (list(batch.items), list(batch.gaps)) == ([], [])
        assert batch.next_position == Position("smtp-0", 1, max(offset, len(segment.data)))
        assert not await reader.wait([batch.next_position], 0)
    write(folder, 2, sample(new_metadata, 2).data, "seg")
    assert await reader.wait([Position("smtp-0", 1, 9999)], 30)
    batch = await reader.read(Position("smtp-0", 1, 9999), max_items=9, max_bytes=999)
    assert raws_of(batch.items) == ["2.0", "2.1", "2.2"]


async def test_a_bad_record_in_a_sealed_segment_is_a_gap_with_its_bytes(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    segment = sample(new_metadata, 1)
    data = bytearray(segment.data)
    start, end = segment.offsets[1:3]
    data[end - 1] ^= 1
    write(folder, 1, bytes(data), "seg")
    found = await read_all(reader)
    assert raws_of(found.items) == ["1.0", "1.2"]
    (gap,) = [gap for batch in found.batches for gap in batch.gaps]
    assert (gap.position, gap.end_offset) == (Position("smtp-0", 1, start), end)
    assert gap.data == bytes(data[start:end])
    assert "checksum" in gap.reason
    with pytest.raises(Corrupt):
        await reader.load(gap.position)


@pytest.mark.parametrize("place", ["header", "record", "footer", "cut", "empty"])
async def test_remove_read_never_removes_a_damaged_segment(
    reader: FolderSpoolReader,
    folder: Path,
    new_metadata: NewMetadata,
    read_all: ReadAll,
    place: str,
) -> None:
    segment = sample(new_metadata, 1)
    data = bytearray(segment.data)
    at = {"header": 20, "record": segment.offsets[1] + 90, "footer": segment.offsets[-1] + 50}
    if place in at:
        data[at[place]] ^= 1
    damaged = {"cut": data[: segment.offsets[-1]], "empty": b""}.get(place, data)
    write(folder, 1, bytes(damaged), "seg")
    write(folder, 2, sample(new_metadata, 2).data, "seg")
    write(folder, 3, sample(new_metadata, 3, sealed=False).data, "open")
    found = await read_all(reader)
    assert len(found.gaps) == 1
    for _ in range(2):
        await reader.remove_read(found.all_positions(), [], FAR_FUTURE)
        assert [file.number for file in list_segments(folder)] == [1, 3]


async def test_the_newest_segment_is_never_removed(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    for number in (1, 2):
        write(folder, number, sample(new_metadata, number).data, "seg")
    found = await read_all(reader)
    assert await reader.remove_read(found.all_positions(), [], FAR_FUTURE) == 1
    assert [file.number for file in list_segments(folder)] == [2]


async def test_remove_read_waits_until_a_segment_was_sealed_long_enough(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    for number in (1, 2):
        write(folder, number, sample(new_metadata, number).data, "seg")
    positions = (await read_all(reader)).all_positions()
    assert await reader.remove_read(positions, [], START) == 0
    assert await reader.remove_read(positions, [], START + timedelta(seconds=1)) == 1


async def test_bodies_go_with_their_segment(
    spool: FolderSpool, reader: FolderSpoolReader, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    spool = replace(spool, limits=replace(spool.limits, max_segment_size_bytes=1))
    writer = await spool.open_writer("smtp")
    for n in range(3):
        path = writer.new_body_file()
        await asyncio.to_thread(path.write_bytes, b"%d" % n * 1000)
        await writer.put(new_metadata(), path)
    found = await read_all(reader)
    assert [len(item.raw) for item in found.items] == [1000] * 3
    await reader.remove_read(found.all_positions(), [found.items[1].position], FAR_FUTURE)
    assert len(os.listdir(spool.root / "smtp-0" / "bodies")) == 2  # noqa: PTH208
    assert await reader.load(found.items[1].position) == found.items[1]
    await writer.close()


@pytest.mark.parametrize("fault", ["missing", "changed"])
async def test_a_record_whose_body_file_is_missing_or_changed_is_a_gap(
    writer: FolderSpoolWriter,
    spool: FolderSpool,
    reader: FolderSpoolReader,
    new_metadata: NewMetadata,
    read_all: ReadAll,
    fault: str,
) -> None:
    path = writer.new_body_file()
    await asyncio.to_thread(path.write_bytes, b"large")
    await writer.put(new_metadata(), path)
    await writer.put(new_metadata(), b"next")
    spoil = path.unlink if fault == "missing" else lambda: path.write_bytes(b"LARGE")
    await asyncio.to_thread(spoil)
    found = await read_all(reader)
    assert raws_of(found.items) == ["next"]
    (gap,) = [gap for batch in found.batches for gap in batch.gaps]
    assert path.name in gap.reason
    assert fault in gap.reason
    with pytest.raises(Corrupt):
        await reader.load(gap.position)


async def test_all_is_read_again_when_someone_emptied_a_producers_folder(
    spool: FolderSpool, reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata
) -> None:
    write(folder, 1, sample(new_metadata, 1).data, "seg")
    lost = Position("smtp-0", 50, 64)
    assert await reader.wait([lost], 30)
    batch = await reader.read(lost, max_items=9, max_bytes=999)
    assert raws_of(batch.items) == ["1.0", "1.1", "1.2"]


async def test_reading_goes_on_at_the_oldest_segment_when_earlier_ones_are_gone(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata
) -> None:
    for number in (7, 8):
        write(folder, number, sample(new_metadata, number).data, "seg")
    assert await reader.start("smtp-0") == Position("smtp-0", 7, 0)
    batch = await reader.read(Position("smtp-0", 2, 500), max_items=4, max_bytes=999)
    assert raws_of(batch.items) == ["7.0", "7.1", "7.2", "8.0"]


async def test_a_segment_is_read_to_its_end_when_it_is_renamed_meanwhile(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    segment = sample(new_metadata, 1)
    open_path = write(folder, 1, segment.data[: segment.offsets[2]], "open")
    found = await read_all(reader)
    assert raws_of(found.items) == ["1.0", "1.1"]
    write(folder, 1, segment.data, "open")
    await asyncio.to_thread(open_path.rename, open_path.with_suffix(".seg"))
    assert await reader.wait(found.all_positions(), 30)
    assert raws_of((await read_all(reader, found)).items) == ["1.2"]


async def test_read_raises_unavailable_when_the_disk_fails(
    reader: FolderSpoolReader, folder: Path
) -> None:
    (folder / "0000000000000001.seg").mkdir()
    with pytest.raises(Unavailable):
        await reader.read(Position("smtp-0", 1, 0), max_items=1, max_bytes=1)


async def test_load_raises_not_found_when_only_later_segments_are_there(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata
) -> None:
    write(folder, 7, sample(new_metadata, 7).data, "seg")
    with pytest.raises(NotFound):
        await reader.load(Position("smtp-0", 6, 64))


async def test_another_spool_has_another_name(
    spool: FolderSpool, reader: FolderSpoolReader, tmp_path: Path
) -> None:
    other = await replace(spool, root=tmp_path / "other").open_reader()
    assert other.name != reader.name


async def test_memory_stays_small_when_a_hundred_thousand_items_wait(
    reader: FolderSpoolReader, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    sealed = make_segment([(new_metadata(), b"x" * 200)] * 20_000)
    for number in range(1, 6):
        write(folder, number, sealed.data, "seg")
    tracemalloc.start()
    try:
        position = await reader.start("smtp-0")
        for _ in range(3):
            batch = await reader.read(position, max_items=1000, max_bytes=1_000_000)
            position = batch.next_position
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4_000_000 < len(sealed.data)
    assert len((await read_all(reader, max_items=1000)).items) == 100_000
