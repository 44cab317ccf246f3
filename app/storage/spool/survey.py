"""Looking at a spool as it lies there, for the people who run it. Nothing is changed or made."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.core.errors import Corrupt
from app.storage.spool.port import ItemMetadata, Position
from app.storage.spool.reading import LoadBody, to_item
from app.storage.spool.scan import Damage, Ending, Record, Segment
from app.storage.spool.segment import HEADER_SIZE_BYTES, Kind, decode_metadata, decode_reference


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """One segment; its bytes can be read until the next one is asked for.

    `is_there` tells whether it was removed meanwhile, and its body files with it.
    """

    producer: str
    number: int
    segment: Segment
    load_body: LoadBody
    is_there: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item without its bytes. `size_bytes` is how many those are."""

    position: Position
    metadata: ItemMetadata
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was promised and is not there as it was written."""

    offset: int
    end_offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What a whole look at one segment found. `tail_bytes` follow the last record of a segment
    that is not sealed: torn off or just being written, and never acknowledged."""

    items: int
    faults: Sequence[Fault]
    tail_bytes: int


def list_items(stored: StoredSegment, since_offset: int = 0) -> Iterator[StoredItem]:
    """The items whose records can be read, in order, from an offset on. Raises `OSError`."""
    for found in stored.segment.scan(since_offset):
        if isinstance(found, Record) and found.kind != Kind.FOOTER:
            with contextlib.suppress(Corrupt):
                position = Position(stored.producer, stored.number, found.offset)
                yield StoredItem(position, decode_metadata(found.metadata), _size_bytes(found))


def check(stored: StoredSegment) -> Findings:
    """Reads every record, every checksum and every body file. Raises `OSError`."""
    segment, origin = stored.segment, Position(stored.producer, stored.number, 0)
    faults: list[Fault] = []
    items, end_offset = 0, min(HEADER_SIZE_BYTES, segment.size_bytes)
    for found in segment.scan(0):
        end_offset = found.end_offset
        if isinstance(found, Damage):
            faults.append(Fault(found.offset, found.end_offset, found.reason))
        elif found.kind != Kind.FOOTER:
            items += 1
            try:
                to_item(origin, found, stored.load_body)
            except Corrupt as error:
                faults.append(Fault(found.offset, found.end_offset, str(error)))
    if faults and not stored.is_there():
        return Findings(items, (), 0)
    if segment.ending is not Ending.SEALED:
        return Findings(items, faults, max(0, segment.size_bytes - end_offset))
    if not faults and (footer := segment.footer) and footer.items != items:
        reason = f"the footer counts {footer.items} items, and there are {items}"
        faults.append(Fault(segment.footer_offset or 0, segment.size_bytes, reason))
    return Findings(items, faults, 0)


def _size_bytes(record: Record) -> int:
    if record.kind == Kind.REFERENCE:
        return decode_reference(record.body).size_bytes
    return len(record.body)
