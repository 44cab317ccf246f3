"""The reader of a folder spool. It keeps hints only: positions are kept by whoever calls it."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from app.core.errors import NotFound, Unavailable
from app.core.ids import Ids
from app.core.log import get_logger
from app.storage.spool.disk import Disk
from app.storage.spool.folder_retention import FolderRetention
from app.storage.spool.folder_segments import load_body, open_segment
from app.storage.spool.folder_watch import FolderWatch
from app.storage.spool.layout import SegmentFile, list_producers, list_segments, open_root
from app.storage.spool.port import Backlog, Batch, Item, Position
from app.storage.spool.reading import Reading, count_items, first_metadata, load_item
from app.storage.spool.scan import Ending

T = TypeVar("T")

_log = get_logger("spool")


class FolderSpoolReader:
    """A `SpoolReader`. Disk work is done in threads."""

    @classmethod
    async def open(cls, root: Path, *, ids: Ids) -> Self:
        """Makes the spool where there is none yet. Raises `Unavailable` when it cannot."""
        return cls(root, await _run(lambda: open_root(root, ids, Disk())))

    def __init__(self, root: Path, name: str) -> None:
        """Use `open`."""
        self._root = root
        self._name = name
        self._watch = FolderWatch(root)
        self._retention = FolderRetention(root)

    @property
    def name(self) -> str:
        return self._name

    async def producers(self) -> Sequence[str]:
        return await _run(lambda: [name for name, _ in self._segments_by_producer({})])

    async def start(self, producer: str) -> Position:
        return await _run(lambda: self._start(producer))

    async def read(self, position: Position, *, max_items: int, max_bytes: int) -> Batch:
        return await _run(lambda: self._read(position, max_items, max_bytes))

    async def load(self, position: Position) -> Item:
        return await _run(lambda: self._load(position))

    async def wait(self, positions: Sequence[Position], timeout_seconds: float) -> bool:
        """Looks every 15 ms. A producer that has segments but no position here counts as new."""
        stop = threading.Event()
        try:
            return await _run(lambda: self._watch.look_until(positions, timeout_seconds, stop))
        finally:
            stop.set()

    async def backlog(self, positions: Sequence[Position]) -> Backlog:
        return await _run(lambda: self._backlog({each.producer: each for each in positions}))

    async def remove_read(
        self, positions: Sequence[Position], referenced: Sequence[Position], older_than: datetime
    ) -> int:
        needed = {(each.producer, each.segment) for each in referenced}
        remove = self._retention.remove_read
        return await _run(lambda: sum(remove(each, needed, older_than) for each in positions))

    def _start(self, producer: str) -> Position:
        segments = list_segments(self._root / producer)
        return Position(producer, segments[0].number if segments else 0, 0)

    def _read(self, position: Position, max_items: int, max_bytes: int) -> Batch:
        segments = self._segments_from(position)
        reading = Reading(
            position,
            max_items=max_items,
            max_bytes=max_bytes,
            load_body=partial(load_body, self._root / position.producer),
        )
        for file in segments:
            with open_segment(file, is_newest=file is segments[-1]) as segment:
                if segment is None:
                    continue
                reading.add_segment(file.number, segment)
                if segment.ending is Ending.OPEN and not reading.full:
                    self._watch.remember_end(reading.position, segment.size_bytes)
            if reading.full:
                break
        return reading.batch()

    def _segments_from(self, position: Position) -> Sequence[SegmentFile]:
        """The segments from a position on.

        All of them when every number is lower: someone emptied the producer's folder, numbers
        began anew, and what is there now was not read yet.
        """
        folder = self._root / position.producer
        if segments := list_segments(folder, since=position.segment):
            return segments
        segments = list_segments(folder)
        if segments and segments[-1].number < position.segment:
            _log.warning("spool numbers began anew", folder=str(folder), position=position.segment)
            return segments
        return ()

    def _load(self, position: Position) -> Item:
        folder = self._root / position.producer
        segments = list_segments(folder, since=position.segment)
        if segments and segments[0].number == position.segment:
            with open_segment(segments[0], is_newest=len(segments) == 1) as segment:
                if segment is not None:
                    return load_item(segment, position, partial(load_body, folder))
        raise NotFound(f"Segment {position.segment} of {position.producer} is gone.")

    def _backlog(self, positions: Mapping[str, Position]) -> Backlog:
        size_bytes = items = 0
        oldest: datetime | None = None
        for producer, segments in self._segments_by_producer(positions):
            first: datetime | None = None
            for file in segments:
                offset = _offset_in(file, positions.get(producer))
                with open_segment(file, is_newest=file is segments[-1]) as segment:
                    if segment is None or segment.size_bytes <= offset:
                        continue
                    size_bytes += segment.size_bytes - offset
                    items += count_items(segment, offset)
                    if first is None and (metadata := first_metadata(segment, offset)):
                        first = metadata.received_at
            oldest = min((each for each in (oldest, first) if each), default=None)
        return Backlog(size_bytes, oldest, items)

    def _segments_by_producer(
        self, positions: Mapping[str, Position]
    ) -> Iterator[tuple[str, Sequence[SegmentFile]]]:
        """Each producer that has segments, with those from its position on, or all of them."""
        for producer in list_producers(self._root):
            position = positions.get(producer) or Position(producer, 0, 0)
            if segments := self._segments_from(position):
                yield producer, segments


def _offset_in(file: SegmentFile, position: Position | None) -> int:
    return position.offset if position and position.segment == file.number else 0


async def _run(work: Callable[[], T]) -> T:
    def translated() -> T:
        try:
            return work()
        except OSError as error:
            raise Unavailable(f"The spool cannot be read: {error}.") from error

    return await asyncio.to_thread(translated)
