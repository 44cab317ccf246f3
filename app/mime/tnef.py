"""What lies inside a winmail.dat ([MS-OXTNEF], the Transport Neutral Encapsulation Format).

Outlook packs a message into one when it believes that the other side is Outlook too. Time and
memory are linear in the size of the container: every length in it is checked before it is
followed, and it nests no deeper than `_MAX_DEPTH`.
"""

import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from mimetypes import MimeTypes

from app.core.errors import PillarboxError
from app.mime.charsets import decode_text, one_line

MAX_FILES = 200
_MAX_DEPTH = 3
_MAX_ATTRIBUTES = 2000
_MAX_PROPERTIES = 500
_MAX_VALUES = 50

_SIGNATURE = 0x223E9F78
_LEVEL_MESSAGE, _LEVEL_ATTACHMENT = 1, 2
_ATTRIBUTE = struct.Struct("<BHHI")
_CHECKSUM_BYTES = 2

# Attributes ([MS-OXTNEF], 2.1.3.3): their ids without the types.
_ATTACHMENT_START = 0x9002
_ATTACHMENT_TITLE = 0x8010
_ATTACHMENT_DATA = 0x800F
_ATTACHMENT_PROPERTIES = 0x9005
_MESSAGE_TEXT = 0x800C
_MESSAGE_PROPERTIES = 0x9003
_CODE_PAGE = 0x9007

# Properties ([MS-OXPROPS]).
_BODY, _BODY_HTML, _INTERNET_CODE_PAGE = 0x1000, 0x1013, 0x3FDE
_DATA, _MEDIA_TYPE, _CONTENT_ID = 0x3701, 0x370E, 0x3712
_NAMES = (0x3707, 0x3704, 0x3001)

_STRING8, _UNICODE, _BINARY, _OBJECT = 0x001E, 0x001F, 0x0102, 0x000D
_VARIABLE = frozenset({_STRING8, _UNICODE, _BINARY, _OBJECT, 0x0000})
_FIXED_BYTES = {
    **dict.fromkeys((0x0002, 0x000B), 2),
    **dict.fromkeys((0x0001, 0x0003, 0x0004, 0x000A), 4),
    **dict.fromkeys((0x0005, 0x0006, 0x0007, 0x0014, 0x0040), 8),
    0x0048: 16,
}
_SEVERAL_VALUES = 0x1000
_NAMED = 0x8000
# The interface (IMessage) that an embedded message is stored under, in front of its own container.
_EMBEDDED = bytes.fromhex("0703020000000000c000000000000046")

_TYPES = MimeTypes(filenames=())


class NotTnef(PillarboxError):
    """The bytes are no container, or a broken one."""


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file in the container. Its name and type are the sender's word, its name may be empty."""

    name: str
    content_type: str
    content_id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PackedMessage:
    """`text` and `html` are empty where there is none; text in RTF is not read."""

    text: str
    html: str
    files: tuple[PackedFile, ...]


def open_tnef(data: bytes) -> PackedMessage:
    """The message in a container; files of messages embedded in it come with its own.

    Raises `NotTnef`, and nothing else, whatever the bytes are.
    """
    try:
        return _open(memoryview(data), depth=1)
    except struct.error as error:
        raise NotTnef("The container breaks off.") from error


