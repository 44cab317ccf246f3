"""What only the folder form promises: order of syncs, whole files, who may read."""

import errno
import os
import stat
import time
from pathlib import Path

import pytest

from app.core.errors import Corrupt, StorageFull, Unavailable
from app.storage.blobs.folder import FolderBlobs


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every fsync and rename that really happens, in order, with the path it is about."""
    seen: list[tuple[str, str]] = []
    fsync, rename = os.fsync, Path.rename

    def fsync_seen(descriptor: int) -> None:
        fsync(descriptor)
        seen.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))

    def rename_seen(source: Path, target: Path) -> Path:
        seen.append(("rename", str(target)))
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync_seen)
    monkeypatch.setattr(Path, "rename", rename_seen)
    return seen


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_put_many_syncs_files_then_renames_then_each_folder_once(
    root: Path, calls: list[tuple[str, str]]
) -> None:
    await FolderBlobs(root).put_many([("a/x/1", b"1", {}), ("a/x/2", b"2", {}), ("a/y", b"3", {})])
    kinds = [kind for kind, _ in calls]
    first, last = kinds.index("rename"), len(kinds) - kinds[::-1].index("rename") - 1
    assert kinds[first : last + 1] == ["rename"] * 3
    before = [path for _, path in calls[:first]]
    assert sum(Path(path).parent.name == ",incoming" for path in before) == 3
    assert str(root.parent) in before, "the folder that holds the new root"
    after = [path for _, path in calls[last + 1 :]]
    assert sorted(after) == sorted(str(folder) for folder in (root, root / "a", root / "a" / "x"))


async def test_put_changes_nothing_when_a_sync_fails(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderBlobs(root)
    await store.put("a", b"old", {})

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Unavailable, match="Input/output error"):
        await store.put("a", b"new", {})
    assert await store.get("a") == b"old"
    assert names(root / ",incoming") == []


async def test_put_raises_storage_full_when_the_disk_has_no_room(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int, __: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(StorageFull):
        await FolderBlobs(root).put("a", b"x", {})


@pytest.mark.parametrize("at", range(0, 60, 3))
async def test_reading_raises_corrupt_when_a_byte_of_the_file_changed(root: Path, at: int) -> None:
    store = FolderBlobs(root)
    await store.put("a", b"twenty bytes of data", {"name": "some value"})
    path = root / "a,blob"
    content = bytearray(path.read_bytes())
    content[at] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(Corrupt):
        await store.get("a")
    with pytest.raises(Corrupt):
        async for _ in store.stream("a"):
            pass


async def test_reading_raises_corrupt_when_the_file_was_cut(root: Path) -> None:
    store = FolderBlobs(root)
    await store.put("a", b"data", {})
    os.truncate(root / "a,blob", 7)
    with pytest.raises(Corrupt):
        await store.get("a")


async def test_the_file_starts_with_the_bytes_of_the_object(root: Path) -> None:
    await FolderBlobs(root).put("t/a", b"the object", {"a": "b"})
    assert (root / "t" / "a,blob").read_bytes().startswith(b"the object")


async def test_folders_and_files_are_for_owner_and_group_whatever_the_umask(root: Path) -> None:
    umask = os.umask(0o077)
    try:
        await FolderBlobs(root).put("t/m/a", b"", {})
    finally:
        os.umask(umask)
    for folder in (root, root / "t", root / "t" / "m", root / ",incoming"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o2770
    assert stat.S_IMODE((root / "t" / "m" / "a,blob").stat().st_mode) == 0o640


async def test_delete_leaves_no_empty_folders(root: Path) -> None:
    store = FolderBlobs(root)
    await store.put("t/m/a", b"", {})
    await store.put("t/n/a", b"", {})
    await store.delete("t/m/a")
    assert names(root / "t") == ["n"]
    await store.delete("t/n/a")
    assert names(root) == [",incoming"]


async def test_check_removes_old_unfinished_files_and_keeps_new_ones(root: Path) -> None:
    store = FolderBlobs(root)
    await store.check()
    for name, age_seconds in (("old", 2 * 86_400), ("new", 60)):
        os.close(os.open(root / ",incoming" / name, os.O_CREAT))
        os.utime(root / ",incoming" / name, (time.time() - age_seconds,) * 2)
    await store.check()
    assert names(root / ",incoming") == ["new"]


async def test_check_raises_unavailable_when_the_root_is_no_folder(root: Path) -> None:
    os.close(os.open(root, os.O_CREAT))
    with pytest.raises(Unavailable):
        await FolderBlobs(root).check()


async def test_list_goes_on_when_a_folder_holds_more_than_is_listed_at_once(root: Path) -> None:
    store = FolderBlobs(root)
    expected = [f"n/{n:04d}" for n in range(600)]
    await store.put_many([(key, b"", {}) for key in expected])
    assert [info.key async for info in store.list("n/")] == expected
    assert [info.key async for info in store.list("n/", after="n/0299")] == expected[300:]
