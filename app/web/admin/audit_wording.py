"""The audit trail in words that a person would say."""

import re
from collections.abc import Mapping, Sequence

# Of a moment the day is enough here; the files have all of it.
_TIME = re.compile(r"^(\d{4}-\d\d-\d\d)T[\d:.]+(?:\+00:00|Z)$")
_WORDS: Mapping[str, str] = {
    "access.key_created": "Made an API key",
    "access.key_revoked": "Revoked an API key",
    "access.key_rotated": "Rotated an API key",
    "access.user_added": "Invited somebody",
    "access.user_removed": "Removed somebody",
    "access.role_changed": "Changed a role",
    "access.signed_in": "Signed in",
    "access.signed_out": "Signed out",
    "access.session_ended": "Ended a session",
    "access.mailbox_added": "Added a mailbox",
    "access.mailbox_renamed": "Renamed a mailbox",
    "access.mailbox_removed": "Removed a mailbox",
    "access.route_added": "Added a route",
    "access.route_changed": "Changed a route",
    "access.route_removed": "Removed a route",
    "access.domain_added": "Added a domain",
    "access.domain_removed": "Removed a domain",
    "access.quarantine_retried": "Tried mail in quarantine again",
    "access.quarantine_dropped": "Dropped mail from quarantine",
    "access.webhook_added": "Added a webhook",
    "access.webhook_changed": "Changed a webhook",
    "access.webhook_removed": "Removed a webhook",
    "access.webhook_rotated": "Rotated a webhook's secret",
    "access.webhook_replayed": "Sent events to a webhook again",
    "access.event_retried": "Had parked events handled again",
    "access.event_dropped": "Dropped a parked event",
    "access.tenant_added": "Added an organisation",
    "access.tenant_renamed": "Renamed the organisation",
}
# The beginning of an action, and what people call all that begin so.
ACTION_GROUPS: Mapping[str, str] = {
    "": "Everything",
    "access.user": "Users",
    "access.role": "Roles",
    "access.key": "API keys",
    "access.domain": "Domains",
    "access.mailbox": "Mailboxes",
    "access.route": "Routes",
    "access.quarantine": "Quarantine",
    "access.webhook": "Webhooks",
    "access.event": "Parked events",
    "access.sign": "Sign-ins",
    "access.session": "Sessions",
    "access.tenant": "Organisations",
}


def describe_action(action: str) -> str:
    """`access.key_revoked` is `Revoked an API key`; what has no words of its own is spelled out."""
    return _WORDS.get(action) or action.rpartition(".")[2].replace("_", " ").capitalize()


def describe_facts(facts: Mapping[str, object]) -> str:
    """The facts of an entry on one line, without those that say nothing."""
    return ", ".join(
        f"{name.replace('_', ' ')} {_describe(value)}"
        for name, value in facts.items()
        if value not in (None, "", [], ())
    )


def _describe(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(str, value))
    return _TIME.sub(r"\1", str(value))
