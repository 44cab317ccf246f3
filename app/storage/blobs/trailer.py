"""What follows an object's bytes in its file: its metadata, then a tail of fixed size.

| part | size in bytes | holds |
|---|---|---|
| data | any | exactly the bytes that were put |
| metadata | `n` | one JSON object of strings, in UTF-8 |
| tail | 8 | `PBXBLOB1` |
|  | 4 | `n` |
|  | 4 | CRC32 of the data |
|  | 4 | CRC32 of the metadata and the 16 bytes before this one |

Numbers are big-endian. It is a trailer, not a header, so that `head -c` or a web server can give
out the data from the start of the file; not a second file, since that would double the syncs; and
not an extended attribute, since copies and backups lose those.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zlib import crc32

import msgspec

from app.core.errors import Corrupt

_MAGIC = b"PBXBLOB1"
_FACTS = struct.Struct(">8sII")
_CHECKSUM = struct.Struct(">I")
TAIL_SIZE_BYTES = _FACTS.size + _CHECKSUM.size

_decode_metadata = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True, slots=True)
class Trailer:
    metadata: Mapping[str, str]
    data_size_bytes: int
    data_crc: int


def encode_trailer(data: bytes, metadata: Mapping[str, str]) -> bytes:
    encoded = msgspec.json.encode(metadata)
    checked = encoded + _FACTS.pack(_MAGIC, len(encoded), crc32(data))
    return checked + _CHECKSUM.pack(crc32(checked))


def read_trailer(key: str, file_size_bytes: int, read_end: Callable[[int], bytes]) -> Trailer:
    """The trailer of a file; `read_end(n)` gives its last `n` bytes. Raises `Corrupt`."""
    tail = read_end(TAIL_SIZE_BYTES)
    magic, metadata_size_bytes, data_crc = _FACTS.unpack_from(tail)
    trailer_size_bytes = metadata_size_bytes + TAIL_SIZE_BYTES
    if magic != _MAGIC or trailer_size_bytes > file_size_bytes:
        raise Corrupt(f"The file of the object {key} does not end as an object does.")
    trailer = read_end(trailer_size_bytes)
    if crc32(trailer[: -_CHECKSUM.size]) != _CHECKSUM.unpack(trailer[-_CHECKSUM.size :])[0]:
        raise Corrupt(f"The metadata of the object {key} was changed on the disk.")
    metadata = _decode_metadata(trailer[:metadata_size_bytes])
    return Trailer(metadata, file_size_bytes - trailer_size_bytes, data_crc)
