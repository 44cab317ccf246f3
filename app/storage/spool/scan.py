"""Finding the records of one segment, damaged or not, without holding it in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Protocol
from zlib import crc32

from app.core.errors import Corrupt
from app.storage.spool.segment import (
    FOOTER_END_SIZE_BYTES,
    HEAD_SIZE_BYTES,
    HEADER_SIZE_BYTES,
    MARKER_SIZE_BYTES,
    Footer,
    Header,
    Kind,
    decode_footer,
    decode_footer_offset,
    decode_head,
    decode_header,
)

READ_AHEAD_SIZE_BYTES = 256 * 1024
MAX_DAMAGE_SIZE_BYTES = 16 * 1024 * 1024
_KINDS = frozenset(Kind)


class Source(Protocol):
    """The bytes of one segment, as far as they reach now."""

    @property
    def size_bytes(self) -> int: ...

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Fewer bytes than asked for only at the end. Raises `OSError`."""
        ...


class Ending(Enum):
    """What it means when no valid record stands where the next is due."""

    OPEN = "open"
    """It is being written: nothing more is there yet."""
    ABANDONED = "abandoned"
    """Its writer gave it up: what follows the last valid record was never promised."""
    SEALED = "sealed"
    """All of it was promised: it is damaged."""


@dataclass(frozen=True, slots=True)
class Record:
    offset: int
    end_offset: int
    kind: int
    metadata: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no record where one was promised. Long damage comes in several pieces."""

    offset: int
    end_offset: int
    reason: str


class Segment:
    """One segment for reading. Raises `Unavailable` when a later version wrote it."""

    def __init__(self, source: Source, ending: Ending) -> None:
        self.ending = ending
        self._source = source
        self._window = _Window(source)

    @property
    def size_bytes(self) -> int:
        return self._source.size_bytes

    @cached_property
    def header(self) -> Header | None:
        return decode_header(self._source.read(0, HEADER_SIZE_BYTES))

    @cached_property
    def footer_offset(self) -> int | None:
        """Where the footer of a sealed segment stands; None when it is damaged."""
        if self.size_bytes < HEADER_SIZE_BYTES + HEAD_SIZE_BYTES + FOOTER_END_SIZE_BYTES:
            return None
        end = self._source.read(self.size_bytes - FOOTER_END_SIZE_BYTES, FOOTER_END_SIZE_BYTES)
        offset = decode_footer_offset(end)
        if not HEADER_SIZE_BYTES <= offset < self.size_bytes:
            return None
        marker = self.header.marker if self.header else self._bytes_at(offset)
        found = self._find_at(offset, marker)
        if isinstance(found, str) or found.kind != Kind.FOOTER:
            return None
        return offset if found.end_offset == self.size_bytes else None

    @property
    def footer(self) -> Footer | None:
        """What a sealed segment says that it holds; None when that is damaged."""
        if self.footer_offset is None or not isinstance(
            record := self.record_at(self.footer_offset), Record
        ):
            return None
        try:
            return decode_footer(record.metadata)
        except Corrupt:
            return None

    def read(self, offset: int, size_bytes: int) -> bytes:
        """The bytes as they stand there, whatever they are."""
        return self._source.read(offset, size_bytes)

    def record_at(self, offset: int) -> Record | str:
        """The valid record that begins at this offset, or the reason why there is none."""
        if self.marker is None:
            return "the header is damaged"
        return self._find_at(offset, self.marker)

    def scan(self, offset: int) -> Iterator[Record | Damage]:
        """Every record from `offset` on and, unless the segment is open, the damage between."""
        if self._is_past_footer(offset) or (offset and offset >= self.size_bytes):
            return
        last: Record | Damage | None = None
        if offset < HEADER_SIZE_BYTES:
            if self.header is None:
                if self.marker is None and self.ending is not Ending.SEALED:
                    return
                last = Damage(offset, self._header_end, "the header is damaged")
                yield last
            offset = self._header_end
        for last in self._scan_records(offset):
            yield last
        ends_well = isinstance(last, Damage) or (last is not None and last.kind == Kind.FOOTER)
        if self.ending is Ending.SEALED and not ends_well:
            yield Damage(self.size_bytes, self.size_bytes, "the footer is missing")

    def _scan_records(self, offset: int) -> Iterator[Record | Damage]:
        while offset < self.size_bytes:
            found = self.record_at(offset)
            if isinstance(found, Record):
                yield found
                offset = found.end_offset
                continue
            if self.ending is Ending.OPEN:
                return
            resumes_at = self._next_record(offset + 1)
            if resumes_at is None and self.ending is Ending.ABANDONED:
                return
            resumes_at = resumes_at or self.size_bytes
            while offset < resumes_at:
                end = min(resumes_at, offset + MAX_DAMAGE_SIZE_BYTES)
                yield Damage(offset, end, found)
                offset = end

    def _is_past_footer(self, offset: int) -> bool:
        """Whether a reader was further than a tail that was cut off when the segment was sealed."""
        if self.ending is not Ending.SEALED or offset <= HEADER_SIZE_BYTES:
            return False
        return self.footer_offset is not None and offset > self.footer_offset

    @property
    def _header_end(self) -> int:
        return min(HEADER_SIZE_BYTES, self.size_bytes)

    @cached_property
    def marker(self) -> bytes | None:
        """The marker, from its copies in the records when the header is damaged."""
        if self.header:
            return self.header.marker
        first = self._bytes_at(HEADER_SIZE_BYTES)
        candidates = [first, self._bytes_at(16)]
        if self.ending is Ending.SEALED and self.footer_offset is not None:
            candidates.append(self._bytes_at(self.footer_offset))
        for marker in candidates:
            if len(marker) == MARKER_SIZE_BYTES and self._search(HEADER_SIZE_BYTES, marker):
                return marker
        return None

    def _bytes_at(self, offset: int) -> bytes:
        return self._source.read(offset, MARKER_SIZE_BYTES)

    def _find_at(self, offset: int, marker: bytes) -> Record | str:
        head = decode_head(self._window.view(offset, HEAD_SIZE_BYTES), marker)
        if head is None:
            return "no record begins here"
        if head.kind not in _KINDS:
            return f"a record of the unknown kind {head.kind}"
        start = offset + HEAD_SIZE_BYTES
        end = start + head.data_size_bytes
        if end > self.size_bytes:
            return "the record is cut short"
        data = self._window.view(start, head.data_size_bytes)
        if crc32(data) != head.crc:
            return "the checksum of the record is wrong"
        split = head.metadata_size_bytes
        return Record(offset, end, head.kind, bytes(data[:split]), bytes(data[split:]))

    def _next_record(self, offset: int) -> int | None:
        return self._search(offset, self.marker) if self.marker else None

    def _search(self, offset: int, marker: bytes) -> int | None:
        """Where the first valid record at or after `offset` begins."""
        while offset < self.size_bytes:
            chunk = self._source.read(offset, READ_AHEAD_SIZE_BYTES)
            at = chunk.find(marker)
            while at >= 0:
                if isinstance(self._find_at(offset + at, marker), Record):
                    return offset + at
                at = chunk.find(marker, at + 1)
            if offset + len(chunk) >= self.size_bytes:
                return None
            offset += len(chunk) - MARKER_SIZE_BYTES + 1
        return None


class _Window:
    """The part of a source that was read last, so that small records cost no call each."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._start = 0
        self._data = memoryview(b"")

    def view(self, offset: int, size_bytes: int) -> memoryview:
        """The bytes of this range; fewer only at the end of the source."""
        start = offset - self._start
        if start < 0 or start + size_bytes > len(self._data):
            wanted = max(size_bytes, READ_AHEAD_SIZE_BYTES)
            self._data = memoryview(self._source.read(offset, wanted))
            self._start, start = offset, 0
        return self._data[start : start + size_bytes]
