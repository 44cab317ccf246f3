"""A producer of a spool of objects, for machines whose disks do not last.

Everything that waits becomes one sealed segment, uploaded before its puts return. One upload is in
flight at a time; what arrives meanwhile goes into the next. The segment's format is that of the
folder form, except that large bodies lie inside.
"""

import asyncio
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.core.clock import Clock
from app.core.errors import InvalidInput, PillarboxError, Unavailable
from app.core.ids import Ids
from app.core.log import get_logger
from app.core.metrics import Metrics
from app.storage.blobs.port import BlobStore
from app.storage.spool.blob_layout import SegmentKeys
from app.storage.spool.layout import require_role
from app.storage.spool.metrics import SpoolMetrics
from app.storage.spool.port import ItemMetadata
from app.storage.spool.segment import (
    MARKER_SIZE_BYTES,
    Footer,
    Header,
    encode_footer,
    encode_head,
    encode_header,
    encode_item,
)

MAX_UPLOAD_SIZE_BYTES = 32 * 1024 * 1024

_log = get_logger("spool")


@dataclass(frozen=True, slots=True)
class _Waiting:
    metadata: ItemMetadata
    raw: bytes | Path
    size_bytes: int
    stored: "asyncio.Future[None]"


class BlobSpoolWriter:
    """A `SpoolWriter`. Belongs to the event loop in which it was opened."""

    @classmethod
    async def open(
        cls,
        store: BlobStore,
        prefix: str,
        role: str,
        *,
        clock: Clock,
        ids: Ids,
        max_upload_size_bytes: int = MAX_UPLOAD_SIZE_BYTES,
        metrics: SpoolMetrics | None = None,
    ) -> Self:
        """A producer that never was before, `ROLE-` and a new id: the next start is another.

        An upload is larger than the limit only when a single item is. Raises `InvalidInput` for
        a bad role or prefix, and `Unavailable` when there is no folder for temporary files.
        """
        producer = f"{require_role(role)}-{ids.new().hex}"
        keys = SegmentKeys(prefix)
        try:
            bodies = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="pillarbox-bodies-"))
        except OSError as error:
            raise Unavailable(f"Large bodies cannot be kept: {error.strerror}.") from error
        metrics = metrics or SpoolMetrics(Metrics())
        return cls(store, keys, producer, bodies, clock, ids, max_upload_size_bytes, metrics)

    def __init__(
        self,
        store: BlobStore,
        keys: SegmentKeys,
        producer: str,
        bodies: Path,
        clock: Clock,
        ids: Ids,
        max_upload_size_bytes: int,
        metrics: SpoolMetrics,
    ) -> None:
        """Use `open`."""
        self._store = store
        self._keys = keys
        self._producer = producer
        self._bodies = bodies
        self._clock = clock
        self._ids = ids
        self._max_upload_size_bytes = max_upload_size_bytes
        self._metrics = metrics
        metrics.watch_puts(lambda: self._waiting)
        self._waiting = 0
        self._next_number = 1
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()
        self._uploads = asyncio.create_task(self._upload_until_closed())

    @property
    def producer(self) -> str:
        return self._producer

    async def put(self, metadata: ItemMetadata, raw: bytes | Path) -> None:
        if self._closing.is_set():
            raise Unavailable("The spool is closed.")
        if not isinstance(raw, Path):
            await self._store_item(metadata, raw, len(raw))
            return
        if raw.parent != self._bodies:
            raise InvalidInput(f"{raw} is no body file of this spool.")
        try:
            await self._store_item(metadata, raw, _size_of(raw))
        finally:
            await asyncio.to_thread(raw.unlink, missing_ok=True)

    def new_body_file(self) -> Path:
        return self._bodies / self._ids.new().hex

    async def close(self) -> None:
        self._closing.set()
        self._arrived.set()
        await asyncio.shield(self._uploads)
        await asyncio.to_thread(shutil.rmtree, self._bodies, ignore_errors=True)

    async def _store_item(self, metadata: ItemMetadata, raw: bytes | Path, size_bytes: int) -> None:
        # Nothing is awaited before the item stands in the queue, so `close` misses none.
        stored = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(metadata, raw, size_bytes, stored))
        self._arrived.set()
        began_at = time.perf_counter()
        self._waiting += 1
        try:
            await stored
        finally:
            self._waiting -= 1
        self._metrics.store_seconds.observe(time.perf_counter() - began_at)

    async def _upload_until_closed(self) -> None:
        while self._queue or not self._closing.is_set():
            if batch := self._take_batch():
                error = await self._upload(batch)
                if error is None:
                    self._metrics.batch_size.observe(len(batch))
                else:
                    self._metrics.sync_errors.count()
                _settle(batch, error)
            else:
                self._arrived.clear()
                await self._arrived.wait()

    def _take_batch(self) -> Sequence[_Waiting]:
        """What waits, up to the limit and without what was cancelled."""
        batch: list[_Waiting] = []
        size_bytes = 0
        while self._queue:
            waiting = self._queue[0]
            if not waiting.stored.done():
                size_bytes += waiting.size_bytes
                if batch and size_bytes > self._max_upload_size_bytes:
                    break
                batch.append(waiting)
            self._queue.popleft()
        return batch

    async def _upload(self, batch: Sequence[_Waiting]) -> PillarboxError | None:
        """A number is used once, also when the upload failed: it may have arrived all the same."""
        number = self._next_number
        self._next_number += 1
        try:
            segment = await asyncio.to_thread(self._encode, number, batch)
            await self._store.put(self._keys.key(self._producer, number), segment, {})
        except PillarboxError as error:
            _log.error("spool upload failed", producer=self._producer, error=str(error))
            return Unavailable(str(error))
        except OSError as error:
            return Unavailable(f"A body cannot be read: {error.strerror}.")
        except Exception as error:
            _log.exception("spool upload failed", producer=self._producer)
            return Unavailable(f"The spool failed: {type(error).__name__}.")
        return None

    def _encode(self, number: int, batch: Sequence[_Waiting]) -> bytes:
        marker = self._ids.random_bytes(MARKER_SIZE_BYTES)
        now = self._clock.now()
        parts = [encode_header(Header(marker, number, now))]
        for waiting in batch:
            raw = waiting.raw.read_bytes() if isinstance(waiting.raw, Path) else waiting.raw
            content = encode_item(waiting.metadata, raw)
            parts += (encode_head(marker, content), content.metadata, content.body)
        footer = Footer(items=len(batch), bodies=(), sealed_at=now)
        parts.append(encode_footer(marker, footer, offset=sum(map(len, parts))))
        return b"".join(parts)


def _size_of(body: Path) -> int:
    try:
        return body.stat().st_size
    except OSError as error:
        raise Unavailable(f"A body cannot be read: {error.strerror}.") from error


def _settle(batch: Sequence[_Waiting], error: PillarboxError | None) -> None:
    for waiting in batch:
        if waiting.stored.done():
            continue
        if error is None:
            waiting.stored.set_result(None)
        else:
            waiting.stored.set_exception(Unavailable(str(error)))
