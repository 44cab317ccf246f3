"""The parts of a message, split within bounds of time and memory (RFC 2046, section 5.1)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.mime.headers import Header, read_header, unfold
from app.mime.parameters import Value, parameter_text, parse_value
from app.mime.transfer import decode_transfer

MAX_PARTS = 1000
MAX_DEPTH = 20

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,99}/[a-z0-9][a-z0-9!#$&^_.+-]{0,99}")


@dataclass(frozen=True, slots=True)
class Part:
    """A node of the tree: a multipart has `children`, any other part has `content`, which is
    decoded from its transfer encoding but not from its charset."""

    media: Value
    disposition: Value
    content_id: str
    content: bytes
    children: tuple["Part", ...] = ()

    @property
    def content_type(self) -> str:
        """`text/plain` where none is given that can be read (RFC 2045, section 5.2)."""
        token = self.media.token
        if _MEDIA_TYPE.fullmatch(token):
            return token
        return "application/octet-stream" if "/" in token else "text/plain"

    @property
    def charset(self) -> str:
        return self.media.parameters.get("charset", "").partition(" ")[0]

    @property
    def boundary(self) -> str:
        return self.media.parameters.get("boundary", "").rstrip()

    @property
    def file_name(self) -> str:
        """As the sender gave it, decoded, not made safe; empty if there is none."""
        name = self.disposition.parameters.get("filename") or self.media.parameters.get("name", "")
        return parameter_text(name)


def make_part(
    content_type: bytes,
    disposition: bytes,
    content_id: bytes,
    content: bytes,
    children: tuple[Part, ...] = (),
) -> Part:
    """A part from the raw values of its fields."""
    identifier = unfold(content_id[:1000]).strip("<> ")
    return Part(parse_value(content_type), parse_value(disposition), identifier, content, children)


def read_tree(raw: bytes, header: Header) -> tuple[Part, tuple[str, ...]]:
    """The tree below `header`, and the defects met. Never fails.

    What lies beyond `MAX_PARTS` or `MAX_DEPTH` is kept whole, as a part with its encoded bytes.
    """
    reader = _Reader(raw)
    root = reader.read(header, len(raw), depth=0)
    return root, tuple(sorted(reader.defects))


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self.defects: set[str] = set()
        self._raw = raw
        self._parts_left = MAX_PARTS

    def read(self, header: Header, end: int, depth: int) -> Part:
        """The part whose header was read and whose body ends at `end`."""
        self._parts_left -= 1
        if depth and header.truncated:
            self.defects.add("part-header-truncated")
        part = make_part(
            header.first("content-type"),
            header.first("content-disposition"),
            header.first("content-id"),
            b"",
        )
        body = slice(header.body_start, end)
        if not part.content_type.startswith("multipart/"):
            encoding = parse_value(header.first("content-transfer-encoding")).token
            content, well_formed = decode_transfer(self._raw[body], encoding)
            if not well_formed:
                self.defects.add("broken-transfer-encoding")
            return Part(part.media, part.disposition, part.content_id, content)
        if depth == MAX_DEPTH:
            self.defects.add("nested-too-deeply")
            return self._rest(body)
        if children := tuple(self._read_children(body, part.boundary, depth)):
            return Part(part.media, part.disposition, part.content_id, b"", children)
        self.defects.add("multipart-without-parts")
        return Part(Value("text/plain"), Value(""), "", self._raw[body])

    def _read_children(self, body: slice, boundary: str, depth: int) -> Iterator[Part]:
        for start, end in self._spans(body, boundary):
            if self._parts_left <= 0:
                self.defects.add("too-many-parts")
                yield self._rest(slice(start, body.stop))
                return
            yield self.read(read_header(self._raw, start, end), end, depth + 1)

    def _spans(self, body: slice, boundary: str) -> Iterator[tuple[int, int]]:
        """Where each part between delimiters begins and ends; the last may lack its delimiter."""
        if not boundary:
            return
        delimiter = re.compile(
            rb"\n--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*+\r?(?=\n|\Z)"
        )
        start = None
        for match in delimiter.finditer(self._raw, max(body.start - 1, 0), body.stop):
            if start is not None:
                line_end = match.start()
                if self._raw[line_end - 1 : line_end] == b"\r":
                    line_end -= 1
                yield start, max(start, line_end)
            start = match.end() + 1
            if match[1]:
                return
        if start is not None and start <= body.stop:
            yield start, body.stop

    def _rest(self, span: slice) -> Part:
        return Part(Value("application/octet-stream"), Value("attachment"), "", self._raw[span])
