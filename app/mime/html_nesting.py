"""HTML of mail made cheap to parse: no unlisted tags, every block closed, nesting bounded.

What the parser of a browser, and so of the sanitiser, does with hostile markup is quadratic in the
depth of nesting, in the attributes of a tag and in the character references of a text, and it
opens formatting elements that were left open again in every block: 100,000 attributes take 4 s,
2 MB of `&` take 50 s, and 100 KB of `<font>` and `<p>` would need gigabytes.
"""

from app.mime.html_tokens import count_attributes, split_markup

MAX_DEPTH = 256
MAX_ATTRIBUTES = 200
MAX_WORK = 500_000


def balance_markup(html: str, tags: frozenset[str]) -> str | None:
    """The same markup, of start and end tags of `tags` and text alone, properly nested but for
    formatting elements, which the parser opens again where the end of a block cut them short
    (HTML Standard, section 13.2.4.3).

    None where parsing it could take seconds: with more than `MAX_DEPTH` open elements, or past
    `MAX_WORK`, counted in elements that the parser has to make.
    """
    nesting = _Nesting()
    written, stack = nesting.written, nesting.stack
    work = text_chars = 0
    for text, tag, slash, name in split_markup(html, MAX_WORK + 1):
        if text:
            text = text.replace("<", "&lt;")
            written.append(text)
            text_chars += len(text)
            # The parser copies what it has of a text at each reference.
            work += text.count("&") * text_chars // 100_000
        if name is not None:
            name = name.lower()
            if name == "body":
                # The parser of a fragment has no place for it; a division keeps its style.
                name, tag = "div", f"<div{tag[5:]}"
            if name in tags:
                nesting.close(name) if slash else nesting.open(name, tag)
        work += 1 + nesting.formatting_count + len(stack) // 8
        if work > MAX_WORK or len(stack) > MAX_DEPTH:
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
        bare = len(source) > _LONG_TAG_CHARS and not _is_plausible(source)
        self.written.append(f"<{name}>" if bare else source)
        if name not in _VOID:
            self.stack.append(name)
            self.formatting_count += name in _FORMATTING

    def close(self, name: str) -> None:
        if name not in self.stack:
            self._close_cut_short(name)
            return
        depth = self._find(name)
        above = self.stack[depth + 1 :]
        if name in _FORMATTING:
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
        if ended.isdisjoint(self.stack):
            return
        outermost = -1
        for depth in range(len(self.stack) - 1, -1, -1):
            if self.stack[depth] in ended:
                outermost = depth
            elif self.stack[depth] in within:
                break
        if outermost >= 0:
            self.close_down_to(outermost, cut_formatting=not (ended & _TABLE_ONLY))

    def _find(self, name: str) -> int:
        """The depth of the innermost open element of that name."""
        depth = len(self.stack) - 1
        while self.stack[depth] != name:
            depth -= 1
        return depth


def _is_plausible(tag: str) -> bool:
    return count_attributes(tag) <= MAX_ATTRIBUTES and tag.count("&") * len(tag) < 100_000_000


_LONG_TAG_CHARS = 1000
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
