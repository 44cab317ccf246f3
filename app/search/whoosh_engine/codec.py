"""How a segment of a mailbox's index lies on disk: Whoosh's own codec is slow in Python.

A segment is one file, written once and then mapped into memory:

    header      magic, format, number of documents, number of terms, length of the file
    times       for each document when it was received, in microseconds (64 bits)
    ids         for each document its message id (128 bits)
    terms       for each term where its text ends, where its postings start, in how many
                documents it is; then the texts in UTF-8, sorted
    postings    for each term the numbers of its documents (32 bits), how often it stands in each
                (16), and all positions (16)

Whoosh keeps the list of segments, locks the index, and replaces one generation by the next.
"""

import mmap
import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from whoosh.codec import base

FILE_ENDING = ".idx"

_HEADER = struct.Struct("<4sIIIQ")
_MAGIC = b"PBXS"
_FORMAT = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BIAS = 1 << 62  # so that no time is negative
_LAST = "\U0010ffff"


Key: TypeAlias = tuple[int, bytes]
"""When a message was received, and its id: sorts as (received_at, message_id) does."""


def key_of(received_at: datetime, message_id: UUID) -> Key:
    return time_of(received_at), message_id.bytes


def time_of(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) + _BIAS


def read_key(key: Key) -> tuple[datetime, UUID]:
    time, message_id = key
    return _EPOCH + timedelta(microseconds=time - _BIAS), UUID(bytes=message_id)


def id_term(message_id: UUID) -> str:
    """The term under which a document is found by its id; it is no token and no mark."""
    return "\0" + message_id.hex


@dataclass(slots=True)
class Postings:
    """Where a term stands: documents, how often in each, and the positions of all."""

    documents: "array[int]" = field(default_factory=lambda: array("I"))
    counts: "array[int]" = field(default_factory=lambda: array("H"))
    positions: "array[int]" = field(default_factory=lambda: array("H"))

    def add(self, document: int, positions: Sequence[int]) -> None:
        self.documents.append(document)
        self.counts.append(len(positions))
        self.positions.extend(positions)

    def tobytes(self) -> bytes:
        return self.documents.tobytes() + self.counts.tobytes() + self.positions.tobytes()


