"""The types of events, in the past tense. `docs/events.md` documents each with its data."""

from enum import StrEnum


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
    ACCESS_KEY_CREATED = "access.key_created"
    ACCESS_KEY_REVOKED = "access.key_revoked"
    ACCESS_KEY_ROTATED = "access.key_rotated"
    ACCESS_SIGNED_IN = "access.signed_in"
    ACCESS_SIGNED_OUT = "access.signed_out"
    ACCESS_SESSION_ENDED = "access.session_ended"
    ACCESS_ROUTE_ADDED = "access.route_added"
    ACCESS_ROUTE_CHANGED = "access.route_changed"
    ACCESS_ROUTE_REMOVED = "access.route_removed"
