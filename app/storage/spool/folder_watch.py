"""Noticing new items in a folder spool, cheaply enough to look a hundred times a second.

A look costs one `stat` for the spool and two for each producer: folders are listed again only
when their time of change moved. All of it is forgotten every second, so that a hint that misled
(a file system with coarse or foreign clocks) delays an item by no more than that.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from app.storage.spool.layout import SegmentFile, list_producers, list_segments
from app.storage.spool.port import Position

_FORGOTTEN_AFTER_SECONDS = 1.0
# Two changes within one tick of the kernel's clock leave the same time of change.
_CLOCK_TICK_NS = 50_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Listing(Generic[T]):
    changed_at_ns: int
    listed_at_ns: int
    content: T

    def is_true_of(self, changed_at_ns: int) -> bool:
        settled = self.listed_at_ns - self.changed_at_ns > _CLOCK_TICK_NS
        return settled and self.changed_at_ns == changed_at_ns


class FolderWatch:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._producers: _Listing[Sequence[str]] | None = None
        self._newest: dict[str, _Listing[SegmentFile | None]] = {}
        self._ends: dict[str, tuple[Position, int]] = {}
        self._forgotten_at = float("-inf")

    def remember_end(self, position: Position, size_bytes: int) -> None:
        """Nothing could be read at this position when the segment, still open, had this size."""
        self._ends[position.producer] = (position, size_bytes)

    def look(self, positions: Sequence[Position]) -> bool:
        """Whether something may lie behind one of the positions, or a producer has none.

        Also True when the disk does not answer: reading then says why.
        """
        self._forget_from_time_to_time()
        by_producer = {position.producer: position for position in positions}
        try:
            return any(
                self._has_more(producer, by_producer.get(producer))
                for producer in self._list_producers()
            )
        except OSError:
            self._forgotten_at = float("-inf")
            return True

    def _has_more(self, producer: str, position: Position | None) -> bool:
        newest = self._newest_segment(producer)
        if newest is None:
            return False
        if position is None or position.segment != newest.number:
            return True
        size_bytes = newest.path.stat().st_size
        if size_bytes <= position.offset:
            return False
        return newest.sealed or self._ends.get(producer) != (position, size_bytes)

    def _list_producers(self) -> Sequence[str]:
        self._producers = _refresh(self._producers, self._root, lambda: list_producers(self._root))
        return self._producers.content

    def _newest_segment(self, producer: str) -> SegmentFile | None:
        folder = self._root / producer
        listing = _refresh(
            self._newest.get(producer),
            folder,
            lambda: next(reversed(list_segments(folder)), None),
        )
        self._newest[producer] = listing
        return listing.content

    def _forget_from_time_to_time(self) -> None:
        now = time.monotonic()
        if now - self._forgotten_at >= _FORGOTTEN_AFTER_SECONDS:
            self._producers = None
            self._newest.clear()
            self._ends.clear()
            self._forgotten_at = now


def _refresh(known: _Listing[T] | None, folder: Path, make: Callable[[], T]) -> _Listing[T]:
    """What is known of the folder, listed again if it changed. Raises `OSError`."""
    changed_at_ns = folder.stat().st_mtime_ns
    if known and known.is_true_of(changed_at_ns):
        return known
    return _Listing(changed_at_ns, time.time_ns(), make())
