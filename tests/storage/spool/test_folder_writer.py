"""What only the writer of the folder form promises: order of system calls, faults, sealing."""

import asyncio
import errno
import os
import stat
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from spool_samples import NewMetadata, ReadAll, TurnedClock

from app.core.errors import StorageFull, Unavailable
from app.core.ids import Ids
from app.storage.spool.disk import Disk
from app.storage.spool.folder_writer import FolderLimits, FolderSpoolWriter
from app.storage.spool.forms import FolderSpool


@dataclass
class WatchedDisk(Disk):
    """The real disk, with a record of what was asked of it, and faults on demand."""

    calls: list[str] = field(default_factory=list)
    failing: dict[str, int] = field(default_factory=dict)
    error_number: int = errno.EIO
    free: os.statvfs_result | None = None
    room_bytes: int | None = None
    gate: threading.Event | None = None
    is_held: threading.Event = field(default_factory=threading.Event)

    def _note(self, call: str, path: Path) -> None:
        kind = path.suffix[1:] or path.name
        self.calls.append(f"{call} {'body' if path.parent.name == 'bodies' else kind}")
        if self.failing.get(call, 0) > 0:
            self.failing[call] -= 1
            raise OSError(self.error_number, os.strerror(self.error_number))

    def create(self, path: Path) -> int:
        self._note("create", path)
        return super().create(path)

    def writev(self, descriptor: int, buffers: Sequence[bytes]) -> int:
        self._note("write", path_of(descriptor))
        if self.room_bytes is None:
            return super().writev(descriptor, buffers)
        if self.room_bytes == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        part = b"".join(buffers)[: self.room_bytes]
        self.room_bytes -= len(part)
        return super().writev(descriptor, [part])

    def fdatasync(self, descriptor: int) -> None:
        if self.gate:
            self.is_held.set()
            self.gate.wait()
        self._note("fdatasync", path_of(descriptor))
        super().fdatasync(descriptor)

    def fsync(self, descriptor: int) -> None:
        self._note("fsync", path_of(descriptor))
        super().fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._note("rename", target)
        super().rename(source, target)

    def statvfs(self, folder: Path) -> os.statvfs_result:
        return self.free or super().statvfs(folder)


def path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}").readlink()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def disk() -> WatchedDisk:
    return WatchedDisk()


@pytest.fixture
def spool(tmp_path: Path, clock: TurnedClock, ids: Ids, disk: WatchedDisk) -> FolderSpool:
    return FolderSpool(tmp_path / "spool", clock, ids, FolderLimits(), disk)


@pytest.fixture
async def writer(spool: FolderSpool) -> AsyncIterator[FolderSpoolWriter]:
    writer = await spool.open_writer("smtp")
    yield writer
    await writer.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (a thread or a process meets it)
            await asyncio.sleep(0.005)


async def put_at_last(writer: FolderSpoolWriter, new_metadata: NewMetadata, raw: bytes) -> None:
    """Puts as soon as it is not refused any more."""
    async with asyncio.timeout(20):
        while True:
            with suppress(StorageFull, Unavailable):
                await writer.put(new_metadata(), raw)
                return
            await asyncio.sleep(0.01)


async def raws(spool: FolderSpool, read_all: ReadAll) -> list[bytes]:
    return [item.raw for item in (await read_all(await spool.open_reader())).items]


def body_file(writer: FolderSpoolWriter, content: bytes) -> Path:
    path = writer.new_body_file()
    path.write_bytes(content)
    return path


async def test_put_returns_only_after_file_name_write_and_sync(
    writer: FolderSpoolWriter, disk: WatchedDisk, new_metadata: NewMetadata
) -> None:
    disk.calls.clear()
    await writer.put(new_metadata(), b"x")
    disk.calls.append("acknowledged")
    await writer.put(new_metadata(), b"x")
    disk.calls.append("acknowledged")
    assert disk.calls == [
        "create open",
        "fsync smtp-0",
        "write open",
        "write open",
        "fdatasync open",
        "acknowledged",
        "write open",
        "fdatasync open",
        "acknowledged",
    ]


