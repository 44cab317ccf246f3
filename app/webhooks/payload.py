"""What an endpoint is sent: which event it is, and where to read more; never anything of a mail."""

from collections.abc import Mapping
from typing import Any

import msgspec

from app.eventlog.event import Event

MAX_BYTES = 20_000
# Of what can be read over the API, by the type of an event's subject.
_PATHS: Mapping[str, str] = {
    "message": "messages/{id}",
    "mailbox": "mailboxes/{id}",
    "domain": "domains/{id}",
    "api_key": "admin/keys/{id}",
    "user": "admin/users/{id}",
    "webhook_endpoint": "webhooks/{id}",
}


def render_payload(event: Event, public_url: str) -> str:
    """JSON of under 20 KB: `type`, `timestamp` (of the event) and `data`, whose `links` lead into
    our API. `facts` is the event's own data; it is null in the payload where it is too large."""
    payload = _payload(event, public_url, event.data)
    if len(payload) >= MAX_BYTES:
        payload = _payload(event, public_url, None)
    return payload.decode()


def render_test(event_id: object, timestamp: object) -> str:
    """What a test sends: of no event, but in the same form."""
    return msgspec.json.encode(
        {"type": TEST_TYPE, "timestamp": timestamp, "data": {"id": event_id}}
    ).decode()


TEST_TYPE = "webhook.test"


def _payload(event: Event, public_url: str, facts: Mapping[str, Any] | None) -> bytes:
    return msgspec.json.encode(
        {
            "type": event.type,
            "timestamp": event.created_at,
            "data": {
                "id": event.id,
                "position": event.position,
                "trace_id": event.trace_id,
                "mailbox_id": event.mailbox_id,
                "subject_type": event.subject_type,
                "subject_id": event.subject_id,
                "facts": facts,
                "links": _links(event, f"{public_url}/api/v1"),
            },
        }
    )


def _links(event: Event, api: str) -> Mapping[str, str]:
    links = {"event": f"{api}/events?after={event.position - 1}&limit=1"}
    if path := _PATHS.get(event.subject_type):
        links["subject"] = f"{api}/{path.format(id=event.subject_id)}"
    if event.subject_type == "message":
        links["raw"] = f"{api}/messages/{event.subject_id}/raw"
    return links
