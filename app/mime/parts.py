"""The MIME tree of a message (RFC 2045, RFC 2046).

fast-mail-parser reads it where its reading is known to be right and quick. Otherwise `multipart`
does, with the same result: on broken base64, on embedded messages, and on what is quadratic in
fast-mail-parser (encoded words on one line: 400 KB take 3 s) or unbounded there (75 MB of
delimiters make 19 million parts, 75 MB of fields in a part 19 million fields).
"""

import re

from fast_mail_parser import ParseError, PyMimePart, parse_email_tree

from app.mime.headers import MAX_VALUE_CHARS, Header
from app.mime.multipart import Part, make_part, read_tree

_FIELDS = ("content-type", "content-disposition", "content-id", "content-transfer-encoding")
_ENCODINGS = frozenset({"", "7bit", "8bit", "binary", "base64", "quoted-printable"})
_MAX_DELIMITERS = 200
_MAX_HEADER_BYTES = 64 * 1024
_FOREIGN = re.compile(rb"=\?|message/|digest|[\x80-\xff]", re.I)
_FIELD_LINES = re.compile(rb"(?:[!-9;-~]+[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z))*")
_BLANK_LINE = re.compile(rb"\n\r?\n")


def read_parts(raw: bytes, header: Header) -> tuple[Part, tuple[str, ...]]:
    """The tree below `header`, the message's own, and the defects met. Never fails; bounded."""
    root = read_fast(raw, header)
    return (root, ()) if root else read_tree(raw, header)


def read_fast(raw: bytes, header: Header) -> Part | None:
    """The tree as fast-mail-parser reads it, or None where that may be slow or differ from ours.

    It is given those fields alone that say what the body is.
    """
    delimiters = _find_delimiters(raw, header.body_start)
    values = [(name.encode(), header.first(name)) for name in _FIELDS]
    fields = b"".join(b"%b:%b\n" % (name, value) for name, value in values if value)
    if delimiters is None or len(fields) > MAX_VALUE_CHARS or _FOREIGN.search(fields):
        return None
    try:
        root = parse_email_tree(fields + b"\n" + raw[header.body_start :])
        return _convert(root, delimiters)
    except (ParseError, _Disagreement):
        return None


class _Disagreement(Exception):
    """fast-mail-parser reads a part otherwise than the standard says."""


def _find_delimiters(raw: bytes, start: int) -> list[str] | None:
    """The lines that may be delimiters, without the dashes before them. None where the header that
    may follow one is not for fast-mail-parser."""
    delimiters: list[str] = []
    bytes_left = _MAX_HEADER_BYTES
    position = raw.find(b"\n--", max(start - 1, 0))
    while position >= 0:
        blank = _BLANK_LINE.search(raw, position + 1, position + bytes_left)
        end = blank.start() if blank else len(raw)
        bytes_left -= end - position
        if bytes_left < 0 or len(delimiters) == _MAX_DELIMITERS:
            return None
        line, _, rest = raw[position + 3 : end].partition(b"\n")
        if _FOREIGN.search(rest) or not _FIELD_LINES.fullmatch(rest):
            return None
        delimiters.append(line.decode("latin-1").rstrip())
        position = raw.find(b"\n--", position + 3)
    return delimiters


def _convert(node: PyMimePart, delimiters: list[str]) -> Part:
    found = {name.lower(): values[0] for name, values in node.headers.items()}
    *values, encoding = (found.get(name, "") for name in _FIELDS)
    content_type, disposition, content_id = (value.encode("utf-8", "replace") for value in values)
    children = tuple(_convert(child, delimiters) for child in node.children)
    part = make_part(content_type, disposition, content_id, node.content or b"", children)
    if part.content_type.startswith("multipart/"):
        agreed = children and not any(_is_misread(line, part.boundary) for line in delimiters)
    else:
        agreed = not children and encoding.lower() in _ENCODINGS
    if not agreed:
        raise _Disagreement
    return part


def _is_misread(line: str, boundary: str) -> bool:
    """fast-mail-parser takes a line for a delimiter that only begins like one."""
    return line.startswith(boundary) and line not in (boundary, boundary + "--")