async def test_a_large_body_is_synced_before_its_record_is_written(
    writer: FolderSpoolWriter, disk: WatchedDisk, new_metadata: NewMetadata
) -> None:
    await writer.put(new_metadata(), b"begin the segment")
    path = body_file(writer, bytes(300_000))
    disk.calls.clear()
    await writer.put(new_metadata(), path)
    assert disk.calls == ["fsync body", "fsync bodies", "write open", "fdatasync open"]


async def test_a_segment_is_sealed_by_footer_sync_rename_and_folder_sync(
    spool: FolderSpool, disk: WatchedDisk, new_metadata: NewMetadata
) -> None:
    writer = await spool.open_writer("smtp")
    await writer.put(new_metadata(), b"x")
    disk.calls.clear()
    await writer.close()
    assert disk.calls == ["write open", "fdatasync open", "rename seg", "fsync smtp-0"]


async def test_all_that_waits_shares_one_write_and_one_sync(
    writer: FolderSpoolWriter, disk: WatchedDisk, new_metadata: NewMetadata
) -> None:
    await writer.put(new_metadata(), b"begin the segment")
    disk.gate = threading.Event()
    puts = [asyncio.create_task(writer.put(new_metadata(), b"first"))]
    await until(disk.is_held.is_set)
    disk.calls.clear()
    puts += [asyncio.create_task(writer.put(new_metadata(), b"x")) for _ in range(300)]
    await asyncio.sleep(0)
    disk.gate.set()
    await asyncio.gather(*puts)
    assert disk.calls == ["fdatasync open", "write open", "fdatasync open"]


