"""From records to a `Batch`: the part of reading that all forms of spool share."""

import contextlib
from collections.abc import Callable
from zlib import crc32

from app.core.errors import Corrupt, NotFound
from app.storage.spool.port import Batch, Gap, Item, ItemMetadata, Position
from app.storage.spool.scan import Damage, Ending, Record, Segment
from app.storage.spool.segment import (
    HEADER_SIZE_BYTES,
    Footer,
    Kind,
    Reference,
    decode_metadata,
    decode_reference,
)

LoadBody = Callable[[Reference], bytes]
"""The bytes of a body file, which the spool's own form finds. Raises `NotFound`."""


class Reading:
    """One `read` in progress: fed segment after segment until it is full."""

    def __init__(
        self, position: Position, *, max_items: int, max_bytes: int, load_body: LoadBody
    ) -> None:
        self.position = position
        self.full = False
        self._items: list[Item] = []
        self._gaps: list[Gap] = []
        self._items_left = max_items
        self._bytes_left = max_bytes
        self._load_body = load_body

    def add_segment(self, number: int, segment: Segment) -> None:
        """Reads on in this segment: to its end, or as far as it reaches now, or until full."""
        start = self.position.offset if number == self.position.segment else 0
        self._move(number, start)
        for found in segment.scan(start):
            if isinstance(found, Damage):
                self._add_gap(number, segment, found)
            elif found.kind != Kind.FOOTER:
                self._add_item(number, segment, found)
            if self.full:
                return
            self._move(number, found.end_offset)
        if segment.ending is not Ending.OPEN:
            self._move(number, max(start, segment.size_bytes, HEADER_SIZE_BYTES))

    def batch(self) -> Batch:
        return Batch(tuple(self._items), tuple(self._gaps), self.position)

    def _move(self, number: int, offset: int) -> None:
        self.position = Position(self.position.producer, number, offset)

    def _add_item(self, number: int, segment: Segment, record: Record) -> None:
        if not self._has_room(_raw_size_bytes(record)):
            return
        position = Position(self.position.producer, number, record.offset)
        try:
            self._items.append(to_item(position, record, self._load_body))
        except Corrupt as error:
            damage = Damage(record.offset, record.end_offset, str(error))
            self._gaps.append(_to_gap(position, segment, damage))

    def _add_gap(self, number: int, segment: Segment, damage: Damage) -> None:
        if self._has_room(damage.end_offset - damage.offset):
            position = Position(self.position.producer, number, damage.offset)
            self._gaps.append(_to_gap(position, segment, damage))

    def _has_room(self, size_bytes: int) -> bool:
        """Counts one more thing in. The first always has room, however large it is."""
        is_first = not self._items and not self._gaps
        if not is_first and (self._items_left < 1 or self._bytes_left < size_bytes):
            self.full = True
            return False
        self._items_left -= 1
        self._bytes_left -= size_bytes
        return True


def to_item(position: Position, record: Record, load_body: LoadBody) -> Item:
    """Raises `Corrupt` when the record, or the file that it speaks of, is not as it was written."""
    metadata = decode_metadata(record.metadata)
    if record.kind == Kind.ITEM:
        return Item(position, metadata, record.body)
    if record.kind != Kind.REFERENCE:
        raise Corrupt("No item begins here.")
    reference = decode_reference(record.body)
    try:
        raw = load_body(reference)
    except NotFound as error:
        raise Corrupt(f"The body file {reference.file} of the item is missing.") from error
    if len(raw) != reference.size_bytes or crc32(raw) != reference.crc:
        raise Corrupt(f"The body file {reference.file} of the item was changed.")
    return Item(position, metadata, raw)


def load_item(segment: Segment, position: Position, load_body: LoadBody) -> Item:
    """The item at exactly this position. Raises `Corrupt` when none stands there."""
    found = segment.record_at(position.offset)
    if isinstance(found, str):
        raise Corrupt(f"There is no spool item at offset {position.offset}: {found}.")
    return to_item(position, found, load_body)


def is_whole(segment: Segment, footer: Footer, load_body: LoadBody) -> bool:
    """Whether every byte of a sealed segment, and every body it speaks of, is as written."""
    items = 0
    origin = Position("", 0, 0)
    for found in segment.scan(0):
        if isinstance(found, Damage):
            return False
        if found.kind != Kind.FOOTER:
            try:
                to_item(origin, found, load_body)
            except Corrupt:
                return False
            items += 1
    return items == footer.items


def first_metadata(segment: Segment, offset: int) -> ItemMetadata | None:
    """The facts of the first item at or after `offset`; None when the segment has none."""
    for found in segment.scan(offset):
        if isinstance(found, Record) and found.kind in (Kind.ITEM, Kind.REFERENCE):
            with contextlib.suppress(Corrupt):
                return decode_metadata(found.metadata)
    return None


def count_items(segment: Segment, offset: int = 0) -> int:
    """How many items stand at or after `offset`: as the footer says, or one by one. Raises
    `OSError`."""
    if offset <= HEADER_SIZE_BYTES and segment.ending is Ending.SEALED and segment.footer:
        return segment.footer.items
    return sum(
        isinstance(found, Record) and found.kind != Kind.FOOTER for found in segment.scan(offset)
    )


def is_read(position: Position, number: int, size_bytes: int) -> bool:
    """Whether the position lies behind all of the segment with this number and size."""
    if number != position.segment:
        return number < position.segment
    return position.offset >= size_bytes


def _raw_size_bytes(record: Record) -> int:
    if record.kind == Kind.REFERENCE:
        try:
            return decode_reference(record.body).size_bytes
        except Corrupt:
            pass
    return len(record.body)


def _to_gap(position: Position, segment: Segment, damage: Damage) -> Gap:
    data = segment.read(damage.offset, damage.end_offset - damage.offset)
    return Gap(position, damage.end_offset, data, damage.reason)
