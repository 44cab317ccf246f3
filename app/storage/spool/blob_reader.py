"""The reader of a spool of objects. Every segment is sealed, so none has a torn tail."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.errors import NotFound
from app.core.log import get_logger
from app.storage.blobs.port import BlobStore
from app.storage.spool.blob_layout import SegmentKeys
from app.storage.spool.port import Backlog, Batch, Item, Position
from app.storage.spool.reading import Reading, first_metadata, is_read, is_whole, load_item
from app.storage.spool.scan import Ending, Segment
from app.storage.spool.segment import Reference
from app.storage.spool.survey import StoredSegment

_KEPT_SIZE_BYTES = 64 * 1024 * 1024

_log = get_logger("spool")


class BlobSpoolReader:
    """A `SpoolReader`. Raises `InvalidInput` when the prefix is no key itself.

    One look of `wait` costs a listing for each producer and one more.
    """

    def __init__(self, store: BlobStore, prefix: str, *, poll_seconds: float = 1.0) -> None:
        self._store = store
        self._keys = SegmentKeys(prefix)
        self._poll_seconds = poll_seconds
        self._partly_read: OrderedDict[str, bytes] = OrderedDict()
        self._damaged: set[str] = set()

    @property
    def name(self) -> str:
        return f"s3:{self._keys.prefix}"

    async def producers(self) -> Sequence[str]:
        found: list[str] = []
        after = self._keys.folder
        while stored := await self._first(self._keys.folder, after):
            found.append(stored.producer)
            after = self._keys.after(stored.producer)
        return found

    async def start(self, producer: str) -> Position:
        first = await self._first(self._keys.folder_of(producer))
        return Position(producer, first.number if first else 0, 0)

    async def read(self, position: Position, *, max_items: int, max_bytes: int) -> Batch:
        reading = Reading(
            position, max_items=max_items, max_bytes=max_bytes, load_body=_refuse_reference
        )
        async for stored in self._unread(position):
            data = self._partly_read.pop(stored.key, None) or await self._get(stored.key)
            if data is None:
                continue
            await asyncio.to_thread(reading.add_segment, stored.number, _segment(data))
            if reading.full:
                self._keep(stored.key, data)
                break
        return reading.batch()

    async def segments(self) -> AsyncIterator[StoredSegment]:
        """Every segment, by producer and number."""
        async for stored in self._list(self._keys.folder):
            if (data := await self._get(stored.key)) is not None:
                yield StoredSegment(
                    stored.producer,
                    stored.number,
                    _segment(data),
                    _refuse_reference,
                    is_there=lambda: True,  # The bytes are here, and there are no body files.
                )

    async def load(self, position: Position) -> Item:
        data = await self._store.get(self._keys.key(position.producer, position.segment))
        return await asyncio.to_thread(load_item, _segment(data), position, _refuse_reference)

    async def wait(self, positions: Sequence[Position], timeout_seconds: float) -> bool:
        """A producer that has segments but no position here counts as new."""
        by_producer = {position.producer: position for position in positions}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        while not await self._look(by_producer):
            if (left := deadline - loop.time()) <= 0:
                return False
            await asyncio.sleep(min(left, self._poll_seconds))
        return True

    async def backlog(self, positions: Sequence[Position]) -> Backlog:
        by_producer = {position.producer: position for position in positions}
        size_bytes = 0
        oldest: datetime | None = None
        for producer in await self.producers():
            position = by_producer.get(producer) or Position(producer, 0, 0)
            first: datetime | None = None
            async for stored in self._unread(position):
                offset = position.offset if stored.number == position.segment else 0
                size_bytes += stored.size_bytes - offset
                if first is None and (data := await self._get(stored.key)):
                    metadata = first_metadata(_segment(data), offset)
                    first = metadata.received_at if metadata else None
            oldest = min((each for each in (oldest, first) if each), default=None)
        return Backlog(size_bytes, oldest)

    async def remove_read(
        self, positions: Sequence[Position], referenced: Sequence[Position], older_than: datetime
    ) -> int:
        """Reads each segment once more before it goes: one with damage stays."""
        needed = {self._keys.key(each.producer, each.segment) for each in referenced}
        removed = 0
        for position in positions:
            async for stored in self._list(self._keys.folder_of(position.producer)):
                is_past = is_read(position, stored.number, stored.size_bytes)
                if not is_past or stored.stored_at >= older_than:
                    break
                if stored.key not in needed and await self._is_whole(stored.key):
                    await self._store.delete(stored.key)
                    removed += 1
        return removed

    async def _look(self, positions: Mapping[str, Position]) -> bool:
        """Goes through the keys in order, leaping over what each producer's position is past."""
        after: str | None = self._keys.folder
        while after is not None:
            start, after = after, None
            async for stored in self._list(self._keys.folder, start):
                position = positions.get(stored.producer)
                if position is None or not is_read(position, stored.number, stored.size_bytes):
                    return True
                if stored.number < position.segment:
                    after = self._keys.last_before(position.producer, position.segment)
                    break
        return False

    async def _unread(self, position: Position) -> AsyncIterator["_Stored"]:
        """The producer's segments that are not wholly before the position."""
        folder = self._keys.folder_of(position.producer)
        start = self._keys.last_before(position.producer, position.segment)
        async for stored in self._list(folder, start):
            if not is_read(position, stored.number, stored.size_bytes):
                yield stored

    async def _first(self, folder: str, after: str = "") -> "_Stored | None":
        async for stored in self._list(folder, after):
            return stored
        return None

    async def _list(self, folder: str, after: str = "") -> AsyncIterator["_Stored"]:
        async for info in self._store.list(folder, after=after):
            if segment := self._keys.parse(info.key):
                yield _Stored(info.key, *segment, info.size_bytes, info.stored_at)

    async def _get(self, key: str) -> bytes | None:
        """The segment's bytes; None when it was removed meanwhile."""
        try:
            return await self._store.get(key)
        except NotFound:
            return None

    def _keep(self, key: str, data: bytes) -> None:
        """The rest of it is asked for next. Several are kept, as producers are read in turn."""
        self._partly_read[key] = data
        while len(self._partly_read) > 1 and self._kept_size_bytes() > _KEPT_SIZE_BYTES:
            self._partly_read.popitem(last=False)

    def _kept_size_bytes(self) -> int:
        return sum(map(len, self._partly_read.values()))

    async def _is_whole(self, key: str) -> bool:
        if key in self._damaged or (data := await self._get(key)) is None:
            return False
        segment = _segment(data)
        footer = segment.footer
        if footer is not None and await asyncio.to_thread(
            is_whole, segment, footer, _refuse_reference
        ):
            return True
        self._damaged.add(key)
        _log.error("spool segment kept", key=key, reason="it is damaged")
        return False


@dataclass(frozen=True, slots=True)
class _Stored:
    """A segment as the store lists it."""

    key: str
    producer: str
    number: int
    size_bytes: int
    stored_at: datetime


@dataclass(frozen=True, slots=True)
class _BytesSource:
    data: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, size_bytes: int) -> bytes:
        return self.data[offset : offset + size_bytes]


def _segment(data: bytes) -> Segment:
    return Segment(_BytesSource(data), Ending.SEALED)


def _refuse_reference(reference: Reference) -> bytes:
    raise NotFound(f"A spool of objects has no body files, and so no {reference.file}.")