async def test_put_fails_and_nothing_is_retried_when_a_sync_fails(
    writer: FolderSpoolWriter,
    spool: FolderSpool,
    disk: WatchedDisk,
    new_metadata: NewMetadata,
    read_all: ReadAll,
) -> None:
    await writer.put(new_metadata(), b"before")
    disk.failing["fdatasync"] = 1
    disk.calls.clear()
    outcomes = await asyncio.gather(
        *(writer.put(new_metadata(), b"lost") for _ in range(5)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 5
    assert disk.calls == ["write open", "fdatasync open"]
    await writer.put(new_metadata(), b"after")
    folder = spool.root / "smtp-0"
    assert [name for name in names(folder) if name.endswith("open")] == [
        "0000000000000001.open",
        "0000000000000002.open",
    ]
    found = await raws(spool, read_all)
    assert (found[0], found[-1]) == (b"before", b"after")


async def test_the_abandoned_segment_is_sealed_when_the_slot_is_taken_again(
    spool: FolderSpool, disk: WatchedDisk, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    writer = await spool.open_writer("smtp")
    await writer.put(new_metadata(), b"before")
    disk.failing["fdatasync"] = 1
    with pytest.raises(Unavailable):
        await writer.put(new_metadata(), b"lost")
    await writer.put(new_metadata(), b"after")
    await writer.close()
    again = await spool.open_writer("smtp")
    await again.put(new_metadata(), b"again")
    assert names(spool.root / "smtp-0") == [
        "0000000000000001.seg",
        "0000000000000002.seg",
        "0000000000000003.open",
        "bodies",
        "lock",
    ]
    found = await raws(spool, read_all)
    assert [raw for raw in found if raw != b"lost"] == [b"before", b"after", b"again"]
    await again.close()


@pytest.mark.parametrize("call", ["create", "write", "fsync"])
async def test_put_fails_and_the_next_succeeds_when_a_segment_cannot_be_begun(
    writer: FolderSpoolWriter,
    spool: FolderSpool,
    disk: WatchedDisk,
    new_metadata: NewMetadata,
    read_all: ReadAll,
    call: str,
) -> None:
    disk.failing[call] = 1
    with pytest.raises(Unavailable):
        await writer.put(new_metadata(), b"lost")
    await writer.put(new_metadata(), b"kept")
    assert await raws(spool, read_all) == [b"kept"]


async def test_a_disk_that_keeps_failing_is_left_alone_for_a_moment(
    writer: FolderSpoolWriter, spool: FolderSpool, disk: WatchedDisk, new_metadata: NewMetadata
) -> None:
    disk.failing["fdatasync"] = 1000
    for _ in range(50):
        with pytest.raises(Unavailable):
            await writer.put(new_metadata(), b"lost")
    assert len(names(spool.root / "smtp-0")) < 10
    disk.failing.clear()
    await put_at_last(writer, new_metadata, b"kept")


async def test_a_failed_seal_fails_no_put(
    spool: FolderSpool, disk: WatchedDisk, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    spool = replace(spool, limits=replace(spool.limits, max_segment_size_bytes=1))
    writer = await spool.open_writer("smtp")
    disk.failing["rename"] = 1
    for n in range(3):
        await writer.put(new_metadata(), b"%d" % n)
    await writer.close()
    assert await raws(spool, read_all) == [b"0", b"1", b"2"]


async def test_a_short_write_is_completed(
    writer: FolderSpoolWriter,
    spool: FolderSpool,
    disk: WatchedDisk,
    new_metadata: NewMetadata,
    read_all: ReadAll,
) -> None:
    await writer.put(new_metadata(), b"first")

    def write_little(descriptor: int, buffers: Sequence[bytes]) -> int:
        return os.writev(descriptor, [b"".join(buffers)[:100]])

    disk.writev = write_little  # type: ignore[method-assign]
    await writer.put(new_metadata(), b"second" * 100)
    assert await raws(spool, read_all) == [b"first", b"second" * 100]


async def test_put_fails_and_leaves_no_item_when_the_disk_fills_within_a_write(
    writer: FolderSpoolWriter,
    spool: FolderSpool,
    disk: WatchedDisk,
    new_metadata: NewMetadata,
    read_all: ReadAll,
) -> None:
    await writer.put(new_metadata(), b"before")
    disk.room_bytes = 150
    with pytest.raises(StorageFull):
        await writer.put(new_metadata(), b"lost")
    disk.room_bytes = None
    await writer.put(new_metadata(), b"after")
    assert await raws(spool, read_all) == [b"before", b"after"]


async def test_a_large_body_stays_when_its_record_may_have_been_written(
    writer: FolderSpoolWriter,
    spool: FolderSpool,
    disk: WatchedDisk,
    new_metadata: NewMetadata,
    read_all: ReadAll,
) -> None:
    """The kernel may find out only at the sync that it has no room for what it took."""
    disk.failing["fdatasync"] = 1
    disk.error_number = errno.ENOSPC
    with pytest.raises(StorageFull):
        await writer.put(new_metadata(), body_file(writer, b"large"))
    found = await read_all(await spool.open_reader())
    assert ([item.raw for item in found.items], found.gaps) == ([b"large"], [])


def figures(**changed: int) -> os.statvfs_result:
    plenty = {"f_bsize": 4096, "f_frsize": 4096, "f_blocks": 10**9, "f_bfree": 10**9}
    plenty |= {"f_bavail": 10**9, "f_files": 10**9, "f_ffree": 10**9, "f_favail": 10**9}
    values = plenty | {"f_flag": 0, "f_namemax": 255} | changed
    return os.statvfs_result(values.values())


@pytest.mark.parametrize(
    "short", [figures(f_bavail=131_071), figures(f_favail=999)], ids=["bytes", "inodes"]
)
async def test_put_raises_storage_full_before_it_writes_until_space_returns(
    writer: FolderSpoolWriter,
    spool: FolderSpool,
    disk: WatchedDisk,
    new_metadata: NewMetadata,
    read_all: ReadAll,
    short: os.statvfs_result,
) -> None:
    await writer.put(new_metadata(), b"before")
    path = body_file(writer, b"large")
    disk.free = short
    disk.calls.clear()
    async with asyncio.timeout(20):
        while True:
            try:
                await writer.put(new_metadata(), b"early")
            except StorageFull:
                break
    disk.calls.clear()
    with pytest.raises(StorageFull):
        await writer.put(new_metadata(), b"lost")
    with pytest.raises(StorageFull):
        await writer.put(new_metadata(), path)
    with pytest.raises(StorageFull):
        writer.new_body_file()
    assert disk.calls == []
    assert names(spool.root / "smtp-0" / "bodies") == []
    disk.free = None
    await put_at_last(writer, new_metadata, b"after")
    found = await raws(spool, read_all)
    assert (found[0], found[-1]) == (b"before", b"after")
    assert b"lost" not in found


async def test_a_file_system_without_inode_numbers_is_not_full(
    writer: FolderSpoolWriter, disk: WatchedDisk, new_metadata: NewMetadata
) -> None:
    disk.free = figures(f_files=0, f_ffree=0, f_favail=0)
    await writer.put(new_metadata(), b"x")


async def test_put_raises_unavailable_and_keeps_no_body_when_its_sync_fails(
    writer: FolderSpoolWriter, spool: FolderSpool, disk: WatchedDisk, new_metadata: NewMetadata
) -> None:
    path = body_file(writer, bytes(1000))
    disk.failing["fsync"] = 1
    with pytest.raises(Unavailable):
        await writer.put(new_metadata(), path)
    assert names(spool.root / "smtp-0" / "bodies") == []


async def test_segments_end_when_they_are_large_enough(
    spool: FolderSpool, new_metadata: NewMetadata
) -> None:
    spool = replace(spool, limits=replace(spool.limits, max_segment_size_bytes=3000))
    writer = await spool.open_writer("smtp")
    for _ in range(6):
        await writer.put(new_metadata(), bytes(1000))
    await writer.close()
    assert [name for name in names(spool.root / "smtp-0") if name.endswith("seg")] == [
        f"{number:016d}.seg" for number in (1, 2)
    ]


async def test_an_idle_segment_ends_when_it_is_old_enough(
    spool: FolderSpool, new_metadata: NewMetadata
) -> None:
    spool = replace(spool, limits=replace(spool.limits, max_segment_age_seconds=0.05))
    writer = await spool.open_writer("smtp")
    await writer.put(new_metadata(), b"x")
    sealed = spool.root / "smtp-0" / "0000000000000001.seg"
    await until(sealed.exists)
    await writer.close()


async def test_no_segment_is_made_when_nothing_is_put(spool: FolderSpool) -> None:
    writer = await spool.open_writer("smtp")
    await writer.close()
    assert names(spool.root / "smtp-0") == ["bodies", "lock"]


async def test_writers_of_one_role_take_different_slots_and_free_them(spool: FolderSpool) -> None:
    first = await spool.open_writer("smtp")
    second = await spool.open_writer("smtp")
    assert [first.producer, second.producer] == ["smtp-0", "smtp-1"]
    await first.close()
    third = await spool.open_writer("smtp")
    assert third.producer == "smtp-0"
    await second.close()
    await third.close()


async def test_folders_and_files_are_for_owner_and_group_whatever_the_umask(
    spool: FolderSpool, new_metadata: NewMetadata
) -> None:
    umask = os.umask(0o077)
    try:
        writer = await spool.open_writer("smtp")
        await writer.put(new_metadata(), body_file(writer, b"large"))
        assert modes(spool.root) == [{0o2770}, {0o640}]
        await writer.close()
    finally:
        os.umask(umask)
    assert modes(spool.root) == [{0o2770}, {0o640}]


def modes(root: Path) -> list[set[int]]:
    """Those of folders, and those of files."""
    paths = (root, *root.rglob("*"))
    return [
        {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir() == is_folder}
        for is_folder in (True, False)
    ]


async def test_open_writer_raises_unavailable_when_the_folder_cannot_be_made(
    tmp_path: Path, clock: TurnedClock, ids: Ids
) -> None:
    os.close(os.open(tmp_path / "file", os.O_CREAT))
    with pytest.raises(Unavailable):
        await FolderSpool(tmp_path / "file" / "spool", clock, ids).open_writer("smtp")
