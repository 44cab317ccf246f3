"""Whether one message is what a query asks for, read from the message itself.

The index is a moment behind and the database is asked for pages; whoever waits for mail has one
message in hand and wants to know now. The terms are those that the engines keep, so that the
answers agree.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from app.mime.addresses import split_address
from app.search.port import Document
from app.search.query import (
    Address,
    And,
    Flag,
    HasAttachment,
    HasId,
    HasMessageId,
    InFolder,
    InMailbox,
    Labelled,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Received,
    Size,
    Word,
)
from app.search.terms import read_terms, term_of, terms_of_address


@dataclass(frozen=True)
class StoredMessage:
    """A message with all that a query can ask of it, as it was when it was read.

    `identity` is as in the table of messages; `flags` are the names of those that are set. It has
    no slots, so that its terms are read once, and only when somebody asks for words.
    """

    document: Document
    identity: bytes
    flags: Collection[str]
    folder: str
    labels: Collection[str]
    size_bytes: int
    attachment_count: int
    mailbox_address: str

    @cached_property
    def terms(self) -> dict[str, list[int]]:
        return read_terms(self.document)


def matches(node: Node, message: StoredMessage) -> bool:
    """Whether a search for `node` would find the message, were it indexed already."""
    match node:
        case And(parts):
            return all(matches(part, message) for part in parts)
        case Or(parts):
            return any(matches(part, message) for part in parts)
        case Not(part):
            return not matches(part, message)
        case Word(text, field):
            return term_of(text, field) in message.terms
        case Prefix(text, field):
            start = term_of(text, field)
            return any(term.startswith(start) for term in message.terms)
        case Phrase():
            return _has_phrase(node, message)
        case Address(text, field):
            return any(term in message.terms for term in terms_of_address(text, field))
        case _:
            return _meets(node, message)


def names_mailbox(name: InMailbox, address: str) -> bool:
    """Whether it means this mailbox: by its address, what stands before the @, or its domain."""
    return name.address in (address, *split_address(address))


def identity_of(message_id: str) -> bytes:
    """`identity` of a message with this Message-ID."""
    return hashlib.sha256(message_id.encode("utf-8", "replace")).digest()


def _has_phrase(phrase: Phrase, message: StoredMessage) -> bool:
    first, *rest = (message.terms.get(term_of(word, phrase.field), ()) for word in phrase.words)
    return any(
        all(start + offset in places for offset, places in enumerate(rest, 1)) for start in first
    )


def _meets(node: Node, message: StoredMessage) -> bool:
    match node:
        case Flag(name):
            return name in message.flags
        case HasAttachment():
            return message.attachment_count > 0
        case InFolder(names):
            return message.folder in names
        case Labelled(name):
            return _has_label(name, message)
        case Received(since, until):
            moment = message.document.received_at
            return (since is None or moment >= since) and (until is None or moment < until)
        case Size(at_least, at_most):
            return at_least <= message.size_bytes and (
                at_most is None or message.size_bytes <= at_most
            )
        case InMailbox():
            return names_mailbox(node, message.mailbox_address)
        case HasMessageId(message_id):
            return identity_of(message_id) == message.identity
        case HasId(id_):
            return id_ == message.document.message_id
        case _:
            raise TypeError(f"{node} is no condition")


def _has_label(name: str, message: StoredMessage) -> bool:
    """A name may be written with hyphens in place of spaces, as in Gmail."""
    if not name:
        return bool(message.labels)
    wanted = name.lower()
    return any(
        wanted in (label.lower(), label.lower().replace(" ", "-")) for label in message.labels
    )
