"""The query language: one box, read as well as it can be. Nothing that a person types fails.

    all     := any (AND? any)*
    any     := one (OR one)*
    one     := (- | NOT)* (group | field: value | "phrase" | <message-id> | word)
    group   := ( all ) | { one* }          the second finds any of what is in it

OR binds its two neighbours before everything else is required together, as in Gmail.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from app.search.lexemes import Kind, Lexeme, cut
from app.search.operators import OPERATORS, Context, Operator, read_word
from app.search.query import And, Field, Node, Not, Or, Query

MAX_QUERY_BYTES = 1024
_MAX_DEPTH = 20
_MAX_NOTES = 5
_VALUES = (Kind.WORD, Kind.QUOTED, Kind.ANGLE)


def parse_query(text: str, now: datetime) -> Query:
    """The query that `text` stands for; `now` is what `older_than:` counts from.

    Of a text over `MAX_QUERY_BYTES` only the beginning counts. Words of Gmail's language that
    make no sense here, and what could not be read, are told in the notes.
    """
    notes: list[str] = []
    encoded = text[: MAX_QUERY_BYTES + 1].replace("\0", " ").encode("utf-8", "replace")
    if len(encoded) > MAX_QUERY_BYTES:
        notes.append("The search was too long; only its beginning counts.")
    readable = encoded[:MAX_QUERY_BYTES].decode("utf-8", "ignore")
    lexemes = list(cut(readable, frozenset(OPERATORS)))
    root = _Parser(lexemes, Context(now, notes)).read()
    return Query(root, tuple(dict.fromkeys(notes))[:_MAX_NOTES])


@dataclass
class _Parser:
    lexemes: list[Lexeme]
    context: Context
    position: int = 0
    depth: int = 0

    def read(self) -> Node:
        parts = []
        while self.position < len(self.lexemes):
            if part := self._all():
                parts.append(part)
            if self._take(Kind.CLOSE):
                self.context.note("A closing bracket had no opening one.")
        return _join(And, parts) or And(())

    def _all(self) -> Node | None:
        parts = []
        while (lexeme := self._peek()) and lexeme.kind is not Kind.CLOSE:
            if self._take(Kind.AND):
                continue
            if part := self._any():
                parts.append(part)
        return _join(And, parts)

    def _any(self) -> Node | None:
        parts = []
        if not self._peeks(Kind.OR) and (part := self._one()):
            parts.append(part)
        while self._take(Kind.OR):
            if self._peek() is None or self._peeks(Kind.OR, Kind.AND, Kind.CLOSE) or not parts:
                self.context.note("OR needs something on both sides.")
            elif part := self._one():
                parts.append(part)
        return _join(Or, parts)

    def _one(self) -> Node | None:
        negative = False
        while self._peeks(Kind.MINUS, Kind.NOT):
            negative |= bool(self._take(Kind.MINUS) or self._take(Kind.NOT))
        part = self._primary()
        return Not(part) if part and negative else part

    def _primary(self) -> Node | None:
        lexeme = self._peek()
        if lexeme is None or lexeme.kind in (Kind.CLOSE, Kind.AND, Kind.OR):
            return None
        self.position += 1
        if lexeme.kind is Kind.OPEN:
            return self._group(lexeme.text)
        if lexeme.kind is Kind.FIELD:
            return self._field(lexeme.text)
        return self._leaf(lexeme)

    def _leaf(self, lexeme: Lexeme) -> Node | None:
        if not lexeme.is_closed:
            self.context.note("A quote was not closed; the phrase reaches to the end.")
        if lexeme.kind is Kind.QUOTED:
            return self.context.words(lexeme.text)
        if lexeme.kind is Kind.ANGLE:
            return read_word(self.context, f"<{lexeme.text}>")
        return read_word(self.context, lexeme.text)

    def _group(self, bracket: str) -> Node | None:
        if self.depth >= _MAX_DEPTH:
            self.context.note("The brackets are nested too deep; the innermost were passed over.")
            return None
        self.depth += 1
        part = self._all() if bracket == "(" else self._alternatives()
        self.depth -= 1
        if not self._take(Kind.CLOSE):
            self.context.note("A bracket was not closed; the group reaches to the end.")
        return part

    def _alternatives(self) -> Node | None:
        parts = []
        while (lexeme := self._peek()) and lexeme.kind is not Kind.CLOSE:
            if lexeme.kind in (Kind.AND, Kind.OR):
                self.position += 1
            elif part := self._one():
                parts.append(part)
        return _join(Or, parts)

    def _field(self, name: str) -> Node | None:
        """`name:value`, where the value is a word, a phrase or a group, also after a space."""
        operator, value = OPERATORS[name], self._peek()
        if isinstance(operator, Field):
            if value and value.kind in (Kind.OPEN, *_VALUES):
                return self._within(operator)
        elif value and value.kind in _VALUES:
            self.position += 1
            return self._filter(name, operator, value.text)
        self.context.note(f"{name}: needs something behind it.")
        return None

    def _within(self, field: Field) -> Node | None:
        outer, self.context = self.context, replace(self.context, field=field)
        part = self._primary()
        self.context = outer
        return part

    def _filter(self, name: str, operator: Operator, value: str) -> Node | None:
        part = operator.read(value.strip(), self.context.now) if value.strip() else None
        if part is None:
            shown = value if len(value) <= 40 else value[:40] + "…"
            self.context.note(f"{name}:{shown} was passed over: it is not {operator.example}.")
        return part

    def _peek(self) -> Lexeme | None:
        return self.lexemes[self.position] if self.position < len(self.lexemes) else None

    def _peeks(self, *kinds: Kind) -> bool:
        lexeme = self._peek()
        return lexeme is not None and lexeme.kind in kinds

    def _take(self, kind: Kind) -> bool:
        if not self._peeks(kind):
            return False
        self.position += 1
        return True


def _join(form: type[And] | type[Or], parts: list[Node]) -> Node | None:
    """One node of several; what is of the same form is taken up into it."""
    flat: list[Node] = []
    for part in parts:
        flat += part.parts if isinstance(part, form) else (part,)
    if not flat:
        return None
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else form(unique)
