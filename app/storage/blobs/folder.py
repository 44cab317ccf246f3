"""Objects in a folder of one machine.

An object is one file: its bytes, then its metadata, then a tail of fixed size (`trailer.py`), so
that one fsync makes both durable. It is written under a temporary name, synced, renamed, and then
each folder from its own up to the root is synced: only then is it promised. A reader sees the old
object or the new one whole, never a part.

The file of key `a/b` is `a/b,blob`. No key has a comma, so an object `a` and an object `a/b` can
both exist, and nothing else in the folder can be mistaken for an object.
"""

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from io import RawIOBase
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar
from zlib import crc32

from app.core.errors import Corrupt, NotFound, StorageFull, Unavailable
from app.core.ids import Ids
from app.storage.blobs.port import BlobInfo
from app.storage.blobs.rules import require_key, require_metadata, require_prefix
from app.storage.blobs.trailer import TAIL_SIZE_BYTES, Trailer, encode_trailer, read_trailer

_SUFFIX = ",blob"
_INCOMING = ",incoming"
_INCOMING_KEPT_SECONDS = 86_400
_CHUNK_SIZE_BYTES = 64 * 1024
_LISTED_AT_ONCE = 256
_SYNCED_AT_ONCE = 64
_THREADS = 8

P = ParamSpec("P")
T = TypeVar("T")
Blob = tuple[str, bytes, Mapping[str, str]]


class FolderBlobs:
    """A `BlobStore` in the folder `root`, which is made when it is first written to."""

    def __init__(self, root: Path, ids: Ids | None = None) -> None:
        self._root = root
        self._ids = ids or Ids()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")

    async def put(self, key: str, data: bytes, metadata: Mapping[str, str]) -> None:
        await self.put_many([(key, data, metadata)])

    async def put_many(self, blobs: Sequence[Blob]) -> None:
        for key, _, metadata in blobs:
            require_key(key)
            require_metadata(metadata)
        for start in range(0, len(blobs), _SYNCED_AT_ONCE):
            await asyncio.to_thread(self._store, blobs[start : start + _SYNCED_AT_ONCE])

    async def get(self, key: str) -> bytes:
        return await self._run(self._read, require_key(key))

    async def metadata(self, key: str) -> Mapping[str, str]:
        return (await self._run(self._read_trailer, require_key(key))).metadata

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """Raises `Corrupt` after the last chunk when the bytes are not those that were put."""
        file, trailer = await self._run(self._open, require_key(key))
        with file:
            checksum = 0
            for start in range(0, trailer.data_size_bytes, _CHUNK_SIZE_BYTES):
                size = min(_CHUNK_SIZE_BYTES, trailer.data_size_bytes - start)
                chunk = await self._run(file.read, size)
                checksum = crc32(chunk, checksum)
                yield chunk
            _check_data(key, checksum, trailer)

    async def delete(self, key: str) -> None:
        await self._run(self._remove, require_key(key))

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[BlobInfo]:
        folder = require_prefix(prefix).rpartition("/")[0]
        walk = _walk(self._root / folder, folder + "/" if folder else "", prefix, after)
        while page := await self._run(_take, walk, _LISTED_AT_ONCE):
            for info in page:
                yield info

    async def check(self) -> None:
        """Also removes what writers that were killed left behind more than a day ago."""
        await self._run(self._try_writing)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._threads, lambda: _call_disk(lambda: work(*args, **kwargs))
        )

    def _store(self, blobs: Sequence[Blob]) -> None:
        """Writes every file, syncs them side by side, renames them, syncs each folder once."""
        temporary: list[Path] = []
        descriptors: list[int] = []
        try:
            incoming = self._incoming()
            for _, data, metadata in blobs:
                temporary.append(incoming / self._ids.new().hex)
                descriptors.append(_create(temporary[-1]))
                _write(descriptors[-1], data, encode_trailer(data, metadata))
            self._each(os.fsync, descriptors)
            paths = [self._path(key) for key, _, _ in blobs]
            for source, path in zip(temporary, paths, strict=True):
                _rename(source, path)
            self._each(_sync_folder, self._folders_above(paths))
        except OSError as error:
            raise _unavailable(error) from error
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
            for path in temporary:
                path.unlink(missing_ok=True)

    def _folders_above(self, paths: Sequence[Path]) -> set[Path]:
        """Every folder from those of the files up to the root.

        Folders that were there before are synced too: another writer may have made one a moment
        ago and not have synced it yet.
        """
        return {
            folder
            for parent in {path.parent for path in paths}
            for folder in (parent, *parent.parents)
            if folder.is_relative_to(self._root)
        }

    def _each(self, work: Callable[[T], None], items: Iterable[T]) -> None:
        """Does the work for all items side by side and waits for all, even when one fails."""
        calls = [self._threads.submit(work, item) for item in items]
        wait(calls)
        for call in calls:
            call.result()

    def _path(self, key: str) -> Path:
        return self._root / f"{key}{_SUFFIX}"

    def _incoming(self) -> Path:
        """Where unfinished files lie: in a folder that no key can name."""
        missing = [folder for folder in (self._root, *self._root.parents) if not folder.exists()]
        incoming = self._root / _INCOMING
        _make_folder(incoming)
        for folder in missing:
            _sync_folder(folder.parent)
        return incoming

    def _open(self, key: str) -> tuple[RawIOBase, Trailer]:
        try:
            file = self._path(key).open("rb", buffering=0)
        except FileNotFoundError as error:
            raise NotFound(f"There is no object {key}.") from error
        try:
            return file, _trailer_of(file.fileno(), key)
        except BaseException:
            file.close()
            raise

    def _read(self, key: str) -> bytes:
        file, trailer = self._open(key)
        with file:
            data = os.pread(file.fileno(), trailer.data_size_bytes, 0)
        _check_data(key, crc32(data), trailer)
        return data

    def _read_trailer(self, key: str) -> Trailer:
        file, trailer = self._open(key)
        file.close()
        return trailer

    def _remove(self, key: str) -> None:
        """Removes the file and the folders that it leaves empty."""
        path = self._path(key)
        path.unlink(missing_ok=True)
        for folder in path.relative_to(self._root).parents:
            try:
                if folder.parts:
                    (self._root / folder).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return

    def _try_writing(self) -> None:
        incoming = self._incoming()
        path = incoming / self._ids.new().hex
        descriptor = _create(path)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)
        kept_since = time.time() - _INCOMING_KEPT_SECONDS
        for left_behind in incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if left_behind.stat().st_mtime < kept_since:
                    left_behind.unlink()


