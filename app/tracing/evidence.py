"""What is known of a trace, of as much of it as whoever asks may see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.eventlog.event import Event
from app.inbox.authentication import AuthenticationView
from app.storage.spool.port import Handover


@dataclass(frozen=True, slots=True)
class Sender:
    """Whoever handed the mail over: its IP address, and the name it gave itself. Empty where it is
    not known."""

    address: str
    name: str


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """A message that is still there. `mail_from` is empty for the null reverse-path."""

    id: UUID
    trace_id: UUID
    mailbox_address: str
    mail_from: str
    subject: str
    received_at: datetime
    sender: Sender
    authentication: AuthenticationView | None


@dataclass(frozen=True, slots=True)
class RefusedRecipient:
    """One recipient for whom the mail was refused, while that is remembered."""

    id: UUID
    refused_at: datetime
    mail_from: str
    recipient: str
    code: int
    enhanced_code: str
    cause: str
    reply: str
    sender: Sender
    handover: Handover | None

    @property
    def is_before_data(self) -> bool:
        """Whether the client had not begun to send the message yet."""
        return self.handover is not None and self.handover.data_ms is None


@dataclass(frozen=True, slots=True)
class HeldItem:
    """An item in quarantine, and why it is there now."""

    id: UUID
    stage: str
    reason: str
    mail_from: str
    recipients: str
    sender: Sender


@dataclass(frozen=True, slots=True)
class WebhookTry:
    """One try to deliver an event of the trace, or the wait for the first. `host` is of the
    endpoint's address, whose path may be a secret. `next_attempt_at` is None once the delivery is
    finished, and unless this is its last try so far."""

    delivery_id: UUID
    type: str
    host: str
    number: int
    began_at: datetime
    duration_ms: int | None
    status: int | None
    error: str
    is_given_up: bool
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """`events` are those of the trace, `related` those of other traces that speak of its messages
    or its item; both in order. `repeated_by` is who brought a message once more."""

    events: Sequence[Event]
    related: Sequence[Event] = ()
    messages: Mapping[UUID, TracedMessage] = field(default_factory=dict)
    refused: Mapping[UUID, RefusedRecipient] = field(default_factory=dict)
    held: Mapping[UUID, HeldItem] = field(default_factory=dict)
    repeated_by: Sender | None = None
    webhook_tries: Sequence[WebhookTry] = ()

    def find_sender(self) -> Sender | None:
        """Who handed the mail over."""
        if self.repeated_by is not None:
            return self.repeated_by
        trace_id = self.events[0].trace_id
        known = [each.sender for each in self.messages.values() if each.trace_id == trace_id]
        known += [each.sender for each in self.refused.values()]
        known += [each.sender for each in self.held.values()]
        return next(iter(known), None)
