"""What passes from step to step of the pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.ids import derive_id
from app.directory.mailboxes import Mailbox
from app.mime.classify import Classification
from app.mime.parsed import Attachment, ParsedMessage
from app.storage.blobs.keys import attachment_key, raw_key
from app.storage.spool.port import Item, Position
from app.tracing.passage import Passage


@dataclass(frozen=True, slots=True)
class Advance:
    """The step forward in one producer's segments that a batch stands for."""

    spool: str
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class Arrival:
    """An item to take in. `attempts` counts earlier tries; `from_quarantine` that it was put by."""

    item: Item
    attempts: int = 0
    from_quarantine: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    arrival: Arrival
    message: ParsedMessage
    classification: Classification
    identity: bytes
    fingerprint: bytes
    sha256: bytes
    content_sha256: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way into one mailbox. Its id is the same at every try."""

    message_id: UUID
    mailbox: Mailbox


@dataclass(frozen=True, slots=True)
class Routed:
    """A message and the mailboxes it goes to."""

    parsed: Parsed
    deliveries: Sequence[Delivery]

    def raw_keys(self) -> Sequence[str]:
        """Where the raw message lies: once for each tenant."""
        tenants = dict.fromkeys(delivery.mailbox.tenant_id for delivery in self.deliveries)
        return [raw_key(tenant_id, self.parsed.sha256) for tenant_id in tenants]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An item that can never be taken in, and why. Its bytes are kept in quarantine."""

    arrival: Arrival
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class Deferral:
    """An item that met a passing fault while others did not."""

    arrival: Arrival
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item for nobody, of domains where such items are not kept."""

    arrival: Arrival


@dataclass(frozen=True, slots=True)
class Timing:
    """When the items of a batch were claimed, how many they were, and how many milliseconds each
    step lasted for all of them; None for a step that was not done."""

    claimed_at: datetime
    items: int = 1
    parse_ms: int | None = None
    route_ms: int | None = None
    store_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of the items of one batch so far."""

    timing: Timing
    routed: Sequence[Routed] = ()
    refusals: Sequence[Refusal] = ()
    dropped: Sequence[Dropped] = ()
    deferrals: Sequence[Deferral] = ()


def new_delivery(item: Item, mailbox: Mailbox) -> Delivery:
    return Delivery(derive_id(item.metadata.item_id, mailbox.id.bytes), mailbox)


def describe_passage(arrival: Arrival, timing: Timing) -> Passage:
    metadata = arrival.item.metadata
    return Passage(
        received_at=metadata.received_at,
        claimed_at=timing.claimed_at,
        handover=metadata.handover,
        items=timing.items,
        attempts=arrival.attempts,
        parse_ms=timing.parse_ms,
        route_ms=timing.route_ms,
        store_ms=timing.store_ms,
    )


def stored_attachment_key(delivery: Delivery, attachment: Attachment) -> str:
    return attachment_key(delivery.mailbox.tenant_id, delivery.message_id, attachment.storage_name)
