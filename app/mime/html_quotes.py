"""The quoted end of HTML mail, folded."""

import re
from dataclasses import dataclass, field

from app.mime.html_text import html_to_text
from app.mime.html_tokens import split_markup
from app.mime.quotes import is_copied_header, is_divider, is_first_field

MAX_TAGS = 100_000


def fold_quotes(html: str) -> str:
    """`html`, which the sanitiser has written, with what is quoted at its end inside `<details>`,
    which a reader opens without a script.

    Folded are a `<blockquote>` after which nothing is seen, and what follows the fields that a
    mail program copies above a quotation. Where nothing is seen before, all stays as it is. Takes
    linear time.
    """
    if html.count("<") > MAX_TAGS:
        return html
    outline = _Outline(html)
    start, end = outline.find_quote()
    if start == end:
        return html
    folded = f"<details><summary>Quoted text</summary>{html[start:end]}</details>"
    return html[:start] + folded + html[end:]


@dataclass(slots=True)
class _Element:
    """An element of the document: where it stands, in what, and where its content ends."""

    name: str
    start: int
    parent: "_Element | None"
    content_end: int
    end: int
    is_in_paragraph: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_in_paragraph = self.name == "p" or (
            self.parent is not None and self.parent.is_in_paragraph
        )


class _Outline:
    """Where things are seen in a document, and where quotations may begin."""

    def __init__(self, html: str) -> None:
        self._html = html
        self._root = _Element("", 0, None, len(html), len(html))
        self._first_seen = len(html)
        self._last_seen = 0
        self._candidates: list[tuple[int, _Element, bool]] = []
        self._tries_left = _MAX_TRIES
        self._walk()

    def find_quote(self) -> tuple[int, int]:
        """The range to fold, which holds whole elements; an empty one if there is none."""
        for start, element, is_whole in self._candidates:
            end = element.end if is_whole else element.content_end
            if self._first_seen < start and self._last_seen <= end:
                return start, end
        return 0, 0

    def _walk(self) -> None:
        element, position = self._root, 0
        for text, tag, slash, name in split_markup(self._html, MAX_TAGS):
            if text.strip():
                self._see_text(position, text, element)
            position += len(text)
            if name is None or name in _VOID:
                if name == "hr" or (name == "img" and " src=" in tag):
                    self._see(position, position + len(tag))
            elif slash:
                element.content_end, element.end = position, position + len(tag)
                element = element.parent or self._root
            else:
                element = _Element(name, position, element, len(self._html), len(self._html))
                if name == "blockquote":
                    self._candidates.append((position, element, True))
            position += len(tag)

    def _see(self, start: int, end: int) -> None:
        self._first_seen = min(self._first_seen, start)
        self._last_seen = end

    def _see_text(self, start: int, text: str, element: _Element) -> None:
        if _WORD.match(text, 0, _LINE_CHARS) or html_to_text(text[:_LINE_CHARS]):
            if self._begins_quotation(start, text):
                self._mark(start, element)
            self._see(start, start + len(text))

    def _begins_quotation(self, start: int, text: str) -> bool:
        line = text.strip()[:_LINE_CHARS]
        if is_divider(line):
            return True
        if not self._tries_left or not is_first_field(line):
            return False
        self._tries_left -= 1
        return is_copied_header(html_to_text(self._html[start : start + _WINDOW]).splitlines())

    def _mark(self, start: int, element: _Element) -> None:
        """From the outermost element that begins with this text to the end of what it lies in."""
        while element.parent is not None and element.start >= self._last_seen:
            start, element = element.start, element.parent
        # A `<details>` would end the paragraph that it stands in.
        if element.name not in _TABLE and not element.is_in_paragraph:
            self._candidates.append((start, element, False))


# What begins so is seen for sure, as most text does; the rest may be nothing but blanks.
_WORD = re.compile(r"\s*+\w")
_MAX_TRIES = 50
_LINE_CHARS = 200
_WINDOW = 4000
_VOID = frozenset({"br", "col", "hr", "img", "wbr"})
_TABLE = frozenset({"colgroup", "table", "tbody", "tfoot", "thead", "tr"})
