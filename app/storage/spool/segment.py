"""The format of a segment, byte by byte as docs/spool.md tells it.

A segment is a header of 64 bytes, then records, then a footer, which is a record too. Each record
starts with the *marker*: 16 random bytes, drawn for this segment and told by its header. Whoever
sends us mail never learns them, so no body can contain what would pass for a record. Numbers are
big-endian; checksums are CRC32 as zlib computes it.
"""

import json
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple
from zlib import crc32

import msgspec

from app.core.errors import Corrupt, Unavailable
from app.storage.spool.port import ItemMetadata

MARKER_SIZE_BYTES = 16
VERSION = 1
_MAGIC = b"PBXSPOOL"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_HEADER = struct.Struct(">8sH6x16sQQ12x")
_CHECKSUM = struct.Struct(">I")
HEADER_SIZE_BYTES = _HEADER.size + _CHECKSUM.size

_HEAD = struct.Struct(">16sB3xIQ")
_CHECKSUMS = struct.Struct(">II")
HEAD_SIZE_BYTES = _HEAD.size + _CHECKSUMS.size

_OFFSET = struct.Struct(">Q")
FOOTER_END_SIZE_BYTES = _OFFSET.size


class Kind(IntEnum):
    """What a record holds: an item whole, an item whose body is a file, the end of a segment."""

    ITEM = 1
    REFERENCE = 2
    FOOTER = 3


@dataclass(frozen=True, slots=True)
class Header:
    marker: bytes
    number: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before a record's metadata and body: their sizes and their checksum."""

    kind: int
    metadata_size_bytes: int
    body_size_bytes: int
    crc: int

    @property
    def data_size_bytes(self) -> int:
        return self.metadata_size_bytes + self.body_size_bytes


@dataclass(frozen=True, slots=True)
class Reference:
    """The body of a REFERENCE record: the file that holds the item's bytes, and their checksum."""

    file: str
    size_bytes: int
    crc: int


@dataclass(frozen=True, slots=True)
class Footer:
    """The metadata of a FOOTER record: what the segment holds. `bodies` names the files that its
    references speak of."""

    items: int
    bodies: tuple[str, ...]
    sealed_at: datetime


class Content(NamedTuple):
    """What a record will hold, before it is known in which segment. `crc` covers both parts."""

    kind: Kind
    metadata: bytes
    body: bytes
    crc: int


def encode_header(header: Header) -> bytes:
    created_us = (header.created_at - _EPOCH) // timedelta(microseconds=1)
    packed = _HEADER.pack(_MAGIC, VERSION, header.marker, header.number, created_us)
    return packed + _CHECKSUM.pack(crc32(packed))


def decode_header(data: bytes) -> Header | None:
    """None when the bytes are no header that was written whole and kept unchanged.

    Raises `Unavailable` when a later version of Pillarbox wrote it.
    """
    if len(data) < HEADER_SIZE_BYTES or not data.startswith(_MAGIC):
        return None
    if _CHECKSUM.unpack_from(data, _HEADER.size)[0] != crc32(data[: _HEADER.size]):
        return None
    _, version, marker, number, created_us = _HEADER.unpack_from(data)
    if version != VERSION:
        raise Unavailable(f"A spool segment has version {version}, which a later Pillarbox reads.")
    return Header(marker, number, _EPOCH + timedelta(microseconds=created_us))


def encode_item(metadata: ItemMetadata, raw: bytes) -> Content:
    encoded = encode_metadata(metadata)
    return Content(Kind.ITEM, encoded, raw, crc32(raw, crc32(encoded)))


def encode_reference(metadata: ItemMetadata, reference: Reference) -> Content:
    encoded, body = encode_metadata(metadata), msgspec.json.encode(reference)
    return Content(Kind.REFERENCE, encoded, body, crc32(body, crc32(encoded)))


def encode_footer(marker: bytes, footer: Footer, offset: int) -> bytes:
    """The whole record that stands at `offset` and ends the segment.

    Its body, the last 8 bytes of the segment, is its own offset: so it is found from the end.
    """
    metadata, body = msgspec.json.encode(footer), _OFFSET.pack(offset)
    content = Content(Kind.FOOTER, metadata, body, crc32(body, crc32(metadata)))
    return encode_head(marker, content) + metadata + body


def encode_head(marker: bytes, content: Content) -> bytes:
    kind, metadata, body, crc = content
    head = _HEAD.pack(marker, kind, len(metadata), len(body))
    return head + _CHECKSUMS.pack(crc32(head), crc)


def decode_head(data: bytes | memoryview, marker: bytes) -> Head | None:
    """None when no record of the segment with this marker begins with these bytes."""
    if len(data) < HEAD_SIZE_BYTES or data[:MARKER_SIZE_BYTES] != marker:
        return None
    head_crc, crc = _CHECKSUMS.unpack_from(data, _HEAD.size)
    if head_crc != crc32(data[: _HEAD.size]):
        return None
    _, kind, metadata_size_bytes, body_size_bytes = _HEAD.unpack_from(data)
    return Head(kind, metadata_size_bytes, body_size_bytes, crc)


def encode_metadata(metadata: ItemMetadata) -> bytes:
    """JSON in UTF-8. Text that is no valid Unicode (a client's raw bytes) is kept escaped."""
    try:
        return msgspec.json.encode(metadata)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(metadata)).encode()


_decode_metadata = msgspec.json.Decoder(ItemMetadata).decode
_decode_reference = msgspec.json.Decoder(Reference).decode
_decode_footer = msgspec.json.Decoder(Footer).decode


def decode_metadata(data: bytes) -> ItemMetadata:
    """Raises `Corrupt` when the bytes are not the metadata of an item."""
    try:
        return _decode_metadata(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return msgspec.convert(json.loads(data), ItemMetadata)
    except (ValueError, msgspec.ValidationError) as error:
        raise Corrupt("The metadata of a spool item cannot be understood.") from error


def decode_reference(data: bytes) -> Reference:
    """Raises `Corrupt` when the bytes are no reference."""
    try:
        return _decode_reference(data)
    except msgspec.DecodeError as error:
        raise Corrupt("A reference to a body file cannot be understood.") from error


def decode_footer(metadata: bytes) -> Footer:
    """Raises `Corrupt` when the bytes are no footer."""
    try:
        return _decode_footer(metadata)
    except msgspec.DecodeError as error:
        raise Corrupt("The footer of a segment cannot be understood.") from error


def decode_footer_offset(end: bytes) -> int:
    """The offset of the footer, from the last 8 bytes of a sealed segment."""
    offset: int = _OFFSET.unpack(end)[0]
    return offset
