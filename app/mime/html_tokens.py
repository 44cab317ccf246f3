"""HTML of mail, cut into tags and text in linear time, without a tree.

A tree is what a hostile message can make expensive (see `app.mime.html_nesting`). Cutting has no
such case, so it comes first: for plain text, and for the balancing that makes a tree cheap.
"""

import re
from collections.abc import Iterator
from html import unescape
from html.entities import html5
from itertools import islice


def split_markup(html: str, max_tags: int) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Each piece of text, and the tag after it, cut as a browser does it (HTML Standard, section
    13.2.5): `(text, tag, slash, name)`, of which the first two are as written.

    `slash` is `/` for an end tag. `name` is None where there is no tag to look at: at the end, and
    where `tag` is a comment, a declaration, an unfinished tag, or the whole of an element in which
    nothing is meant to be read. After `max_tags` of all these the rest is left. Never fails.
    """
    parts = _MARKUP.split(html, max_tags)
    if len(parts) <= 3 * max_tags:
        parts += ("", None, None)
    part = iter(parts)
    return zip(part, part, part, part, strict=False)


def count_attributes(tag: str) -> int:
    """The attributes of the source of a start tag, repeated ones included."""
    return len(_ATTRIBUTE.findall(tag)) - 1


def read_attributes(tag: str) -> Iterator[tuple[str, str]]:
    """The attributes of the source of a start tag: their names in small letters, and their values
    as a browser has them (HTML Standard, section 13.2.5.73: `&reg=1` is no reference)."""
    for found in islice(_ATTRIBUTE.finditer(tag), 1, None):
        name, _, value = found[0].partition("=")
        value = value.strip(_SPACE)
        if value[:1] in ('"', "'"):
            value = value[1:].removesuffix(value[0])
        yield name.strip(_SPACE).lower(), _REFERENCE.sub(_resolve, value)


def _resolve(reference: re.Match[str]) -> str:
    is_known = reference[1] is None or reference[1] in html5
    return unescape(reference[0]) if is_known else reference[0]


_SPACE = " \t\n\f\r"
_REFERENCE = re.compile(
    r"&(?:#[0-9]{1,8}+;?|#[xX][0-9a-fA-F]{1,8}+;?|([a-zA-Z][a-zA-Z0-9]{1,31}+(?:;|(?!=))))"
)
_VALUE = r""""[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^ \t\n\f\r>"'][^ \t\n\f\r>]*+"""
_NAME_AND_VALUE = (
    r"[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+"
    rf"(?:[ \t\n\f\r]*+=[ \t\n\f\r]*+(?:{_VALUE})?+)?+"
)
_ATTRIBUTES = rf"(?:[ \t\n\f\r/]++|{_NAME_AND_VALUE})*+"
_ATTRIBUTE = re.compile(_NAME_AND_VALUE)

# In these the parser looks for nothing but the end tag (HTML Standard, sections 13.2.5.2 to
# 13.2.5.4), except in the last two, which have nothing for a reader either.
_UNREAD = (
    "iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp",
    "select", "template",
)  # fmt: skip
_NAME_END = r"(?=[ \t\n\f\r/>])"
_MARKUP = re.compile(
    rf"(<(?!(?:{'|'.join(_UNREAD)}){_NAME_END})(/?)([a-z][^ \t\n\f\r/>]*+){_ATTRIBUTES}>|"
    + "|".join(
        rf"<{name}{_NAME_END}{_ATTRIBUTES}>.*?(?:</{name}{_NAME_END}{_ATTRIBUTES}>|\Z)"
        for name in _UNREAD
    )
    + r"|<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<[!?][^>]*+(?:>|\Z)"
    r"|</(?![a-z])[^>]*+(?:>|\Z)"
    r"|</?[a-z].*)",
    re.A | re.I | re.S,
)
