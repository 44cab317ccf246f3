"""Values with parameters: Content-Type, Content-Disposition (RFC 2045, section 5.1; RFC 2231)."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from app.mime.charsets import decode_text, storable
from app.mime.encoded_words import decode_words
from app.mime.headers import MAX_VALUE_CHARS, unfold

_TOKEN = re.compile(r"\s*([^\s;()\"]*)")
_PARAMETER = re.compile(
    r';\s*+([^\s=;"]{1,80})\s*+=\s*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*)"?|([^;]*+))', re.S
)
_SECTION = re.compile(r"(.+?)(?:\*([0-9]{1,4}))?(\*?)\Z")
_ESCAPED = re.compile(r"\\(.)", re.S)


@dataclass(frozen=True, slots=True)
class Value:
    """A token (`text/html`, `attachment`) and parameters; it and their names in lower case."""

    token: str
    parameters: dict[str, str] = field(default_factory=dict)


_EMPTY = Value("")


def parse_value(raw: bytes) -> Value:
    """Lenient and bounded: never fails; what stands behind `MAX_VALUE_CHARS` is not looked at.

    An extended parameter (`filename*=utf-8''…`, or in sections `filename*0*=…`) wins over a plain
    one of the same name.
    """
    if not raw:
        return _EMPTY
    text = unfold(raw[:MAX_VALUE_CHARS])
    token = _TOKEN.match(text)
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, quoted, bare in _PARAMETER.findall(text) if ";" in text else ():
        value = _ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted or bare.strip()
        if "*" not in name:
            plain.setdefault(name.lower(), value)
        elif section := _SECTION.match(name.lower()):
            key, index, extended = section[1], int(section[2] or 0), bool(section[3])
            sections.setdefault(key, {}).setdefault(index, (value, extended))
    parameters = plain | {name: _join(sections[name]) for name in sections}
    return Value(token[1].lower() if token else "", parameters)


def parameter_text(value: str) -> str:
    """A parameter for people: senders put encoded words in it, although RFC 2047 forbids that."""
    return storable(decode_words(value))


def _join(sections: dict[int, tuple[str, bool]]) -> str:
    """The sections in order (RFC 2231, sections 3 and 4). The first names the charset."""
    charset = ""
    octets = b""
    for position, index in enumerate(sorted(sections)):
        value, extended = sections[index]
        if extended and position == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        octets += unquote_to_bytes(value) if extended else value.encode()
    return decode_text(octets, charset)
