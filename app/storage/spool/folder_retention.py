"""Removing what was read from a folder spool, and only what is surely not needed any more."""

from collections.abc import Set
from datetime import datetime
from functools import partial
from pathlib import Path

from app.core.log import get_logger
from app.storage.spool.folder_segments import load_body, open_segment
from app.storage.spool.layout import SegmentFile, bodies_folder, list_segments
from app.storage.spool.port import Position
from app.storage.spool.reading import is_read, is_whole
from app.storage.spool.segment import Footer

_log = get_logger("spool")


class FolderRetention:
    """Reads each segment once more before it goes: one with damage stays, for a person to see."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._damaged: set[SegmentFile] = set()

    def remove_read(
        self, position: Position, referenced: Set[tuple[str, int]], older_than: datetime
    ) -> int:
        """How many segments of the position's producer went. Raises `OSError`.

        The newest stays: its number must never be used again.
        """
        removed = 0
        for file in list_segments(self._root / position.producer)[:-1]:
            if not file.sealed or file in self._damaged:
                continue
            if (position.producer, file.number) in referenced:
                continue
            with open_segment(file, is_newest=False) as segment:
                if segment is None:
                    continue
                if not is_read(position, file.number, segment.size_bytes):
                    break
                footer = segment.footer
                if footer and footer.sealed_at >= older_than:
                    break
                if footer is None or not is_whole(segment, footer, partial(load_body, file.folder)):
                    self._damaged.add(file)
                    _log.error("spool segment kept", path=str(file.path), reason="it is damaged")
                    continue
            _remove(file, footer)
            removed += 1
        return removed


def _remove(file: SegmentFile, footer: Footer) -> None:
    """The segment first: bodies without a segment are removed later, by recovery, but a segment
    without its bodies would look damaged."""
    file.path.unlink(missing_ok=True)
    for name in footer.bodies:
        (bodies_folder(file.folder) / name).unlink(missing_ok=True)
