"""What opening a writer makes of what an earlier run left behind."""

from pathlib import Path
from zlib import crc32

import pytest
from spool_samples import (
    START,
    BytesSource,
    Everything,
    NewMetadata,
    ReadAll,
    TurnedClock,
    make_segment,
)

from app.core.ids import Ids
from app.storage.spool.disk import Disk
from app.storage.spool.folder_writer import FolderLimits
from app.storage.spool.forms import FolderSpool
from app.storage.spool.scan import Ending, Segment
from app.storage.spool.segment import Reference, encode_head, encode_reference


class NoRename(Disk):
    def rename(self, source: Path, target: Path) -> None:
        raise OSError(5, "Input/output error")


@pytest.fixture
def spool(tmp_path: Path, clock: TurnedClock, ids: Ids) -> FolderSpool:
    return FolderSpool(tmp_path / "spool", clock, ids)


@pytest.fixture
def folder(spool: FolderSpool) -> Path:
    folder = spool.root / "smtp-0"
    (folder / "bodies").mkdir(parents=True)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix)


async def reopen(spool: FolderSpool, read_all: ReadAll) -> Everything:
    """Opens and closes a writer, then reads all there is."""
    await (await spool.open_writer("smtp")).close()
    return await read_all(await spool.open_reader())


def seal_of(path: Path) -> int:
    """How many items the footer of a sealed segment tells. Fails when it is damaged."""
    segment = Segment(BytesSource(path.read_bytes()), Ending.SEALED)
    assert segment.footer is not None
    assert segment.footer.sealed_at == START
    return segment.footer.items


@pytest.mark.parametrize("cut", range(0, 400, 37))
async def test_an_open_segment_is_cut_at_its_last_valid_record_and_sealed(
    spool: FolderSpool, folder: Path, new_metadata: NewMetadata, read_all: ReadAll, cut: int
) -> None:
    segment = make_segment([(new_metadata(), b"%d" % n) for n in range(3)], sealed=False)
    content = segment.data[: len(segment.data) - cut]
    (folder / "0000000000000004.open").write_bytes(content)
    found = await reopen(spool, read_all)
    kept = sum(end <= len(content) for end in segment.ends)
    assert [item.raw for item in found.items] == [b"%d" % n for n in range(kept)]
    assert found.gaps == []
    assert names(folder) == ["0000000000000004.seg"]
    assert seal_of(folder / "0000000000000004.seg") == kept


@pytest.mark.parametrize("content", [b"", b"PBX", bytes(64), b"\xff" * 1000])
async def test_a_segment_without_a_header_is_sealed_empty_so_that_its_number_stays_used(
    spool: FolderSpool, folder: Path, read_all: ReadAll, content: bytes
) -> None:
    (folder / "0000000000000004.open").write_bytes(content)
    found = await reopen(spool, read_all)
    assert (found.items, found.gaps) == ([], [])
    assert seal_of(folder / "0000000000000004.seg") == 0


async def test_items_behind_damage_in_an_open_segment_are_kept(
    spool: FolderSpool, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    segment = make_segment([(new_metadata(), b"%d" % n) for n in range(4)], sealed=False)
    content = bytearray(segment.data)
    content[segment.offsets[1] + 100] ^= 1
    (folder / "0000000000000001.open").write_bytes(content)
    found = await reopen(spool, read_all)
    assert [item.raw for item in found.items] == [b"0", b"2", b"3"]
    assert found.gaps == [(1, segment.offsets[1], segment.offsets[2])]


async def test_a_segment_with_a_footer_is_only_renamed(
    spool: FolderSpool, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    segment = make_segment([(new_metadata(), b"x")])
    (folder / "0000000000000001.open").write_bytes(segment.data)
    found = await reopen(spool, read_all)
    assert [item.raw for item in found.items] == [b"x"]
    assert (folder / "0000000000000001.seg").read_bytes() == segment.data


async def test_a_new_run_begins_a_new_segment(
    spool: FolderSpool, folder: Path, new_metadata: NewMetadata
) -> None:
    (folder / "0000000000000041.open").write_bytes(b"")
    writer = await spool.open_writer("smtp")
    await writer.put(new_metadata(), b"x")
    assert names(folder) == ["0000000000000041.seg", "0000000000000042.open"]
    await writer.close()


async def test_a_writer_opens_all_the_same_when_a_segment_cannot_be_sealed(
    tmp_path: Path,
    clock: TurnedClock,
    ids: Ids,
    folder: Path,
    new_metadata: NewMetadata,
    read_all: ReadAll,
) -> None:
    spool = FolderSpool(tmp_path / "spool", clock, ids, FolderLimits(), NoRename())
    segment = make_segment([(new_metadata(), b"old")], sealed=False)
    (folder / "0000000000000001.open").write_bytes(segment.data + b"torn")
    writer = await spool.open_writer("smtp")
    await writer.put(new_metadata(), b"new")
    found = await read_all(await spool.open_reader())
    assert [item.raw for item in found.items] == [b"old", b"new"]
    await writer.close()


async def test_bodies_that_nothing_refers_to_are_removed_and_others_stay(
    spool: FolderSpool, folder: Path, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    (folder / "bodies" / "orphan").write_bytes(b"never acknowledged")
    for name in ("sealed", "open"):
        (folder / "bodies" / name).write_bytes(b"large")
    writer = await spool.open_writer("smtp")
    assert not (folder / "bodies" / "open").exists()
    path = writer.new_body_file()
    path.write_bytes(b"large")
    await writer.put(new_metadata(), path)
    await writer.close()
    add_reference(folder, new_metadata)
    found = await reopen(spool, read_all)
    assert [item.raw for item in found.items] == [b"large", b"large"]


def add_reference(folder: Path, new_metadata: NewMetadata) -> None:
    """An open segment, as a killed writer leaves it, that refers to a body."""
    content = encode_reference(new_metadata(), Reference("kept", 5, crc32(b"large")))
    head = encode_head(b"the marker of it", content)
    segment = make_segment([], sealed=False).data + head + content.metadata + content.body
    (folder / "0000000000000002.open").write_bytes(segment)
    (folder / "bodies" / "kept").write_bytes(b"large")


async def test_no_body_is_removed_when_a_footer_is_damaged(
    spool: FolderSpool, folder: Path, new_metadata: NewMetadata
) -> None:
    segment = make_segment([(new_metadata(), b"x")])
    (folder / "0000000000000001.seg").write_bytes(segment.data[:-1])
    (folder / "bodies" / "perhaps-needed").write_bytes(b"large")
    await (await spool.open_writer("smtp")).close()
    assert (folder / "bodies" / "perhaps-needed").exists()
