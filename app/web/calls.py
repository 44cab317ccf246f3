"""Calls for a person: what happened that somebody has to look at, said on whichever live page they
have open. Who cannot do anything about it is not called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment

from app.access.grants import Grant
from app.access.permissions import Permission
from app.eventlog.event import Event
from app.eventlog.types import EventType
from app.web.live import format_event


@dataclass(frozen=True, slots=True)
class Call:
    """What to say, and where to look. `name` tells calls apart: of each only the newest stays on a
    page."""

    name: str
    text: str
    path: str


_CALLS: Mapping[str, tuple[str, str, Permission]] = {
    EventType.MESSAGE_QUARANTINED: (
        "A message could not be taken in and is held back.",
        "/admin/quarantine",
        Permission.ADMIN,
    ),
    EventType.DOMAIN_MX_LOST: (
        "A domain points elsewhere now: its mail is put off.",
        "/admin/domains/{subject_id}",
        Permission.DOMAINS_WRITE,
    ),
    EventType.DOMAIN_SUSPENDED: (
        "A domain is suspended: its mail is refused.",
        "/admin/domains/{subject_id}",
        Permission.DOMAINS_WRITE,
    ),
    EventType.WEBHOOK_DISABLED: (
        "A webhook was turned off: what it should be told is not sent.",
        "/admin/webhooks/{subject_id}",
        Permission.WEBHOOKS_WRITE,
    ),
}


def types_of_calls(grant: Grant) -> Sequence[str]:
    """The events that whoever this is may be called for."""
    return [kind for kind, (_, _, permission) in _CALLS.items() if grant.allows(permission)]


def draw_calls(
    environment: Environment, events: Sequence[Event], types: Sequence[str]
) -> Mapping[int, bytes]:
    """The calls for those of these events that are of these types, for the stream of a page, by
    position."""
    template = environment.get_template("_call.html")
    return {
        event.position: format_event(
            "message", template.render(call=_call_for(event)), event.position
        )
        for event in events
        if event.type in types
    }


def _call_for(event: Event) -> Call:
    text, path, _ = _CALLS[event.type]
    return Call(event.type.replace(".", "-"), text, path.format(subject_id=event.subject_id))
