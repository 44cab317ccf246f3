"""Sealing what an earlier run of a producer left open, once its slot is ours."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.clock import Clock
from app.core.errors import PillarboxError
from app.core.ids import Ids
from app.core.log import get_logger
from app.storage.spool.disk import Disk
from app.storage.spool.file_source import FileSource, open_source
from app.storage.spool.layout import SegmentFile, bodies_folder, list_segments
from app.storage.spool.scan import Ending, Record, Segment
from app.storage.spool.segment import (
    HEADER_SIZE_BYTES,
    MARKER_SIZE_BYTES,
    Footer,
    Header,
    Kind,
    decode_reference,
    encode_footer,
    encode_header,
)
from app.storage.spool.segment_log import publish_sealed

_log = get_logger("spool")


def recover(folder: Path, clock: Clock, ids: Ids, disk: Disk) -> int:
    """Seals every open segment, removes bodies that nothing refers to, and returns the number
    that the next segment takes.

    A segment that cannot be sealed now is left as it is and logged: readers step over its tail,
    and mail must be accepted all the same. Raises `OSError` when the folder cannot be listed.
    """
    segments = list_segments(folder)
    for file in segments:
        if not file.sealed:
            try:
                _seal(file, clock, ids, disk)
            except (OSError, PillarboxError) as error:
                _log.error("spool segment not recovered", path=str(file.path), error=str(error))
    _remove_unreferenced_bodies(folder)
    return segments[-1].number + 1 if segments else 1


def _seal(file: SegmentFile, clock: Clock, ids: Ids, disk: Disk) -> None:
    """Cuts off what follows the last valid record, which was never acknowledged, and ends it."""
    descriptor = os.open(file.path, os.O_RDWR)
    try:
        size_bytes = os.fstat(descriptor).st_size
        stock = _take_stock(Segment(FileSource(descriptor, size_bytes), Ending.ABANDONED))
        if stock is None:
            stock = _Stock(ids.random_bytes(MARKER_SIZE_BYTES), HEADER_SIZE_BYTES, 0, ())
            header = Header(stock.marker, file.number, clock.now())
            os.pwrite(descriptor, encode_header(header), 0)
        os.ftruncate(descriptor, stock.end_offset)
        footer = Footer(stock.items, stock.bodies, clock.now())
        os.pwrite(
            descriptor, encode_footer(stock.marker, footer, stock.end_offset), stock.end_offset
        )
        disk.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    publish_sealed(file, disk)
    cut_bytes = max(0, size_bytes - stock.end_offset)
    _log.info("spool segment recovered", path=str(file.path), cut_bytes=cut_bytes)


@dataclass(frozen=True, slots=True)
class _Stock:
    """What an unsealed segment holds, up to the end of its last valid item."""

    marker: bytes
    end_offset: int
    items: int
    bodies: tuple[str, ...]


def _take_stock(segment: Segment) -> _Stock | None:
    """None when not even the header was written whole. A footer without its rename is made anew."""
    if segment.marker is None:
        return None
    end_offset, items = HEADER_SIZE_BYTES, 0
    bodies: list[str] = []
    for found in segment.scan(HEADER_SIZE_BYTES):
        if isinstance(found, Record) and found.kind != Kind.FOOTER:
            end_offset = found.end_offset
            items += 1
            if found.kind == Kind.REFERENCE:
                bodies.append(decode_reference(found.body).file)
    return _Stock(segment.marker, end_offset, items, tuple(bodies))


def _remove_unreferenced_bodies(folder: Path) -> None:
    """Bodies whose writer was killed before their record, unless a segment cannot be asked."""
    if (referenced := _referenced_bodies(list_segments(folder))) is not None:
        for body in bodies_folder(folder).iterdir():
            if body.name not in referenced:
                body.unlink(missing_ok=True)


def _referenced_bodies(segments: Sequence[SegmentFile]) -> set[str] | None:
    """What all footers name; None when a segment has no valid one."""
    referenced: set[str] = set()
    for file in segments:
        if not file.sealed:
            return None
        try:
            with open_source(file.path) as source:
                footer = Segment(source, Ending.SEALED).footer
        except FileNotFoundError:
            continue
        if footer is None:
            return None
        referenced.update(footer.bodies)
    return referenced