def _walk(folder: Path, above: str, prefix: str, after: str) -> Iterator[BlobInfo]:
    """The objects in `folder`, whose keys start with `above`, in the order of their keys."""
    for key, entry in sorted(_entries(folder, above), key=lambda found: found[0]):
        if key.endswith("/"):
            reaches_past = key > after or after.startswith(key)
            if reaches_past and (key.startswith(prefix) or prefix.startswith(key)):
                yield from _walk(Path(entry), key, prefix, after)
        elif key > after and key.startswith(prefix):
            with contextlib.suppress(FileNotFoundError):
                yield _info(key, entry)


def _entries(folder: Path, above: str) -> Iterator[tuple[str, str]]:
    """What lies in a folder, each with its key; that of a folder ends in `/`."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_SUFFIX):
                yield above + entry.name.removesuffix(_SUFFIX), entry.path
            elif entry.name != _INCOMING and entry.is_dir():
                yield f"{above}{entry.name}/", entry.path


def _info(key: str, path: str) -> BlobInfo:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        stored_at = datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC)
        return BlobInfo(key, _trailer_of(descriptor, key).data_size_bytes, stored_at)
    finally:
        os.close(descriptor)


def _take(walk: Iterator[BlobInfo], count: int) -> list[BlobInfo]:
    return list(islice(walk, count))


def _trailer_of(descriptor: int, key: str) -> Trailer:
    size = os.fstat(descriptor).st_size

    def read_end(size_bytes: int) -> bytes:
        return os.pread(descriptor, size_bytes, size - size_bytes)

    if size < TAIL_SIZE_BYTES:
        raise Corrupt(f"The object {key} was cut short on the disk.")
    return read_trailer(key, size, read_end)


def _check_data(key: str, checksum: int, trailer: Trailer) -> None:
    if checksum != trailer.data_crc:
        raise Corrupt(f"The object {key} was changed on the disk.")


def _create(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    os.fchmod(descriptor, 0o640)
    return descriptor


def _write(descriptor: int, *parts: bytes) -> None:
    for part in parts:
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]


def _rename(source: Path, path: Path) -> None:
    """Moves the file into its folder, which a `delete` beside us may remove while it is empty."""
    while True:
        _make_folder(path.parent)
        try:
            source.rename(path)
            return
        except FileNotFoundError:
            if not source.exists():
                raise


def _make_folder(folder: Path) -> None:
    """Makes the folder and those above it, open to the group of the installation only."""
    try:
        folder.mkdir(0o770)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_folder(folder.parent)
        _make_folder(folder)
        return
    with contextlib.suppress(FileNotFoundError):
        folder.chmod(0o2770)


def _sync_folder(folder: Path) -> None:
    """A folder that is gone by now held an object that was deleted meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _call_disk(work: Callable[[], T]) -> T:
    try:
        return work()
    except OSError as error:
        raise _unavailable(error) from error


def _unavailable(error: OSError) -> Unavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull("The disk with the stored objects is full.")
    return Unavailable(f"The folder with the stored objects cannot be used: {error.strerror}.")
