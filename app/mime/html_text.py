"""The text that a reader sees in HTML mail."""

import re
from html import unescape

from app.mime.html_tokens import Kind, read_tokens


def html_to_text(html: str) -> str:
    """The visible text: lines where blocks begin and end, at most one blank line between them,
    links as their text, cells apart. For snippets, search and text-only views.

    Works on any `str`, lone surrogates included (they come out as U+FFFD), and in linear time,
    whatever the nesting, which a tree would not (see `app.mime.html_tokens`).
    """
    page = _Page()
    preformatted = 0
    for kind, name, source in read_tokens(html):
        if kind is Kind.TEXT:
            text = _resolve(source)
            page.write_lines(text) if preformatted > 0 else page.write(text)
        elif name == "br":
            page.break_line()
        elif name in _CELLS:
            page.write(" ")
        elif name in _PARAGRAPHS:
            page.part(2)
            if name == "pre":
                preformatted = max(0, preformatted + (1 if kind is Kind.START else -1))
        elif name in _BLOCKS:
            page.part(1)
    return "".join(page.pieces).rstrip(" ")


class _Page:
    """Text being laid out. Newlines and a space wait until there is something to put after."""

    __slots__ = ("_line_breaks", "_space", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._line_breaks = 0
        self._space = False

    def part(self, line_breaks: int) -> None:
        self._line_breaks = max(self._line_breaks, line_breaks)

    def break_line(self) -> None:
        self._line_breaks = min(self._line_breaks + 1, 2)

    def write(self, text: str) -> None:
        text = _BLANK.sub(" ", text)
        words = text.strip(" ")
        if not words:
            self._space = self._space or bool(text)
            return
        if self._line_breaks:
            if self.pieces:
                self.pieces.append("\n" * self._line_breaks)
        elif self.pieces and (self._space or text[0] == " "):
            self.pieces.append(" ")
        self.pieces.append(words)
        self._line_breaks = 0
        self._space = text[-1] == " "

    def write_lines(self, text: str) -> None:
        first, *others = text.splitlines() or [""]
        self.write(first)
        for line in others:
            self.break_line()
            self.write(line)
        if text.endswith("\n"):
            self.break_line()


def _resolve(source: str) -> str:
    if "&" in source:
        source = unescape(_HUGE_REFERENCE.sub("\ufffd", source))
    return _UNPRINTABLE.sub("\ufffd", source)


# `unescape` would turn any number of digits into an integer, and fails past 4300 of them.
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{9,}+|[xX][0-9a-fA-F]{9,}+);?")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
# Zero-width characters after a space fill up the previews of newsletters; within words they count.
_BLANK = re.compile(r"[\s\xa0]++(?:[\u034f\xad\u200b-\u200d\u2060\ufeff]++[\s\xa0]*+)*+")

_CELLS = frozenset({"td", "th"})
_PARAGRAPHS = frozenset(
    {
        "blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "ol", "p", "pre", "table",
        "ul",
    }
)  # fmt: skip
_BLOCKS = frozenset(
    {
        "address", "article", "aside", "body", "caption", "center", "dd", "details", "dir", "div",
        "dt", "fieldset", "figcaption", "figure", "footer", "form", "head", "header", "html",
        "legend", "li", "main", "menu", "nav", "option", "section", "summary", "tbody", "tfoot",
        "thead", "tr",
    }
)  # fmt: skip
