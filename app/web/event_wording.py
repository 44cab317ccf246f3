"""Events in words that a person would say, and in groups that a person would look for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.eventlog.event import Event
from app.eventlog.types import EventType
from app.web.rendering import describe_size


class EventGroup(StrEnum):
    """What belongs together for people. The word is what addresses name it by."""

    MAIL = "mail"
    TROUBLE = "trouble"
    STORING = "storing"
    PLACES = "places"
    WEBHOOKS = "webhooks"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class GroupLook:
    """How a group is called, and the colour of labels that stands for it."""

    name: str
    colour: str


GROUPS: Mapping[EventGroup, GroupLook] = {
    EventGroup.MAIL: GroupLook("Mail", "blue"),
    EventGroup.TROUBLE: GroupLook("Refused or held back", "red"),
    EventGroup.PLACES: GroupLook("Mailboxes and domains", "green"),
    EventGroup.WEBHOOKS: GroupLook("Webhooks", "amber"),
    EventGroup.PEOPLE: GroupLook("People and keys", "violet"),
    EventGroup.STORING: GroupLook("Stored and indexed", "grey"),
}

WORDINGS: Mapping[str, tuple[EventGroup, str]] = {
    EventType.INGEST_RECEIVED: (EventGroup.MAIL, "Mail arrived"),
    EventType.MESSAGE_UPDATED: (EventGroup.MAIL, "Message changed"),
    EventType.MESSAGE_DELETED: (EventGroup.MAIL, "Message deleted"),
    EventType.MESSAGE_DUPLICATE: (EventGroup.MAIL, "Same mail again"),
    EventType.MESSAGE_QUARANTINED: (EventGroup.TROUBLE, "Mail held back"),
    EventType.MESSAGE_REJECTED: (EventGroup.TROUBLE, "Mail refused"),
    EventType.OBJECTSTORE_UPLOADED: (EventGroup.STORING, "Message stored"),
    EventType.INDEXER_INDEXED: (EventGroup.STORING, "Made searchable"),
    EventType.MAILBOX_CREATED: (EventGroup.PLACES, "Mailbox opened"),
    EventType.MAILBOX_EXTENDED: (EventGroup.PLACES, "Inbox got more time"),
    EventType.MAILBOX_CLOSED: (EventGroup.PLACES, "Mailbox closed"),
    EventType.MAILBOX_EXPIRED: (EventGroup.PLACES, "Mailbox removed"),
    EventType.DOMAIN_VERIFIED: (EventGroup.PLACES, "Domain verified"),
    EventType.DOMAIN_MX_LOST: (EventGroup.PLACES, "Domain points elsewhere"),
    EventType.DOMAIN_MX_RECOVERED: (EventGroup.PLACES, "Domain points here"),
    EventType.DOMAIN_SUSPENDED: (EventGroup.PLACES, "Domain suspended"),
    EventType.DOMAIN_RELEASED: (EventGroup.PLACES, "Domain given up"),
    EventType.DOMAIN_REMOVED: (EventGroup.PLACES, "Domain removed"),
    EventType.WEBHOOK_DELIVERED: (EventGroup.WEBHOOKS, "Webhook delivered"),
    EventType.WEBHOOK_FAILED: (EventGroup.WEBHOOKS, "Webhook failed"),
    EventType.WEBHOOK_DISABLED: (EventGroup.WEBHOOKS, "Webhook turned off"),
    EventType.ACCESS_KEY_CREATED: (EventGroup.PEOPLE, "API key made"),
    EventType.ACCESS_KEY_REVOKED: (EventGroup.PEOPLE, "API key revoked"),
    EventType.ACCESS_KEY_ROTATED: (EventGroup.PEOPLE, "API key rotated"),
    EventType.ACCESS_USER_ADDED: (EventGroup.PEOPLE, "Somebody invited"),
    EventType.ACCESS_ROLE_CHANGED: (EventGroup.PEOPLE, "Role changed"),
    EventType.ACCESS_USER_REMOVED: (EventGroup.PEOPLE, "Somebody removed"),
    EventType.ACCESS_SIGNED_IN: (EventGroup.PEOPLE, "Signed in"),
    EventType.ACCESS_SIGNED_OUT: (EventGroup.PEOPLE, "Signed out"),
    EventType.ACCESS_SESSION_ENDED: (EventGroup.PEOPLE, "Session ended"),
    EventType.ACCESS_MAILBOX_ADDED: (EventGroup.PEOPLE, "Added a mailbox"),
    EventType.ACCESS_MAILBOX_RENAMED: (EventGroup.PEOPLE, "Renamed a mailbox"),
    EventType.ACCESS_MAILBOX_REMOVED: (EventGroup.PEOPLE, "Removed a mailbox"),
    EventType.ACCESS_TENANT_ADDED: (EventGroup.PEOPLE, "Added an organisation"),
    EventType.ACCESS_TENANT_RENAMED: (EventGroup.PEOPLE, "Renamed the organisation"),
    EventType.ACCESS_QUARANTINE_RETRIED: (EventGroup.PEOPLE, "Tried held mail again"),
    EventType.ACCESS_QUARANTINE_DROPPED: (EventGroup.PEOPLE, "Dropped held mail"),
    EventType.ACCESS_DOMAIN_ADDED: (EventGroup.PEOPLE, "Added a domain"),
    EventType.ACCESS_DOMAIN_CHANGED: (EventGroup.PEOPLE, "Changed a domain"),
    EventType.ACCESS_DOMAIN_REMOVED: (EventGroup.PEOPLE, "Removed a domain"),
    EventType.ACCESS_SIGN_IN_CHANGED: (EventGroup.PEOPLE, "Changed the sign-in"),
    EventType.ACCESS_PROVIDER_SAVED: (EventGroup.PEOPLE, "Set up the provider"),
    EventType.ACCESS_PROVIDER_REMOVED: (EventGroup.PEOPLE, "Removed the provider"),
    EventType.ACCESS_ROUTE_ADDED: (EventGroup.PEOPLE, "Added a route"),
    EventType.ACCESS_ROUTE_CHANGED: (EventGroup.PEOPLE, "Changed a route"),
    EventType.ACCESS_ROUTE_REMOVED: (EventGroup.PEOPLE, "Removed a route"),
    EventType.ACCESS_WEBHOOK_ADDED: (EventGroup.PEOPLE, "Added a webhook"),
    EventType.ACCESS_WEBHOOK_CHANGED: (EventGroup.PEOPLE, "Changed a webhook"),
    EventType.ACCESS_WEBHOOK_REMOVED: (EventGroup.PEOPLE, "Removed a webhook"),
    EventType.ACCESS_WEBHOOK_ROTATED: (EventGroup.PEOPLE, "New webhook secret"),
    EventType.ACCESS_WEBHOOK_REPLAYED: (EventGroup.PEOPLE, "Sent events again"),
    EventType.ACCESS_EVENT_RETRIED: (EventGroup.PEOPLE, "Tried an event again"),
    EventType.ACCESS_EVENT_DROPPED: (EventGroup.PEOPLE, "Dropped an event"),
}

_NAMES: Mapping[str, str] = {"source": "by", "actor": "by", "size_bytes": "", "is_read": "read"}
_ACTORS: Mapping[str, str] = {
    "user": "a person",
    "key": "an API key",
    "operator": "the command line",
    "system": "Pillarbox itself",
}


def types_of(group: EventGroup) -> Sequence[str]:
    return [kind for kind, (of, _) in WORDINGS.items() if of == group]


def describe_event(kind: str) -> str:
    """`ingest.received` is `Mail arrived`; what another version wrote is spelled out."""
    _, words = WORDINGS.get(kind, (None, ""))
    return words or kind.replace(".", " ").replace("_", " ").capitalize()


def look_of(kind: str) -> GroupLook:
    """How the group of a type looks; grey for what another version wrote."""
    group, _ = WORDINGS.get(kind, (EventGroup.STORING, ""))
    return GROUPS[group]


def describe_data(event: Event) -> str:
    """What an event says besides, on one line, without the ids."""
    return ", ".join(filter(None, (_describe(*fact) for fact in event.data.items())))


def _describe(name: str, value: Any) -> str:
    if name.endswith(("_id", "sha256")) or value in (None, "", []):
        return ""
    if isinstance(value, Mapping):
        return " ".join(f"{key} {each}" for key, each in value.items() if each)
    if name == "size_bytes":
        return describe_size(value)
    if isinstance(value, bool):
        words = "yes" if value else "no"
    else:
        words = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    if name == "actor":
        words = _ACTORS.get(words, words)
    name = name.removeprefix("is_").replace("_", " ") if name not in _NAMES else _NAMES[name]
    return f"{name} {words.replace('_', ' ')}".strip()
