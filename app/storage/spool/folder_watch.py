"""Noticing new items in a folder spool, cheaply enough to look all the time.

A look costs one `stat` for the spool and two for each producer: folders are listed again only
when their time of change moved. All of it is forgotten every second, so that a hint that misled
(a file system with coarse or foreign clocks) delays an item by no more than that.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from app.storage.spool.layout import SegmentFile, list_producers, list_segments
from app.storage.spool.port import Position

# An item is to be seen within 20 ms; each look costs a wake-up, also when nothing came.
_POLL_SECONDS = 0.015
_FORGOTTEN_AFTER_SECONDS = 1.0
# Two changes within one tick of the kernel's clock leave the same time of change.
_CLOCK_TICK_NS = 50_000_000

T = TypeVar("T")


class FolderWatch:
    """`monotonic` counts seconds."""

    def __init__(self, root: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._producers = _Folder(
            root, lambda: [(name, root / name) for name in list_producers(root)]
        )
        self._newest: dict[str, _Folder[tuple[SegmentFile, Path] | None]] = {}
        self._ends: dict[str, tuple[Position, int]] = {}
        self._forgotten_at = monotonic()

    def remember_end(self, position: Position, size_bytes: int) -> None:
        """Nothing could be read at this position when the segment, still open, had this size."""
        self._ends[position.producer] = (position, size_bytes)

    def look_until(
        self, positions: Sequence[Position], timeout_seconds: float, stop: threading.Event
    ) -> bool:
        """Looks every 15 ms, in the calling thread, until there is something or `stop` is set.

        A thread that sleeps costs the machine half of what timers of an event loop cost.
        """
        deadline = self._monotonic() + timeout_seconds
        while not self.look(positions):
            left = deadline - self._monotonic()
            if left <= 0 or stop.is_set():
                return False
            time.sleep(min(left, _POLL_SECONDS))
        return True

    def look(self, positions: Sequence[Position]) -> bool:
        """Whether something may lie behind one of the positions, or a producer has none.

        Also True when the disk does not answer: reading then says why. False, for this time,
        when a segment was renamed between two calls.
        """
        self._forget_from_time_to_time()
        by_producer = {position.producer: position for position in positions}
        try:
            return any(
                self._has_more(producer, folder, by_producer)
                for producer, folder in self._producers.content()
            )
        except OSError as error:
            self._forget()
            return not isinstance(error, FileNotFoundError)

    def _has_more(self, producer: str, folder: Path, positions: Mapping[str, Position]) -> bool:
        if producer not in self._newest:
            self._newest[producer] = _Folder(folder, lambda: _newest_segment(folder))
        newest = self._newest[producer].content()
        if newest is None:
            return False
        file, path = newest
        position = positions.get(producer)
        if position is None or position.segment != file.number:
            return True
        size_bytes = path.stat().st_size
        if size_bytes <= position.offset:
            return False
        return file.sealed or self._ends.get(producer) != (position, size_bytes)

    def _forget_from_time_to_time(self) -> None:
        now = self._monotonic()
        if now - self._forgotten_at >= _FORGOTTEN_AFTER_SECONDS:
            self._forget()
            self._forgotten_at = now

    def _forget(self) -> None:
        self._producers.forget()
        self._newest.clear()
        self._ends.clear()


class _Folder(Generic[T]):
    """What a folder holds, listed again only when it changed."""

    def __init__(self, path: Path, list_content: Callable[[], T]) -> None:
        self._path = path
        self._list_content = list_content
        self._listing: _Listing[T] | None = None

    def content(self) -> T:
        """Raises `OSError`."""
        changed_at_ns = self._path.stat().st_mtime_ns
        if self._listing is None or not self._listing.is_true_of(changed_at_ns):
            self._listing = _Listing(changed_at_ns, time.time_ns(), self._list_content())
        return self._listing.content

    def forget(self) -> None:
        self._listing = None


@dataclass(frozen=True, slots=True)
class _Listing(Generic[T]):
    changed_at_ns: int
    listed_at_ns: int
    content: T

    def is_true_of(self, changed_at_ns: int) -> bool:
        settled = self.listed_at_ns - self.changed_at_ns > _CLOCK_TICK_NS
        return settled and self.changed_at_ns == changed_at_ns


def _newest_segment(folder: Path) -> tuple[SegmentFile, Path] | None:
    segments = list_segments(folder)
    return (segments[-1], segments[-1].path) if segments else None
