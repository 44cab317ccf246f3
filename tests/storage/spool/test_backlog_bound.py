"""How much waits to be read, as a process without a database knows it."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from conditions import eventually
from spool_samples import NewMetadata, TurnedClock

from app.core.errors import StorageFull, Unavailable
from app.core.ids import Ids
from app.storage.spool.backlog_bound import BacklogBound, BacklogFull
from app.storage.spool.folder_writer import FolderLimits, FolderSpoolWriter
from app.storage.spool.forms import FolderSpool
from app.storage.spool.port import Position
from app.storage.spool.progress import load_progress, measure_backlog, save_progress


@pytest.fixture
def spool(tmp_path: Path, clock: TurnedClock, ids: Ids) -> FolderSpool:
    # Small enough that each item seals its segment.
    limits = FolderLimits(min_free_bytes=0, max_segment_size_bytes=1000)
    return FolderSpool(tmp_path / "spool", clock, ids, limits)


@pytest.fixture
async def writer(spool: FolderSpool) -> AsyncIterator[FolderSpoolWriter]:
    writer = await spool.open_writer("smtp")
    yield writer
    await writer.close()


async def read_to_end(spool: FolderSpool, position: Position) -> Position:
    reader = await spool.open_reader()
    while True:
        batch = await reader.read(position, max_items=100, max_bytes=1 << 20)
        if batch.next_position == position:
            return position
        position = batch.next_position


async def test_the_backlog_is_what_the_reader_says_it_is(
    spool: FolderSpool, writer: FolderSpoolWriter, new_metadata: NewMetadata
) -> None:
    reader = await spool.open_reader()
    for number in range(5):
        await writer.put(new_metadata(), b"%d" % number * 2000)
        start = await reader.start("smtp-0")
        some = await reader.read(start, max_items=number, max_bytes=1 << 20)
        for positions in ({}, {"smtp-0": some.next_position}):

            async def agree(positions: Mapping[str, Position] = positions) -> bool:
                backlog = await reader.backlog(list(positions.values()))
                return measure_backlog(spool.root, positions) == backlog.size_bytes

            # A segment is sealed after its item's sender was answered, so between two looks.
            await eventually(agree)


async def test_mail_is_refused_past_the_bound_and_taken_again_when_it_was_read(
    spool: FolderSpool, writer: FolderSpoolWriter, new_metadata: NewMetadata
) -> None:
    bound = BacklogBound(spool.root, 5000)
    await bound.measure()
    bound.require()
    for _ in range(3):
        await writer.put(new_metadata(), b"x" * 2000)
    await bound.measure()
    with pytest.raises(BacklogFull) as refused:
        bound.require()
    assert isinstance(refused.value, StorageFull)
    start = await (await spool.open_reader()).start("smtp-0")
    save_progress(spool.root, [await read_to_end(spool, start)])
    await bound.measure()
    bound.require()


async def test_no_bound_is_never_passed(
    spool: FolderSpool, writer: FolderSpoolWriter, new_metadata: NewMetadata
) -> None:
    await writer.put(new_metadata(), b"x" * 2000)
    bound = BacklogBound(spool.root, 0)
    await bound.measure()
    assert bound.size_bytes > 2000
    bound.require()


async def test_all_of_it_waits_after_the_folder_was_emptied_by_hand(
    spool: FolderSpool, writer: FolderSpoolWriter, new_metadata: NewMetadata
) -> None:
    await writer.put(new_metadata(), b"x" * 2000)
    assert measure_backlog(spool.root, {"smtp-0": Position("smtp-0", 900, 70)}) > 2000


def test_progress_is_read_as_it_was_saved(tmp_path: Path) -> None:
    positions = [Position("smtp-0", 3, 70), Position("callback-1", 12, 0)]
    save_progress(tmp_path, [])
    save_progress(tmp_path, positions)
    assert list(load_progress(tmp_path).values()) == positions
    assert [path.name for path in tmp_path.iterdir()] == ["read-positions"]


@pytest.mark.parametrize("stored", [None, b"", b"[1", b'[{"producer": 1}]'])
def test_progress_that_cannot_be_understood_is_none(tmp_path: Path, stored: bytes | None) -> None:
    if stored is not None:
        (tmp_path / "read-positions").write_bytes(stored)
    assert load_progress(tmp_path) == {}


def test_progress_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="read-positions cannot be written"):
        save_progress(tmp_path / "missing", [])
