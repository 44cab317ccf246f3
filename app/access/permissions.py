"""What there is to be allowed, and what each role is."""

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """One thing that somebody may do. A key's scopes are these words, but for OWNER."""

    MESSAGES_READ = "messages:read"
    MESSAGES_WRITE = "messages:write"
    EVENTS_READ = "events:read"
    EMAILS_SEND = "emails:send"
    MAILBOXES_READ = "mailboxes:read"
    MAILBOXES_WRITE = "mailboxes:write"
    DOMAINS_READ = "domains:read"
    DOMAINS_WRITE = "domains:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    ADMIN = "admin"
    """Users, keys, the audit trail, quarantine, jobs and settings of the tenant."""
    OWNER = "owner"
    """How people sign in, and who owns the tenant. Never a key's."""


SCOPES = frozenset(Permission) - {Permission.OWNER}
# What a key may do that was made with a name alone.
DEFAULT_SCOPES = SCOPES - {Permission.ADMIN}

_VIEWER = frozenset(
    {
        Permission.MESSAGES_READ,
        Permission.MAILBOXES_READ,
        Permission.DOMAINS_READ,
        Permission.EVENTS_READ,
        Permission.WEBHOOKS_READ,
    }
)
_AGENT = _VIEWER | {Permission.MESSAGES_WRITE, Permission.EMAILS_SEND}
_ADMIN = _AGENT | {
    Permission.MAILBOXES_WRITE,
    Permission.DOMAINS_WRITE,
    Permission.WEBHOOKS_WRITE,
    Permission.ADMIN,
}
_OWNER = _ADMIN | {Permission.OWNER}

# From the one that may do most to the one that may do least.
ROLE_PERMISSIONS: Mapping[str, frozenset[Permission]] = {
    "owner": _OWNER,
    "admin": _ADMIN,
    "agent": _AGENT,
    "viewer": _VIEWER,
}
ROLES = tuple(ROLE_PERMISSIONS)
