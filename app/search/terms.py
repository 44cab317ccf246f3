"""What both engines hold of a message: terms, and where in it they stand.

A term is a token, or a mark and a token or an address that stand in one field. Marks are never
part of a token, so a prefix of one kind finds none of another. All fields share one row of
positions, with gaps between them that no phrase spans.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.mime.addresses import normalise_address, parse_addresses, split_address
from app.search.port import Document
from app.search.query import Field
from app.search.tokens import tokenise

MAX_BODY_WORDS = 15_000
# Postgres keeps positions up to 16,383, and 255 of a term (its manual, section 12.11).
MAX_POSITIONS_OF_TERM = 255

_MAX_BODY_CHARACTERS = 150_000
_MAX_ADDRESS_CHARACTERS = 320
_MAX_DOMAIN_SUFFIXES = 4
_GAP = 2


@dataclass(frozen=True, slots=True)
class _Part:
    """How much of a field counts, and the marks under which its tokens are kept besides."""

    marks: str
    max_words: int
    max_characters: int


_MARKS: Mapping[Field, str] = {
    Field.ANY: "",
    Field.SENDER: "<",
    Field.RECIPIENT: ">",
    Field.COPY: "+",
    Field.SUBJECT: "#",
    Field.FILE_NAME: "/",
}
_ADDRESS_MARKS: Mapping[Field, Sequence[str]] = {
    Field.SENDER: ("<@",),
    Field.RECIPIENT: (">@",),
    Field.COPY: ("+@",),
}
_SUBJECT = _Part("#", 200, 2_000)
_SENDER = _Part("<", 60, 1_000)
_TO = _Part(">", 500, 10_000)
_COPY = _Part(">+", 300, 10_000)
_FILES = _Part("/", 250, 5_000)
_BODY = _Part("", MAX_BODY_WORDS, _MAX_BODY_CHARACTERS)


def read_terms(document: Document) -> dict[str, list[int]]:
    """Each term and its positions, ascending, the first of them only; none for an address."""
    terms: dict[str, list[int]] = {}
    start = 1
    for part, text in (
        (_SUBJECT, document.subject),
        (_SENDER, f"{document.sender_name} {document.sender_address}"),
        (_TO, document.to),
        (_COPY, document.cc),
        (_FILES, " ".join(document.file_names)),
        (_BODY, document.text),
    ):
        start = _add(terms, part, text, start) + _GAP
    for term in _address_terms(document):
        terms[term] = []
    return terms


def term_of(token: str, field: Field) -> str:
    """The term under which a token of this field is kept."""
    return _MARKS[field] + token


def terms_of_address(address: str, field: Field) -> Sequence[str]:
    """The terms of which a message has one when it has this address, or one of this domain, in
    `field`; fields without addresses mean sender and recipients."""
    marks = _ADDRESS_MARKS.get(field, ("<@", ">@"))
    return [mark + address for mark in marks]


def _add(terms: dict[str, list[int]], part: _Part, text: str, start: int) -> int:
    """The position behind the last token."""
    position = start
    tokens = tokenise(text[: part.max_characters])[: part.max_words]
    for position, token in enumerate(tokens, start + 1):
        places = terms.get(token)
        if places is None:
            terms[token] = [position]
        elif len(places) < MAX_POSITIONS_OF_TERM:
            places.append(position)
    for mark in part.marks:
        for place, token in enumerate(tokens, start + 1):
            places = terms.setdefault(mark + token, [])
            if len(places) < MAX_POSITIONS_OF_TERM:
                places.append(place)
    return position


def _address_terms(document: Document) -> Iterator[str]:
    yield from _marked("<@", [document.sender_address])
    copies = _addresses(document.cc)
    yield from _marked(">@", [*_addresses(document.to), *copies])
    yield from _marked("+@", copies)


def _addresses(header: str) -> list[str]:
    return [mailbox.address for mailbox in parse_addresses(header)]


def _marked(mark: str, addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        if 0 < len(address) <= _MAX_ADDRESS_CHARACTERS:
            whole = normalise_address(address)
            yield mark + whole
            yield from (mark + domain for domain in _domains(whole))


def _domains(address: str) -> Iterator[str]:
    """The domain of an address, and those above it that are not top-level."""
    _, domain = split_address(address)
    labels = domain.split(".")
    if domain:
        yield domain
    for count in range(2, min(len(labels), _MAX_DOMAIN_SUFFIXES + 2)):
        yield ".".join(labels[-count:])
