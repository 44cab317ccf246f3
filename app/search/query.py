"""What was asked for, as a tree. Text is for the engines, everything else for the database."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID


class Field(StrEnum):
    """Where a word is looked for."""

    ANY = "any"
    SENDER = "from"
    RECIPIENT = "to"
    COPY = "cc"
    SUBJECT = "subject"
    FILE_NAME = "filename"


@dataclass(frozen=True, slots=True)
class Word:
    """One token, folded as `app.search.tokens` folds it."""

    text: str
    field: Field = Field.ANY


@dataclass(frozen=True, slots=True)
class Prefix:
    """Tokens that start with this."""

    text: str
    field: Field = Field.ANY


@dataclass(frozen=True, slots=True)
class Phrase:
    """Two or more tokens, one directly behind the other."""

    words: tuple[str, ...]
    field: Field = Field.ANY


@dataclass(frozen=True, slots=True)
class Address:
    """An e-mail address as a whole, or all addresses of a domain and of those under it.

    `text` is normalised; a domain has no `@`. Fields other than sender, recipient and copy mean
    sender or recipient.
    """

    text: str
    field: Field = Field.ANY


@dataclass(frozen=True, slots=True)
class Flag:
    """`is:read`, `is:starred`, `is:bounce` or `is:auto_reply`: a column of the message."""

    name: str


@dataclass(frozen=True, slots=True)
class HasAttachment:
    pass


@dataclass(frozen=True, slots=True)
class InFolder:
    """In one of these folders."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Labelled:
    """With this label, however its capitals are written; with any label where it is empty."""

    name: str


@dataclass(frozen=True, slots=True)
class Received:
    """Received at `since` or later, and before `until`."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """Of at least and at most so many bytes."""

    at_least: int = 0
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class InMailbox:
    """In the mailbox of this address, or in any of this domain."""

    address: str


@dataclass(frozen=True, slots=True)
class HasMessageId:
    """With this Message-ID, without its angle brackets."""

    message_id: str


@dataclass(frozen=True, slots=True)
class HasId:
    """The message that we know under this id."""

    id: UUID


@dataclass(frozen=True, slots=True)
class And:
    """All of these. Of none of them: everything."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """Any of these. Of none of them: nothing."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


Text: TypeAlias = Word | Prefix | Phrase | Address
Filter: TypeAlias = (
    Flag | HasAttachment | InFolder | Labelled | Received | Size | InMailbox | HasMessageId | HasId
)
Node: TypeAlias = Text | Filter | And | Or | Not


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it was understood.

    `notes` say in plain words what was not, or was read in a way the person may not expect.
    """

    root: Node
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for."""
        return self.root == And(())

    @property
    def words(self) -> tuple[Text, ...]:
        """What to highlight: the text that is looked for, not what is to be absent."""
        return tuple(dict.fromkeys(_wanted(self.root)))


def is_text(node: Node) -> bool:
    """Whether an engine can answer `node` alone."""
    match node:
        case And(parts) | Or(parts):
            return bool(parts) and all(is_text(part) for part in parts)
        case Not(part):
            return is_text(part)
        case _:
            return isinstance(node, Text)


def _wanted(node: Node) -> Iterator[Text]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _wanted(part)
        case Word() | Prefix() | Phrase() | Address():
            yield node
        case _:
            return
