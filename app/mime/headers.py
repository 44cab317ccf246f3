"""The header section of a message or of a part: split, bounded, decoded (RFC 5322, section 2.2)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.mime.charsets import decode_text, one_line
from app.mime.encoded_words import decode_words

MAX_HEADER_BYTES = 1024 * 1024
MAX_FIELDS = 1000
MAX_VALUE_CHARS = 8192

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*)(?:\n|\Z)")
_FIELD_NAME = re.compile(rb"[!-9;-~]++[ \t]*+:")
_BLANK_LINE = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True)
class Header:
    """The fields in their order, values raw. `body_start` is the offset of what follows them.

    `truncated` says that there was more than `MAX_HEADER_BYTES` or `MAX_FIELDS`, which was passed
    over; `unterminated`, that the empty line before the body is missing.
    """

    fields: Sequence[tuple[str, bytes]]
    body_start: int
    truncated: bool
    unterminated: bool
    _by_name: Mapping[str, Sequence[bytes]]

    def first(self, name: str) -> bytes:
        """The raw value of the first field with this name (in lower case); empty without one."""
        return self.all(name)[0] if name in self._by_name else b""

    def all(self, name: str) -> Sequence[bytes]:
        return self._by_name.get(name, ())


def read_header(raw: bytes, start: int, end: int) -> Header:
    """The header section that begins at `start`, which is the start of a line. Never fails.

    A line that is no field is stepped over where a field follows it; otherwise the empty line
    before the body is missing and the body begins there.
    """
    block_end, body_start = _find_end(raw, start, end)
    stop = min(block_end, start + MAX_HEADER_BYTES)
    fields: list[tuple[str, bytes]] = []
    position = start
    lines_left = MAX_FIELDS
    unterminated = False
    while position < stop and lines_left:
        lines_left -= 1
        if match := _FIELD.match(raw, position, stop):
            fields.append((match[1].decode("ascii"), match[2]))
            position = match.end()
            continue
        next_line = raw.find(b"\n", position, stop) + 1 or stop
        if not _is_stray(raw, position, next_line, stop):
            body_start, unterminated = position, True
            break
        position = next_line
    by_name: dict[str, list[bytes]] = {}
    for name, value in fields:
        by_name.setdefault(name.lower(), []).append(value)
    truncated = not unterminated and position < block_end
    return Header(fields, body_start, truncated, unterminated, by_name)


def header_text(value: bytes) -> str:
    """A field's value for people: unfolded, encoded words decoded, one line, bounded."""
    return one_line(decode_words(unfold(value[: 4 * MAX_VALUE_CHARS])))[:MAX_VALUE_CHARS]


def unfold(value: bytes) -> str:
    """A field's value as it was sent, on one line. Raw 8-bit octets are UTF-8 (RFC 6532) or else
    Windows-1252."""
    if b"\n" in value or b"\r" in value:
        value = value.replace(b"\r", b"").replace(b"\n", b"")
    text = value.decode("ascii") if value.isascii() else decode_text(value, "")
    return text.strip()


def _find_end(raw: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the line of the last field ends, and where the body begins."""
    if raw.startswith((b"\n", b"\r\n"), start, end):
        return start, raw.index(b"\n", start) + 1
    if blank := _BLANK_LINE.search(raw, start, end):
        return blank.start() + 1, blank.end()
    return end, end


def _is_stray(raw: bytes, start: int, next_line: int, stop: int) -> bool:
    """Whether the line that is no field is to be stepped over: an mbox separator, the rest of a
    broken field, or a single line among fields."""
    return raw.startswith((b"From ", b">From ", b" ", b"\t"), start, stop) or bool(
        _FIELD_NAME.match(raw, next_line, stop)
    )
