"""The text that a reader sees in HTML mail."""

import re
from html import unescape

from app.mime.html_tokens import split_markup

MAX_CHARS = 8 * 1024 * 1024
MAX_TAGS = 400_000


def html_to_text(html: str) -> str:
    """The visible text: lines where blocks begin and end, at most one blank line between them,
    links as their text, cells apart. For snippets, search and text-only views.

    Works on any `str`, lone surrogates included (they come out as U+FFFD), and in linear time
    whatever the nesting, which a tree would not (see `app.mime.html_nesting`). Reads the first
    `MAX_CHARS`, of them `MAX_TAGS` tags: a second or two at the very worst.
    """
    html = html[:MAX_CHARS]
    for mark in _MARKS:
        html = html.replace(mark, " ")
    pieces = []
    preformatted = 0
    for text, _, slash, name in split_markup(html, MAX_TAGS):
        if text:
            pieces.append(_LINE_END.sub(_BREAK, text) if preformatted else text)
        if name is None:
            continue
        name = name.lower()
        pieces.append(_MARK_OF.get(name, ""))
        if name == "pre":
            preformatted = max(0, preformatted + (-1 if slash else 1))
    return _lay_out("".join(pieces))


def _lay_out(text: str) -> str:
    """Text with marks, as lines."""
    if "&" in text:
        text = unescape(_HUGE_REFERENCE.sub("\ufffd", text))
    text = _GAP.sub(_gap, _BLANK.sub(" ", text))
    return _UNPRINTABLE.sub("\ufffd", text.strip())


def _gap(found: re.Match[str]) -> str:
    """A break ends a line; the edge of a block only sees that one is ended."""
    marks = found[0].replace(" ", "")
    if _PARAGRAPH in marks:
        return "\n\n"
    lines = marks.count(_BREAK) + (marks[0] == _BLOCK)
    return "\n\n" if lines > 1 else "\n"


# No text can hold these when they are put in: `unescape` makes none of a reference.
_MARKS = _BREAK, _BLOCK, _PARAGRAPH = "\x01", "\x02", "\x03"
_MARK_OF = {
    **dict.fromkeys(("td", "th"), " "),
    "br": _BREAK,
    **dict.fromkeys(
        (
            "address", "article", "aside", "body", "caption", "center", "dd", "details", "dir",
            "div", "dt", "fieldset", "figcaption", "figure", "footer", "form", "head", "header",
            "html", "legend", "li", "main", "menu", "nav", "option", "section", "summary", "tbody",
            "tfoot", "thead", "tr",
        ),
        _BLOCK,
    ),
    **dict.fromkeys(
        (
            "blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre",
            "table", "ul",
        ),
        _PARAGRAPH,
    ),
}  # fmt: skip

# `unescape` would turn any number of digits into an integer, and fails past 4300 of them.
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{9,}+|[xX][0-9a-fA-F]{9,}+);?")
_LINE_END = re.compile(r"\r\n?|\n")
# Zero-width characters after a space fill up the previews of newsletters; within words they count.
_BLANK = re.compile(r"[\s\xa0]++(?:[\u034f\xad\u200b-\u200d\u2060\ufeff]++[\s\xa0]*+)*+")
_GAP = re.compile(r"(?: ?[\x01-\x03])++ ?")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
