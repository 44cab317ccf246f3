"""How far a folder spool was read, told to the processes that write it.

The truth is in the database. This copy in the folder is what a process without one can know, and
being late it only makes what waits look like more.
"""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from app.core.errors import Unavailable
from app.storage.spool.disk import Disk
from app.storage.spool.layout import SegmentFile, list_producers, list_segments
from app.storage.spool.port import Position

_FILE = "read-positions"


def save_progress(root: Path, positions: Iterable[Position]) -> None:
    """Replaces what was saved; it is not synced. Raises `Unavailable` when it cannot be written."""
    path = root / _FILE
    try:
        Disk().replace(path, msgspec.json.encode(list(positions)), durable=False)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}.") from error


def load_progress(root: Path) -> Mapping[str, Position]:
    """Each producer's position; none without a file, or with a damaged one. Raises `OSError`."""
    try:
        positions = msgspec.json.decode((root / _FILE).read_bytes(), type=list[Position])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}
    return {position.producer: position for position in positions}


def measure_backlog(root: Path, positions: Mapping[str, Position]) -> int:
    """The bytes of all segments behind these positions, by their sizes alone. Raises `OSError`."""
    size_bytes = 0
    for producer in list_producers(root):
        position = positions.get(producer) or Position(producer, 0, 0)
        folder = root / producer
        segments = list_segments(folder, since=position.segment)
        if not segments:  # Numbers began anew, after someone had emptied the folder.
            segments = list_segments(folder)
        for segment in segments:
            read_bytes = position.offset if segment.number == position.segment else 0
            size_bytes += max(0, _size_of(segment) - read_bytes)
    return size_bytes


def _size_of(segment: SegmentFile) -> int:
    """Nothing when it was removed since it was listed; it may also have been sealed since."""
    for name in (segment, replace(segment, sealed=True)):
        with contextlib.suppress(FileNotFoundError):
            return name.path.stat().st_size
    return 0
