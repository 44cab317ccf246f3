"""A query in the words of a person, so that they see how it was understood."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta

from app.search.query import (
    Address,
    And,
    Field,
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
    Query,
    Received,
    Size,
    Text,
    Word,
)

_FIELDS = {
    Field.ANY: "{}",
    Field.SENDER: "from {}",
    Field.RECIPIENT: "to {}",
    Field.COPY: "copied to {}",
    Field.SUBJECT: "subject has {}",
    Field.FILE_NAME: "file named {}",
}
_FLAGS = {
    "read": ("read", "unread"),
    "starred": ("starred", "not starred"),
    "bounce": ("a bounce", "no bounce"),
    "auto_reply": ("an automatic reply", "no automatic reply"),
}


def describe_query(query: Query) -> Sequence[str]:
    """A few words for each thing that is asked for; all of them have to be true."""
    parts = query.root.parts if isinstance(query.root, And) else (query.root,)
    return [describe(part) for part in parts]


def describe(node: Node) -> str:
    match node:
        case And(parts):
            return " and ".join(_describe_inner(part) for part in parts)
        case Or(parts):
            return " or ".join(_describe_inner(part) for part in parts)
        case Not(Flag(name)):
            return _FLAGS[name][1]
        case Not(Labelled("")):
            return "has no label"
        case Not(HasAttachment()):
            return "has no attachment"
        case Not(part):
            return f"not {_describe_inner(part)}"
        case Word() | Prefix() | Phrase() | Address():
            return _FIELDS[node.field].format(_describe_text(node))
        case _:
            return _describe_filter(node)


def _describe_inner(node: Node) -> str:
    words = describe(node)
    return f"({words})" if isinstance(node, And | Or) and len(node.parts) > 1 else words


def _describe_text(node: Text) -> str:
    match node:
        case Word(text):
            return f"“{text}”"
        case Prefix(text):
            return f"“{text}…”"
        case Phrase(tokens):
            return f"“{' '.join(tokens)}”"
        case Address(text):
            words = text if "@" in text else f"anyone at {text}"
            return words if node.field is not Field.ANY else f"from or to {words}"


def _describe_filter(node: Node) -> str:
    match node:
        case Flag(name):
            return _FLAGS[name][0]
        case HasAttachment():
            return "has attachment"
        case InFolder(names):
            return "anywhere" if len(names) > 2 else f"in {' or '.join(names)}"
        case Labelled(name):
            return f"labelled “{name}”" if name else "has a label"
        case Received(since, until):
            return _describe_time(since, until)
        case Size(at_least, at_most):
            return _describe_sizes(at_least, at_most)
        case InMailbox(address):
            return f"in mailbox {address}"
        case HasMessageId(message_id):
            return f"Message-ID {message_id}"
        case HasId(id_):
            return f"message {id_}"
        case _:
            raise ValueError(node)


def _describe_time(since: datetime | None, until: datetime | None) -> str:
    if since and until:
        if until - since == timedelta(days=1):
            return f"on {_day(since)}"
        return f"from {_day(since)} until {_day(until - timedelta(days=1))}"
    if since:
        return f"since {_day(since)}"
    return f"before {_day(until)}" if until else "at any time"


def _day(moment: datetime) -> str:
    day = f"{moment.year:04}/{moment.month:02}/{moment.day:02}"
    return day if moment.time() == time() else f"{day}, {moment:%H:%M} UTC"


def _describe_sizes(at_least: int, at_most: int | None) -> str:
    if at_most is None:
        return f"at least {_size(at_least)}"
    return f"at most {_size(at_most)}"


def _size(size_bytes: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.3g} {name}"
    return f"{size_bytes} bytes"
