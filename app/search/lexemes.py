"""A query as it was typed, cut into what the parser reads."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    OPEN = auto()
    CLOSE = auto()
    MINUS = auto()
    AND = auto()
    OR = auto()
    NOT = auto()
    FIELD = auto()
    QUOTED = auto()
    ANGLE = auto()
    WORD = auto()


@dataclass(frozen=True, slots=True)
class Lexeme:
    """`text` is the name of a field, what stands between quotes or brackets, or the word."""

    kind: Kind
    text: str
    is_closed: bool = True


_QUOTES = str.maketrans("“”„‟＂", '"' * 5)
_OPERATORS = {
    "AND": Kind.AND,
    "&": Kind.AND,
    "&&": Kind.AND,
    "OR": Kind.OR,
    "|": Kind.OR,
    "||": Kind.OR,
    "NOT": Kind.NOT,
}
_LEXEME = re.compile(
    r"""\s*(?:
        (?P<open>[({])
        | (?P<close>[)}])
        | (?P<minus>[-–−]+)(?=[^\s)}])
        | (?P<field>[A-Za-z][A-Za-z0-9_]*):(?!//)
        | "(?P<quoted>[^"]*)(?P<end>"?)
        | <(?P<angle>[^<>\s]+)>
        | (?P<word>[^\s(){}"]+)
    )""",
    re.VERBOSE,
)


def cut(text: str, fields: frozenset[str]) -> Iterator[Lexeme]:
    """The lexemes of `text`, in its order; a field is only what `fields` names. Never fails."""
    text = text.translate(_QUOTES)
    position = 0
    while match := _LEXEME.match(text, position):
        lexeme = _read(match)
        position = match.end()
        if lexeme.kind is Kind.FIELD and lexeme.text not in fields:
            position = match.start("field")
            word = re.compile(r'[^\s(){}"]+').match(text, position)
            assert word is not None
            lexeme, position = Lexeme(Kind.WORD, word[0]), word.end()
        yield lexeme


def _read(match: re.Match[str]) -> Lexeme:
    text = match[match.lastgroup or ""]
    match match.lastgroup:
        case "open":
            return Lexeme(Kind.OPEN, text)
        case "close":
            return Lexeme(Kind.CLOSE, text)
        case "minus":
            return Lexeme(Kind.MINUS, text)
        case "field":
            return Lexeme(Kind.FIELD, text.lower())
        case "end":
            return Lexeme(Kind.QUOTED, match["quoted"], is_closed=bool(text))
        case "angle":
            return Lexeme(Kind.ANGLE, text)
        case _:
            return Lexeme(_OPERATORS.get(text, Kind.WORD), text)
