"""What the API answers, as values. Fields that a newer server adds are passed over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

_Model = TypeVar("_Model")


@dataclass(frozen=True, slots=True)
class Label:
    """A word that people of the tenant put on messages."""

    id: UUID
    name: str
    colour: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message as lists give it. `mailbox` is the address it came to, `sender` whom it is from."""

    id: UUID
    mailbox: str
    sender: str
    to: str
    subject: str
    snippet: str
    received_at: datetime
    size_bytes: int
    sha256: str
    ticket_id: UUID | None
    folder: str
    is_read: bool
    is_starred: bool
    labels: Sequence[Label]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a message."""

    id: UUID
    file_name: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Authentication:
    """What SPF, DKIM and DMARC came to (RFC 8601); None until it is known."""

    spf: str | None
    dkim: str | None
    dmarc: str | None


@dataclass(frozen=True, slots=True)
class MessageDetail(Message):
    """A whole message. `html` is as the sender wrote it: clean it before you show it."""

    cc: str
    date: datetime | None
    trace_id: UUID
    text: str
    html: str
    authentication: Authentication
    attachments: Sequence[Attachment]


@dataclass(frozen=True, slots=True)
class Link:
    """A web address in a message, and the text that stands for it."""

    url: str
    text: str


@dataclass(frozen=True, slots=True)
class AwaitedMessage(MessageDetail):
    """A message that was waited for. `links` are in their order, `codes` have the likeliest
    one-time code first; `position` is how far the event log was looked at, for `after`;
    `notes` say in words what of `match` was not understood."""

    links: Sequence[Link]
    codes: Sequence[str]
    position: int
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address that receives mail; `@domain` for all that no other mailbox takes."""

    id: UUID
    address: str
    display_name: str
    created_at: datetime
    newest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. Remember `position` to go on after it."""

    position: int
    id: UUID
    type: str
    trace_id: UUID
    mailbox_id: UUID | None
    subject_type: str
    subject_id: UUID
    data: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in order; ask for more with `after=next_position`, also when there were none."""

    events: Sequence[Event]
    next_position: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its text, of which `prefix` is the beginning."""

    id: UUID
    name: str
    prefix: str
    scopes: Sequence[str]
    domains: Sequence[str]
    mailboxes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    replaced_by: UUID | None
    state: str


@dataclass(frozen=True, slots=True)
class NewApiKey(ApiKey):
    """A new key with its text, `key`, which is shown this once."""

    key: str


@dataclass(frozen=True, slots=True)
class Totals:
    """How many events of each type there were since `since`."""

    hours: int
    since: datetime
    events: Mapping[str, int]


_TIMES = frozenset(
    {"received_at", "date", "created_at", "newest_at", "expires_at", "last_used_at", "revoked_at"}
    | {"since"}
)
_IDS = frozenset({"id", "ticket_id", "trace_id", "mailbox_id", "subject_id", "replaced_by"})
_PARTS: Mapping[str, type[Any]] = {
    "labels": Label,
    "links": Link,
    "attachments": Attachment,
    "authentication": Authentication,
}
_NAMES = {"sender": "from"}


def read(model: type[_Model], told: Mapping[str, Any]) -> _Model:
    """A value of `model` from the JSON of the API."""
    values = {}
    for field in fields(model):  # type: ignore[arg-type]
        values[field.name] = _read_value(field.name, told[_NAMES.get(field.name, field.name)])
    return model(**values)


def _read_value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _TIMES:
        return datetime.fromisoformat(value)
    if name in _IDS:
        return UUID(value)
    if part := _PARTS.get(name):
        return (
            tuple(read(part, each) for each in value)
            if isinstance(value, list)
            else read(part, value)
        )
    return tuple(value) if isinstance(value, list) else value
