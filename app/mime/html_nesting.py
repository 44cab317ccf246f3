"""HTML of mail made cheap to parse: no unlisted tags, every block closed, nesting bounded."""

from app.mime.html_tokens import Kind, read_tokens

MAX_DEPTH = 256
MAX_WORK = 1_000_000


def balance_markup(html: str, tags: frozenset[str]) -> str | None:
    """The same markup, of start and end tags of `tags` and text alone, properly nested but for
    formatting elements, which the parser opens again where the end of a block cut them short.

    None where parsing it could take seconds: with more than `MAX_DEPTH` open elements, or where
    formatting elements left open would be opened again so often that the tree grows far beyond
    the source (n of them before m blocks make n × m; HTML Standard, section 13.2.4.3).
    """
    nesting = _Nesting()
    work = 0
    for kind, name, source in read_tokens(html):
        if kind is Kind.TEXT:
            nesting.written.append(source.replace("<", "&lt;"))
        elif name == "body":
            # The parser of a fragment has no place for it; a division keeps its style.
            nesting.open("div", "<div" + source[5:]) if kind is Kind.START else nesting.close("div")
        elif name not in tags:
            continue
        elif kind is Kind.START:
            nesting.open(name, source)
        else:
            nesting.close(name)
        work += 1 + nesting.formatting_count
        if work > MAX_WORK or len(nesting.stack) > MAX_DEPTH:
            return None
    if nesting.stack:
        nesting.close_down_to(0, cut_formatting=False)
    return "".join(nesting.written)


class _Nesting:
    """The open elements, and what was written so far.

    `formatting_count` never falls short of the formatting elements that the parser still holds:
    those that were not closed as the innermost element are counted to the end.
    """

    __slots__ = ("_cut_short", "formatting_count", "stack", "written")

    def __init__(self) -> None:
        self.written: list[str] = []
        self.stack: list[str] = []
        self.formatting_count = 0
        self._cut_short: dict[str, int] = {}

    def open(self, name: str, source: str) -> None:
        if name in _TABLE_ONLY and "table" not in self.stack:
            return
        if name == "a":
            self.close("a")
        elif name in _TABLE_ONLY:
            self._end_open(_ENDED_BY[name], within=_TABLES)
        elif name in _LIST_ITEMS:
            self._end_open(_ENDED_BY[name], within=_LISTS)
        if name not in _INLINE and "p" in self.stack:
            self._end_open(_PARAGRAPH, within=_BARRIERS)
        self.written.append(source)
        if name not in _VOID:
            self.stack.append(name)
            self.formatting_count += name in _FORMATTING

    def close(self, name: str) -> None:
        depth = self._find(name)
        above = self.stack[depth + 1 :]
        if depth < 0:
            self._close_cut_short(name)
        elif name in _FORMATTING:
            if not above:
                self.formatting_count -= 1
            elif not _BARRIERS.isdisjoint(above):
                return
            del self.stack[depth]
            self.written.append(f"</{name}>")
        elif name in _BARRIERS or name in _TABLE_ONLY:
            if name == "table" or "table" not in above:
                self.close_down_to(depth, cut_formatting=False)
        elif _INLINE.issuperset(above) if name in _INLINE else _BARRIERS.isdisjoint(above):
            self.close_down_to(depth, cut_formatting=True)

    def close_down_to(self, depth: int, *, cut_formatting: bool) -> None:
        """Close the element at `depth` and all within. The parser forgets formatting elements at
        the end of a table cell; elsewhere it opens them again, until their end tag comes."""
        while len(self.stack) > depth:
            name = self.stack.pop()
            if name not in _FORMATTING:
                self.written.append(f"</{name}>")
            elif cut_formatting:
                self._cut_short[name] = self._cut_short.get(name, 0) + 1
            else:
                self.formatting_count -= 1
                self.written.append(f"</{name}>")

    def _close_cut_short(self, name: str) -> None:
        if self._cut_short.get(name):
            self._cut_short[name] -= 1
            self.written.append(f"</{name}>")

    def _end_open(self, ended: frozenset[str], within: frozenset[str]) -> None:
        """End tags may be left out; what follows ends the element (section 13.1.2.4)."""
        outermost = -1
        for depth in range(len(self.stack) - 1, -1, -1):
            if self.stack[depth] in ended:
                outermost = depth
            elif self.stack[depth] in within:
                break
        if outermost >= 0:
            self.close_down_to(outermost, cut_formatting=not (ended & _TABLE_ONLY))

    def _find(self, name: str) -> int:
        """The depth of the innermost open element of that name, or -1."""
        for depth in range(len(self.stack) - 1, -1, -1):
            if self.stack[depth] == name:
                return depth
        return -1


_VOID = frozenset({"br", "col", "hr", "img", "wbr"})
_FORMATTING = frozenset(
    {
        "a", "b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u",
    }
)  # fmt: skip
_INLINE = _FORMATTING | {
    "abbr", "acronym", "bdi", "bdo", "br", "cite", "del", "dfn", "img", "ins", "kbd", "mark", "q",
    "rp", "rt", "ruby", "samp", "span", "sub", "sup", "time", "var", "wbr",
}  # fmt: skip
_TABLES = frozenset({"table"})
_BARRIERS = frozenset({"table", "td", "th", "caption"})
_LISTS = _BARRIERS | {"dl", "ol", "ul"}
_PARAGRAPH = frozenset({"p"})
_LIST_ITEMS = frozenset({"dd", "dt", "li"})
_CELL = frozenset({"td", "th"})
_ROW = _CELL | {"tr"}
_SECTION = _ROW | {"caption", "colgroup", "tbody", "tfoot", "thead"}
_TABLE_ONLY = _SECTION | {"col"}
_ENDED_BY = {
    **dict.fromkeys(("td", "th"), _CELL),
    "tr": _ROW | {"caption", "colgroup"},
    **dict.fromkeys(("caption", "colgroup", "tbody", "tfoot", "thead"), _SECTION),
    "col": frozenset({"caption"}),
    **dict.fromkeys(("dd", "dt"), frozenset({"dd", "dt"})),
    "li": frozenset({"li"}),
}
