"""Showing why a message was found: its words marked, and the part of its text they stand in."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from markupsafe import Markup, escape

from app.search.query import Address, Field, Phrase, Prefix, Text, Word
from app.search.tokens import locate_tokens, tokenise

_LEAD_CHARACTERS = 60
_MARK = Markup("<mark>{}</mark>")


@dataclass(frozen=True, slots=True)
class Marker:
    """Marks phrases, of one token or several, and tokens that begin with one of `prefixes`."""

    phrases: frozenset[tuple[str, ...]]
    prefixes: tuple[str, ...]

    @classmethod
    def of(cls, words: Collection[Text], *fields: Field) -> "Marker":
        """For text of these fields, where what is looked for in any field counts too."""
        phrases: set[tuple[str, ...]] = set()
        prefixes: list[str] = []
        for word in words:
            if word.field is not Field.ANY and word.field not in fields:
                continue
            match word:
                case Prefix(text):
                    prefixes.append(text)
                case Word(text):
                    phrases.add((text,))
                case Phrase(tokens):
                    phrases.add(tokens)
                case Address(text):
                    phrases.add(tuple(tokenise(text)))
        return cls(frozenset(phrases), tuple(prefixes))

    def __bool__(self) -> bool:
        """Whether there is anything to mark."""
        return bool(self.phrases or self.prefixes)

    def mark(self, text: str) -> Markup:
        """The text escaped, each place that matches in a `<mark>`."""
        parts = []
        end = 0
        for start, stop in self._places(text):
            parts += [escape(text[end:start]), _MARK.format(text[start:stop])]
            end = stop
        return Markup("").join([*parts, escape(text[end:])])

    def cut(self, text: str, length: int) -> str:
        """About `length` characters around the first place that matches; '' if there is none."""
        first = next(self._places(text), None)
        if first is None:
            return ""
        start = max(0, first[0] - _LEAD_CHARACTERS)
        if start:
            start = text.find(" ", start, first[0]) + 1 or first[0]
        part = " ".join(text[start : start + length].split())
        return f"… {part}" if start else part

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where something matches, from start to end, none over another."""
        if not self:
            return
        tokens = list(locate_tokens(text))
        lengths = sorted({len(phrase) for phrase in self.phrases}, reverse=True)
        at = 0
        while at < len(tokens):
            size = self._match(tokens, at, lengths)
            if size:
                yield tokens[at][0], tokens[at + size - 1][1]
            at += size or 1

    def _match(self, tokens: list[tuple[int, int, str]], at: int, lengths: list[int]) -> int:
        """How many tokens from `at` on match."""
        for length in lengths:
            phrase = tuple(token for _, _, token in tokens[at : at + length])
            if phrase in self.phrases:
                return len(phrase)  # fewer, where the text ends
        return int(tokens[at][2].startswith(self.prefixes)) if self.prefixes else 0