class Segment:
    """A segment that is read. Not for several threads at once. Raises ValueError and OSError when
    the file is not what was written."""

    def __init__(self, path: str, deleted: frozenset[int]) -> None:
        with open(path, "rb") as file:  # noqa: PTH123
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.deleted = deleted
        magic, format_, self.count, terms, length = _HEADER.unpack_from(self._map)
        if (magic, format_, length) != (_MAGIC, _FORMAT, len(self._map)):
            raise ValueError("a segment is not as long as it says")
        self._terms = terms
        self.times = self._array("Q", _HEADER.size, self.count)
        self._ids_at = _HEADER.size + 8 * self.count
        self._ends_at = self._ids_at + 16 * self.count
        self._starts_at = self._ends_at + 4 * terms
        self._counts_at = self._starts_at + 8 * (terms + 1)
        self._texts_at = self._counts_at + 4 * terms
        self._postings_at = self._texts_at + (self._end(terms - 1) if terms else 0)

    def close(self) -> None:
        self._map.close()

    def key(self, document: int) -> Key:
        start = self._ids_at + 16 * document
        return self.times[document], self._map[start : start + 16]

    def keys(self) -> list[Key]:
        """Of all documents, deleted ones too."""
        return [self.key(document) for document in range(self.count)]

    def documents(self, term: str) -> Sequence[int]:
        """The documents with this term, ascending, deleted ones too."""
        number = self._find(term)
        return () if number is None else self._documents(number)

    def documents_with_prefix(self, prefix: str) -> set[int]:
        first = self._position(prefix.encode())
        last = self._position((prefix + _LAST).encode())
        found: set[int] = set()
        for number in range(first, last):
            found.update(self._documents(number))
        return found

    def postings(self, term: str) -> Postings:
        number = self._find(term)
        return Postings() if number is None else self._postings(number)

    def terms(self) -> Iterator[tuple[str, Postings]]:
        """All there is, in order. Merges spend their time here: everything is read at once."""
        ends = self._array("I", self._ends_at, self._terms)
        starts = self._array("Q", self._starts_at, self._terms + 1)
        counts = self._array("I", self._counts_at, self._terms)
        texts = self._map[self._texts_at : self._postings_at]
        data = self._map[self._postings_at :]
        text_at = start = 0
        for text_end, count, end in zip(ends, counts, starts[1:], strict=True):
            postings = Postings()
            counts_at, positions_at = start + 4 * count, start + 6 * count
            postings.documents.frombytes(data[start:counts_at])
            postings.counts.frombytes(data[counts_at:positions_at])
            postings.positions.frombytes(data[positions_at:end])
            yield texts[text_at:text_end].decode(), postings
            text_at, start = text_end, end

    def _find(self, term: str) -> int | None:
        text = term.encode()
        number = self._position(text)
        return number if number < self._terms and self._text(number) == text else None

    def _position(self, text: bytes) -> int:
        return bisect_left(range(self._terms), text, key=self._text)

    def _text(self, number: int) -> bytes:
        start = self._end(number - 1) if number else 0
        return self._map[self._texts_at + start : self._texts_at + self._end(number)]

    def _end(self, number: int) -> int:
        end: int = _UINT.unpack_from(self._map, self._ends_at + 4 * number)[0]
        return end

    def _extent(self, number: int) -> tuple[int, int]:
        start, end = _PAIR.unpack_from(self._map, self._starts_at + 8 * number)
        return self._postings_at + start, self._postings_at + end

    def _documents(self, number: int) -> "array[int]":
        start, _ = self._extent(number)
        return self._array("I", start, self._count(number))

    def _count(self, number: int) -> int:
        count: int = _UINT.unpack_from(self._map, self._counts_at + 4 * number)[0]
        return count

    def _postings(self, number: int) -> Postings:
        start, end = self._extent(number)
        count = self._count(number)
        counts_at, positions_at = start + 4 * count, start + 6 * count
        return Postings(
            self._array("I", start, count),
            self._array("H", counts_at, count),
            self._array("H", positions_at, (end - positions_at) // 2),
        )

    def _array(self, typecode: str, start: int, count: int) -> "array[int]":
        values = array(typecode)
        values.frombytes(self._map[start : start + values.itemsize * count])
        if len(values) != count:
            raise ValueError("a segment ends too early")
        return values


_UINT = struct.Struct("=I")
_PAIR = struct.Struct("=QQ")


class MailCodec(base.Codec):  # type: ignore[misc]
    """Tells Whoosh's writer where keys and terms go."""

    length_stats = False

    def new_segment(self, _storage: Any, index_name: str) -> "SegmentEntry":
        return SegmentEntry(index_name)

    def per_document_writer(self, _storage: Any, _segment: "SegmentEntry") -> "KeysWriter":
        return KeysWriter()

    def field_writer(self, storage: Any, segment: "SegmentEntry") -> "SegmentFile":
        return SegmentFile(storage, segment)


class SegmentEntry(base.Segment):  # type: ignore[misc]
    """A segment in Whoosh's list: how many documents it has, and which were deleted since."""

    def __init__(self, index_name: str) -> None:
        super().__init__(index_name)
        self._count = 0
        self._deleted: set[int] = set()

    def codec(self) -> MailCodec:
        return MailCodec()

    def set_doc_count(self, count: int) -> None:
        self._count = count

    def doc_count_all(self) -> int:
        return self._count

    def deleted_count(self) -> int:
        return len(self._deleted)

    def deleted_docs(self) -> frozenset[int]:
        return frozenset(self._deleted)

    def delete_document(self, document: int) -> None:
        self._deleted.add(document)

    def is_deleted(self, document: int) -> bool:
        return document in self._deleted


class KeysWriter:
    """The keys of a segment's documents, until it is written."""

    is_closed = True  # there is nothing to close, whatever becomes of the segment

    def __init__(self) -> None:
        self.keys: list[Key] = []


class SegmentFile:
    """Where a segment is written, at once."""

    is_closed = True

    def __init__(self, storage: Any, segment: "SegmentEntry") -> None:
        self._storage = storage
        self._segment = segment

    def write(self, keys: Sequence[Key], terms: Mapping[str, Postings]) -> None:
        ends, starts, counts = array("I"), array("Q", [0]), array("I")
        texts, postings = bytearray(), bytearray()
        for term in sorted(terms):
            entry = terms[term]
            texts += term.encode()
            ends.append(len(texts))
            postings += entry.tobytes()
            starts.append(len(postings))
            counts.append(len(entry.documents))
        times, ids = array("Q", [time for time, _ in keys]), b"".join([each for _, each in keys])
        parts = (times.tobytes(), ids, ends.tobytes(), starts.tobytes(), counts.tobytes(), texts)
        length = _HEADER.size + sum(map(len, parts)) + len(postings)
        with self._segment.create_file(self._storage, FILE_ENDING) as file:
            file.write(_HEADER.pack(_MAGIC, _FORMAT, len(keys), len(terms), length))
            for part in (*parts, postings):
                file.write(part)
