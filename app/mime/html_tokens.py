"""HTML of mail, cut into tags and text in linear time, without a tree.

A tree is what a hostile message can make expensive: fifty thousand nested elements, or open
formatting elements that the parser must open again inside every block. Cutting into tokens has
no such case, so it comes first: for plain text, and for the balancing that makes a tree cheap.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a token is."""

    TEXT = "text"
    START = "start"
    END = "end"


class Token(NamedTuple):
    """A piece of the source. `name` is in lower case; `source` is the tag or text as written,
    character references and stray `<` included."""

    kind: Kind
    name: str
    source: str


def read_tokens(html: str) -> Iterator[Token]:
    """Tags and text as a browser cuts them (HTML Standard, section 13.2.5), in order.

    Left out are comments, declarations, unfinished tags, and, with all they contain, the elements
    that show nothing a mail may show: scripts, styles, frames, drawings. Never fails; linear.
    """
    never_closed: set[str] = set()
    position, size = 0, len(html)
    while found := _MARKUP.search(html, position):
        if found.start() > position:
            yield Token(Kind.TEXT, "", html[position : found.start()])
        position = found.end()
        if not found["end"]:
            continue
        name = found["name"].lower()
        if found["slash"]:
            yield Token(Kind.END, name, found[0])
        elif name in _UNSHOWN:
            position = _skip_element(html, position, name, never_closed)
        else:
            yield Token(Kind.START, name, found[0])
    if position < size:
        yield Token(Kind.TEXT, "", html[position:])


def _skip_element(html: str, position: int, name: str, never_closed: set[str]) -> int:
    """Where reading goes on after the start tag of an unshown element."""
    closing = None if name in never_closed else _CLOSINGS[name].search(html, position)
    if closing is not None:
        return closing.end()
    never_closed.add(name)
    return len(html) if name in _RAW_TEXT else position


_VALUE = r""""[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^ \t\n\f\r>"'][^ \t\n\f\r>]*+"""
_ATTRIBUTES = (
    r"(?:[ \t\n\f\r/]++"
    r"|[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+"
    rf"(?:[ \t\n\f\r]*+=[ \t\n\f\r]*+(?:{_VALUE})?+)?+)*+"
)
_MARKUP = re.compile(
    rf"<(?P<slash>/?)(?P<name>[a-zA-Z][^ \t\n\f\r/>]*+){_ATTRIBUTES}(?:(?P<end>>)|\Z)"
    r"|<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<[!?/][^>]*+(?:>|\Z)",
    re.S,
)

# What stands in these is no markup to the parser (HTML Standard, sections 13.2.5.2 to 13.2.5.4).
_RAW_TEXT = frozenset(
    {"iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"}
)
_UNSHOWN = _RAW_TEXT | {
    "applet", "audio", "canvas", "frameset", "math", "object", "select", "svg", "template", "video",
}  # fmt: skip
_CLOSINGS = {
    name: re.compile(rf"</{name}(?=[ \t\n\f\r/>]){_ATTRIBUTES}(?:>|\Z)", re.I) for name in _UNSHOWN
}
