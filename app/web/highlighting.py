"""Showing why a message was found: its words marked, and the part of its text they stand in."""

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from markupsafe import Markup, escape

_WORD = re.compile(r"\w+")
_LEAD_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Marker:
    """Marks `words`, and words that begin with one of `prefixes`, however they are written.

    Both are in the form that the index keeps: lower case, compatibility characters unfolded.
    """

    words: Collection[str] = ()
    prefixes: Collection[str] = ()

    def mark(self, text: str) -> Markup:
        """The text escaped, each of the words in a `<mark>`."""
        parts = []
        end = 0
        for match in self._matches(text):
            parts += [escape(text[end : match.start()]), _MARK.format(match[0])]
            end = match.end()
        return Markup("").join([*parts, escape(text[end:])])

    def cut(self, text: str, length: int) -> str:
        """At most `length` characters around the first of the words, or '' where there is none."""
        first = next(self._matches(text), None)
        if first is None:
            return ""
        start = max(0, first.start() - _LEAD_CHARACTERS)
        if start:
            start = text.find(" ", start, first.start()) + 1 or first.start()
        part = " ".join(text[start : start + length].split())
        return ("… " if start else "") + part

    def _matches(self, text: str) -> Iterator[re.Match[str]]:
        for match in _WORD.finditer(text):
            word = _fold(match[0])
            if word in self.words or word.startswith(tuple(self.prefixes)):
                yield match


_MARK = Markup("<mark>{}</mark>")


def _fold(word: str) -> str:
    return word.lower() if word.isascii() else unicodedata.normalize("NFKC", word).lower()