@dataclass(slots=True)
class _Draft:
    """An attachment while its attributes are read."""

    title: str = ""
    data: memoryview = field(default_factory=lambda: memoryview(b""))
    properties: Mapping[int, "_Value"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Value:
    kind: int
    data: memoryview


def _open(data: memoryview, depth: int) -> PackedMessage:
    charset, text, html = "cp1252", "", ""
    properties: Mapping[int, _Value] = {}
    drafts: list[_Draft] = []
    for level, name, value in _read_attributes(data):
        if level == _LEVEL_ATTACHMENT:
            if name == _ATTACHMENT_START:
                drafts.append(_Draft())
            if not drafts or len(drafts) > MAX_FILES:
                raise NotTnef("The container's attachments are out of order or too many.")
            _add(drafts[-1], name, value, charset)
        elif name == _CODE_PAGE:
            charset = _charset(struct.unpack_from("<I", value)[0])
        elif name == _MESSAGE_TEXT:
            text = _strip(decode_text(bytes(value), charset))
        elif name == _MESSAGE_PROPERTIES and not properties:
            properties = _read_properties(value)
            text = _string(properties.get(_BODY), charset) or text
            html = _string(properties.get(_BODY_HTML), _internet_charset(properties, charset))
    files = [file for draft in drafts for file in _unpack(draft, charset, depth)]
    return PackedMessage(text, html, tuple(files[:MAX_FILES]))


def _add(draft: _Draft, name: int, value: memoryview, charset: str) -> None:
    if name == _ATTACHMENT_TITLE:
        draft.title = one_line(_strip(decode_text(bytes(value), charset)))
    elif name == _ATTACHMENT_DATA:
        draft.data = value
    elif name == _ATTACHMENT_PROPERTIES and not draft.properties:
        draft.properties = _read_properties(value)


def _unpack(draft: _Draft, charset: str, depth: int) -> Iterator[PackedFile]:
    def string(name: int) -> str:
        return one_line(_string(draft.properties.get(name), charset))

    content = draft.data
    stored = draft.properties.get(_DATA)
    if stored is not None and not content:
        content = stored.data
        if stored.kind == _OBJECT and bytes(content[:16]) == _EMBEDDED and depth < _MAX_DEPTH:
            yield from _unpack_embedded(content[16:], depth)
            return
    name = next(filter(None, map(string, _NAMES[:2])), draft.title) or string(_NAMES[2])
    if not (name or content):
        return
    guessed = _TYPES.guess_type(name)[0] or "application/octet-stream"
    content_type = string(_MEDIA_TYPE).lower() or guessed
    yield PackedFile(name, content_type, string(_CONTENT_ID).strip("<>"), bytes(content))


def _unpack_embedded(data: memoryview, depth: int) -> Iterator[PackedFile]:
    """A message within the message: its text as a file, then its files."""
    message = _open(data, depth + 1)
    if message.html:
        yield PackedFile("message.html", "text/html", "", message.html.encode())
    elif message.text:
        yield PackedFile("message.txt", "text/plain", "", message.text.encode())
    yield from message.files


def _read_attributes(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Level, id and value of each attribute (2.1.3.2). The last may be cut off, and what is too
    short for one ends them: containers lose their ends on the way."""
    if struct.unpack_from("<I", data)[0] != _SIGNATURE:
        raise NotTnef("There is no container.")
    offset = 6
    for _ in range(_MAX_ATTRIBUTES):
        if len(data) - offset < _ATTRIBUTE.size + _CHECKSUM_BYTES:
            return
        level, name, _, size = _ATTRIBUTE.unpack_from(data, offset)
        start = offset + _ATTRIBUTE.size
        offset = start + size + _CHECKSUM_BYTES
        if level not in (_LEVEL_MESSAGE, _LEVEL_ATTACHMENT):
            raise NotTnef("An attribute belongs to nothing.")
        yield level, name, data[start : start + size]
    raise NotTnef("The container has too many attributes.")


def _read_properties(data: memoryview) -> Mapping[int, _Value]:
    """The first value of each property, as far as they can be read."""
    properties: dict[int, _Value] = {}
    with suppress(struct.error):
        for name, value in _iterate_properties(data):
            properties.setdefault(name, value)
    return properties


def _iterate_properties(data: memoryview) -> Iterator[tuple[int, _Value]]:
    """Section 2.1.3.4. One of an unknown type ends them; `struct.error` where they break off."""
    (count,) = struct.unpack_from("<I", data)
    offset = 4
    for _ in range(min(count, _MAX_PROPERTIES)):
        kind, name = struct.unpack_from("<HH", data, offset)
        offset += 4
        if name >= _NAMED:
            offset = _skip_name(data, offset)
        several, kind = kind & _SEVERAL_VALUES, kind & ~_SEVERAL_VALUES
        if kind in _VARIABLE:
            (values,) = struct.unpack_from("<I", data, offset)
            if values > _MAX_VALUES:
                return
            value, offset = _read_variable(data, offset + 4, values)
        elif kind in _FIXED_BYTES:
            values = 1
            if several:
                (values,) = struct.unpack_from("<I", data, offset)
                offset += 4
            value = data[offset : offset + _FIXED_BYTES[kind]]
            offset += _padded(_FIXED_BYTES[kind] * values)
        else:
            return
        if offset > len(data):
            return
        yield name, _Value(kind, value)


def _skip_name(data: memoryview, offset: int) -> int:
    """Behind the name of a named property: a number, or a text of a length that is given."""
    is_text, number = struct.unpack_from("<II", data, offset + 16)
    return offset + 24 + (_padded(number) if is_text else 0)


def _read_variable(data: memoryview, offset: int, values: int) -> tuple[memoryview, int]:
    first = memoryview(b"")
    for index in range(values):
        (size,) = struct.unpack_from("<I", data, offset)
        if index == 0:
            first = data[offset + 4 : offset + 4 + size]
        offset += 4 + _padded(size)
    return first, offset


def _padded(size_bytes: int) -> int:
    return (size_bytes + 3) & ~3


def _string(value: _Value | None, charset: str) -> str:
    if value is None or value.kind not in (_STRING8, _UNICODE, _BINARY):
        return ""
    if value.kind == _UNICODE:
        charset = "utf-16-le"
    return _strip(decode_text(bytes(value.data), charset))


def _strip(text: str) -> str:
    """Without the NUL at the end, which `decode_text` may have replaced by what can be stored."""
    return text.rstrip("\0\ufffd")


def _internet_charset(properties: Mapping[int, _Value], charset: str) -> str:
    value = properties.get(_INTERNET_CODE_PAGE)
    if value is None or len(value.data) < 4:
        return charset
    return _charset(struct.unpack_from("<I", value.data)[0])


def _charset(code_page: int) -> str:
    """The charset of a Windows code page number."""
    if 28591 <= code_page <= 28605:
        return f"iso-8859-{code_page - 28590}"
    known = {20127: "us-ascii", 20866: "koi8-r", 50220: "iso-2022-jp", 65001: "utf-8"}
    return known.get(code_page, f"cp{code_page}")
