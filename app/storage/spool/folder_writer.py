"""A producer of a folder spool: many tasks put, one thread writes.

The thread takes everything that waits, writes it with one call, syncs once, and wakes all that
wait. Meanwhile the next batch gathers by itself, so it never waits for more to come.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self
from zlib import crc32

from app.core.clock import Clock
from app.core.errors import InvalidInput, PillarboxError, StorageFull, Unavailable
from app.core.ids import Ids
from app.core.log import get_logger
from app.core.metrics import Metrics
from app.storage.spool.disk import FILE_MODE, Disk
from app.storage.spool.free_space import FreeSpace
from app.storage.spool.layout import Slot, bodies_folder, open_root, take_slot
from app.storage.spool.metrics import SpoolMetrics
from app.storage.spool.port import ItemMetadata
from app.storage.spool.recovery import recover
from app.storage.spool.segment import Content, Reference, encode_item, encode_reference
from app.storage.spool.segment_log import RanFull, SegmentLog

_CHUNK_SIZE_BYTES = 1024 * 1024

_log = get_logger("spool")

Waiting = tuple[Content, "asyncio.Future[None]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLimits:
    """When mail is refused (free space below either figure) and when a segment is sealed."""

    min_free_bytes: int = 512 * 1024 * 1024
    min_free_inodes: int = 1000
    max_segment_size_bytes: int = 64 * 1024 * 1024
    max_segment_age_seconds: float = 60.0


class FolderSpoolWriter:
    """A `SpoolWriter`. Belongs to the event loop in which it was opened."""

    @classmethod
    async def open(
        cls,
        root: Path,
        role: str,
        *,
        clock: Clock,
        ids: Ids,
        limits: FolderLimits | None = None,
        disk: Disk | None = None,
        metrics: SpoolMetrics | None = None,
    ) -> Self:
        """Takes the first free producer of this role (`smtp-0`, `smtp-1`, …) until `close` and
        seals what its last run left open.

        Raises `InvalidInput` for a bad role and `Unavailable` when the folder cannot be used.
        """
        disk = disk or Disk()
        limits = limits or FolderLimits()
        metrics = metrics or SpoolMetrics(Metrics())
        try:
            slot, segments = await asyncio.to_thread(
                _take_over, root, role, limits, clock, ids, disk, metrics
            )
        except OSError as error:
            raise Unavailable(f"The spool in {root} cannot be opened: {error}.") from error
        space = FreeSpace(slot.folder, limits.min_free_bytes, limits.min_free_inodes, disk)
        return cls(slot, segments, space, ids, disk, metrics)

    def __init__(
        self,
        slot: Slot,
        segments: SegmentLog,
        space: FreeSpace,
        ids: Ids,
        disk: Disk,
        metrics: SpoolMetrics,
    ) -> None:
        """Use `open`."""
        self._slot = slot
        self._segments = segments
        self._space = space
        self._ids = ids
        self._disk = disk
        self._metrics = metrics
        metrics.watch_puts(lambda: self._in_flight)
        metrics.watch_disk(lambda: disk.statvfs(slot.folder))
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._in_flight = 0
        self._closing = asyncio.Event()
        self._settled = asyncio.Event()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, name=slot.producer, daemon=True)
        self._thread.start()

    @property
    def producer(self) -> str:
        return self._slot.producer

    async def put(self, metadata: ItemMetadata, raw: bytes | Path) -> None:
        if self._closing.is_set():
            raise Unavailable("The spool is closed.")
        self._in_flight += 1
        began_at = time.perf_counter()
        try:
            if isinstance(raw, Path):
                await self._put_file(metadata, raw)
            else:
                await self._commit(encode_item(metadata, raw))
            self._metrics.store_seconds.observe(time.perf_counter() - began_at)
        finally:
            self._in_flight -= 1
            if self._closing.is_set() and not self._in_flight:
                self._settled.set()

    def new_body_file(self) -> Path:
        """Raises `StorageFull` before a large body is streamed to a disk that has no room."""
        self._space.require()
        return bodies_folder(self._slot.folder) / self._ids.new().hex

    async def close(self) -> None:
        if not self._closing.is_set():
            self._closing.set()
            if self._in_flight:
                await self._settled.wait()
            self._queue.put(None)
        await asyncio.shield(self._ended)

    async def _commit(self, content: Content) -> None:
        durable = self._loop.create_future()
        self._queue.put((content, durable))
        await durable

    async def _put_file(self, metadata: ItemMetadata, path: Path) -> None:
        """The file is durable before its record is. It goes when the record surely was not
        written; after a failed write it stays, as the record may be read all the same."""
        if path.parent != bodies_folder(self._slot.folder):
            raise InvalidInput(f"{path} is no body file of this spool.")
        try:
            reference = await asyncio.to_thread(self._keep_body, path)
        except BaseException as error:
            await _remove_body(path)
            if isinstance(error, OSError):
                raise Unavailable(f"A body cannot be kept: {error.strerror}.") from error
            raise
        try:
            await self._commit(encode_reference(metadata, reference))
        except RanFull:
            raise
        except StorageFull:
            await _remove_body(path)
            raise

    def _keep_body(self, path: Path) -> Reference:
        self._space.require()
        crc = size_bytes = 0
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fchmod(descriptor, FILE_MODE)
            while chunk := os.read(descriptor, _CHUNK_SIZE_BYTES):
                crc = crc32(chunk, crc)
                size_bytes += len(chunk)
            self._disk.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._disk.sync_folder(path.parent)
        return Reference(path.name, size_bytes, crc)

    def _work(self) -> None:
        """The writer thread."""
        while (batch := self._take_batch()) is not None:
            if batch:
                outcome = self._write(batch)
                self._tell_loop(partial(_settle, batch, outcome))
            self._segments.seal_if_due()
        self._segments.seal()
        self._slot.release()
        self._tell_loop(partial(self._ended.set_result, None))

    def _take_batch(self) -> Sequence[Waiting] | None:
        """All that waits; nothing when it is time to seal; None when the spool is closed.

        Nothing that somebody still waits for stands before the sign to close.
        """
        batch: list[Waiting] = []
        try:
            waiting = self._queue.get(timeout=self._segments.seconds_until_due())
            while waiting is not None:
                batch.append(waiting)
                waiting = self._queue.get_nowait()
        except Empty:
            return batch
        return None

    def _write(self, batch: Sequence[Waiting]) -> PillarboxError | None:
        try:
            self._space.require()
            self._segments.append([content for content, _ in batch])
            self._metrics.batch_size.observe(len(batch))
        except PillarboxError as error:
            return error
        except OSError as error:
            return Unavailable(f"The spool's disk does not answer: {error.strerror}.")
        except Exception as error:
            _log.exception("spool writer failed", producer=self.producer)
            return Unavailable(f"The spool failed: {type(error).__name__}.")
        return None

    def _tell_loop(self, callback: Callable[[], None]) -> None:
        # A loop that is closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)


def _take_over(
    root: Path,
    role: str,
    limits: FolderLimits,
    clock: Clock,
    ids: Ids,
    disk: Disk,
    metrics: SpoolMetrics,
) -> tuple[Slot, SegmentLog]:
    """A slot whose earlier segments are sealed, and the log that goes on after them."""
    open_root(root, ids, disk)
    slot = take_slot(root, role, disk)
    try:
        segments = SegmentLog(
            slot.folder,
            recover(slot.folder, clock, ids, disk),
            max_size_bytes=limits.max_segment_size_bytes,
            max_age_seconds=limits.max_segment_age_seconds,
            clock=clock,
            ids=ids,
            disk=disk,
            metrics=metrics,
        )
    except BaseException:
        slot.release()
        raise
    return slot, segments


def _settle(batch: Sequence[Waiting], error: PillarboxError | None) -> None:
    """Wakes every put of a batch. One that was cancelled meanwhile has nobody to tell."""
    for _, durable in batch:
        if durable.done():
            continue
        if error is None:
            durable.set_result(None)
        else:
            durable.set_exception(type(error)(str(error)))


async def _remove_body(path: Path) -> None:
    await asyncio.to_thread(path.unlink, missing_ok=True)
