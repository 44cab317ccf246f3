"""The forms of a message that DKIM signs (RFC 6376, section 3.4), in time and memory that do not
grow faster than the message: a body is hashed as its chunks pass by."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

MAX_FIELDS = 2000

_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:.*\n(?:[ \t].*\n)*", re.M)
_NEWLINES_AT_ONCE = 32 * 1024


@dataclass(frozen=True, slots=True)
class RawField:
    """A header field: its name in lower case, and all of its bytes with LF as line ends."""

    name: str
    content: bytes


def split_fields(head: bytes) -> Sequence[RawField]:
    """The fields of a header section, with or without the empty line behind it. Lines that are no
    field are stepped over; at most `MAX_FIELDS` are read."""
    text = head.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
    return [
        RawField(match[1].decode("ascii").lower(), match[0])
        for match, _ in zip(_FIELD.finditer(text), range(MAX_FIELDS), strict=False)
    ]


def select_fields(fields: Sequence[RawField], names: Sequence[str]) -> Iterator[RawField]:
    """The fields that a signature names, from the bottom up where a name stands several times; a
    name with no field left stands for nothing (section 5.4.2)."""
    by_name: Mapping[str, list[RawField]] = {
        name: list(found)
        for name, found in groupby(
            sorted(fields, key=lambda field: field.name), key=lambda field: field.name
        )
    }
    for name in names:
        if left := by_name.get(name):
            yield left.pop()


def canonicalise_field(content: bytes, *, is_relaxed: bool) -> bytes:
    """A field with its final CRLF, which is to be cut off the signature's own."""
    if not is_relaxed:
        return content.replace(b"\n", b"\r\n")
    name, _, value = content.partition(b":")
    value = _collapse_runs(value.replace(b"\n", b"")).strip(b" ")
    return name.rstrip(b" \t").lower() + b":" + value + b"\r\n"


class BodyHash:
    """SHA-256 of a body in canonical form, given in chunks of any size. Bare LF counts as CRLF.

    With `length_bytes` only so many octets are hashed (`l=`); `covers_all` says whether that was
    the whole, once the digest was taken.
    """

    def __init__(self, *, is_relaxed: bool, length_bytes: int | None = None) -> None:
        self._is_relaxed = is_relaxed
        self._length_bytes = length_bytes
        self._digest = hashlib.sha256()
        self._size_bytes = 0
        # What is held back until it is known whether anything follows it.
        self._ends_with_cr = False
        self._ends_with_space = False
        self._newlines = 0

    def update(self, chunk: bytes) -> None:
        text = (b"\r" if self._ends_with_cr else b"") + chunk
        self._ends_with_cr = text.endswith(b"\r")
        text = (text[:-1] if self._ends_with_cr else text).replace(b"\r\n", b"\n")
        if self._is_relaxed:
            text = self._collapse(text)
        content = text.rstrip(b"\n")
        if content:
            self._add_newlines(self._newlines)
            self._newlines = 0
            self._add(content.replace(b"\n", b"\r\n"))
        self._newlines += len(text) - len(content)

    def finish(self) -> bytes:
        """The digest. Empty lines at the end do not count; a body of nothing else is one CRLF in
        the simple form and nothing in the relaxed one."""
        if self._ends_with_cr:
            self._ends_with_cr = False
            self._add_newlines(self._newlines)
            self._add(b"\r")
        if self._size_bytes or not self._is_relaxed:
            self._add(b"\r\n")
        return self._digest.digest()

    @property
    def covers_all(self) -> bool:
        return self._length_bytes is None or self._size_bytes <= self._length_bytes

    def _collapse(self, text: bytes) -> bytes:
        """Runs of white space become one space, and none at the end of a line."""
        if self._ends_with_space:
            text = b" " + text
        text = _collapse_runs(text).replace(b" \n", b"\n")
        self._ends_with_space = text.endswith(b" ")
        return text.removesuffix(b" ")

    def _add_newlines(self, count: int) -> None:
        while count > 0:
            some = min(count, _NEWLINES_AT_ONCE)
            self._add(b"\r\n" * some)
            count -= some

    def _add(self, data: bytes) -> None:
        if self._length_bytes is None:
            self._digest.update(data)
        else:
            self._digest.update(data[: max(0, self._length_bytes - self._size_bytes)])
        self._size_bytes += len(data)


def _collapse_runs(text: bytes) -> bytes:
    """Every run of spaces and tabs as one space: by halves, which is quicker than by patterns."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return text
