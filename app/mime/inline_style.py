"""Which CSS declarations of a `style` attribute are kept."""

import re

_MAX_CHARS = 8192


def filter_style(style: str) -> tuple[str, int]:
    """The harmless declarations of a `style` attribute whose character references are resolved,
    and how many remote images were taken out. A style over 8 KB is dropped; never fails.

    A grammar says what is kept: listed properties, with plain words, numbers, colours, names in
    quotes and a few functions as values. Addresses, at-rules, scripts, and the escapes or comments
    that hide them need no list of their own: they cannot be written in it.
    """
    if len(style) > _MAX_CHARS:
        return "", 0
    style, remote_count = _remove_images(_COMMENT.sub(" ", style))
    kept = []
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), " ".join(value.split())
        if _is_harmless(name, value):
            kept.append(f"{name}:{value}")
    return ";".join(kept), remote_count


def _remove_images(style: str) -> tuple[str, int]:
    """An image goes, the colour written beside it stays."""
    if "(" not in style:
        return style, 0
    remote_count = sum(1 for found in _IMAGE.finditer(style) if _REMOTE.search(found[0]))
    return _IMAGE.sub(" ", style), remote_count


def _is_harmless(name: str, value: str) -> bool:
    if not value or "//" in value or not (name in _PROPERTIES or _FAMILY.fullmatch(name)):
        return False
    if name.startswith(_UNSIGNED) and _NEGATIVE.search(value):
        return False
    return bool(_VALUE.fullmatch(value))


_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.S)
_IMAGE = re.compile(
    r"""\b(?:url|src|image|(?:-webkit-)?image-set)\((?:"[^"]*+"?+|'[^']*+'?+|[^)"'])*+\)?+""",
    re.I,
)
_REMOTE = re.compile(r"https?:|[/\\]{2}", re.I)
_NEGATIVE = re.compile(r"-\s*[\d.]")

# Groups are not possessive here: in Python 3.11 before 3.11.5 such a group, when it fails halfway,
# keeps what it had read (CPython issue 106052), and an open quote would pass.
_COLOUR = r"(?:rgb|hsl)a?\([\w\s.,%/+-]*+\)"
_GRADIENT = rf"(?:linear|radial)-gradient\((?:{_COLOUR}|[\w\s.,%#+-])*\)"
_NAME = r"""\"[\w\s.,&+-]*+\"|'[\w\s.,&+-]*+'"""
_VALUE = re.compile(
    rf"(?:(?<![\w-])(?:{_COLOUR}|{_GRADIENT})|{_NAME}|[\w\s.,%#/+-]|!\s*important\b)*",
    re.I,
)

# What puts a box over others, paints outside of it or writes text of its own is left out: position
# and its offsets, z-index, transform, clip, filter, shadows, border images, animation, content.
_PROPERTIES = frozenset(
    {
        "align-content", "align-items", "align-self", "box-sizing", "caption-side", "clear",
        "color", "column-gap", "direction", "display", "empty-cells", "float", "gap", "height",
        "hyphens", "justify-content", "letter-spacing", "line-height", "list-style",
        "list-style-position", "list-style-type", "max-height", "max-width", "min-height",
        "min-width", "object-fit", "opacity", "order", "overflow", "overflow-wrap", "overflow-x",
        "overflow-y", "row-gap", "table-layout", "text-align", "text-indent", "text-overflow",
        "text-transform", "vertical-align", "visibility", "white-space", "width", "word-break",
        "word-spacing", "word-wrap",
    }
)  # fmt: skip
_FAMILY = re.compile(
    r"(?:background|border(?!-image)|flex|font|margin|padding|text-decoration)(?:-[a-z]+)*"
)
# Drawn to the left or upwards, text can lie over other text or leave the page.
_UNSIGNED = ("letter-spacing", "margin", "text-indent", "word-spacing")
