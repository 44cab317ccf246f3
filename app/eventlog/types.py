"""The types of events, in the past tense. `docs/events.md` documents each with its data."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from app.core.errors import InvalidInput


class EventType(StrEnum):
    INGEST_RECEIVED = "ingest.received"
    OBJECTSTORE_UPLOADED = "objectstore.uploaded"
    INDEXER_INDEXED = "indexer.indexed"
    MESSAGE_QUARANTINED = "message.quarantined"
    MESSAGE_REJECTED = "message.rejected"
    MESSAGE_DUPLICATE = "message.duplicate"
    MESSAGE_UPDATED = "message.updated"
    MESSAGE_DELETED = "message.deleted"
    MAILBOX_CREATED = "mailbox.created"
    MAILBOX_EXTENDED = "mailbox.extended"
    MAILBOX_CLOSED = "mailbox.closed"
    MAILBOX_EXPIRED = "mailbox.expired"
    DOMAIN_VERIFIED = "domain.verified"
    DOMAIN_MX_LOST = "domain.mx_lost"
    DOMAIN_MX_RECOVERED = "domain.mx_recovered"
    DOMAIN_SUSPENDED = "domain.suspended"
    DOMAIN_RELEASED = "domain.released"
    DOMAIN_REMOVED = "domain.removed"
    WEBHOOK_DELIVERED = "webhook.delivered"
    WEBHOOK_FAILED = "webhook.failed"
    WEBHOOK_DISABLED = "webhook.disabled"
    ACCESS_KEY_CREATED = "access.key_created"
    ACCESS_KEY_REVOKED = "access.key_revoked"
    ACCESS_KEY_ROTATED = "access.key_rotated"
    ACCESS_USER_ADDED = "access.user_added"
    ACCESS_ROLE_CHANGED = "access.role_changed"
    ACCESS_USER_REMOVED = "access.user_removed"
    ACCESS_SIGNED_IN = "access.signed_in"
    ACCESS_SIGNED_OUT = "access.signed_out"
    ACCESS_SESSION_ENDED = "access.session_ended"
    ACCESS_MAILBOX_ADDED = "access.mailbox_added"
    ACCESS_MAILBOX_RENAMED = "access.mailbox_renamed"
    ACCESS_MAILBOX_REMOVED = "access.mailbox_removed"
    ACCESS_TENANT_ADDED = "access.tenant_added"
    ACCESS_TENANT_RENAMED = "access.tenant_renamed"
    ACCESS_QUARANTINE_RETRIED = "access.quarantine_retried"
    ACCESS_QUARANTINE_DROPPED = "access.quarantine_dropped"
    ACCESS_EVENT_RETRIED = "access.event_retried"
    ACCESS_EVENT_DROPPED = "access.event_dropped"
    ACCESS_DOMAIN_ADDED = "access.domain_added"
    ACCESS_DOMAIN_CHANGED = "access.domain_changed"
    ACCESS_DOMAIN_REMOVED = "access.domain_removed"
    ACCESS_SIGN_IN_CHANGED = "access.sign_in_changed"
    ACCESS_PROVIDER_SAVED = "access.provider_saved"
    ACCESS_PROVIDER_REMOVED = "access.provider_removed"
    ACCESS_ROUTE_ADDED = "access.route_added"
    ACCESS_ROUTE_CHANGED = "access.route_changed"
    ACCESS_ROUTE_REMOVED = "access.route_removed"
    ACCESS_WEBHOOK_ADDED = "access.webhook_added"
    ACCESS_WEBHOOK_CHANGED = "access.webhook_changed"
    ACCESS_WEBHOOK_REMOVED = "access.webhook_removed"
    ACCESS_WEBHOOK_ROTATED = "access.webhook_rotated"
    ACCESS_WEBHOOK_REPLAYED = "access.webhook_replayed"


def expand_types(names: Iterable[str]) -> Sequence[EventType]:
    """The types of these names, of which one may stand for a whole group: `webhook.*`. Raises
    `InvalidInput` for a name that stands for none."""
    found: dict[EventType, None] = {}
    for name in names:
        group = name.removesuffix("*") if name.endswith(".*") else None
        named = [kind for kind in EventType if kind == name or (group and kind.startswith(group))]
        if not named:
            raise InvalidInput(f"There is no type of events {name}.")
        found |= dict.fromkeys(named)
    return list(found)
