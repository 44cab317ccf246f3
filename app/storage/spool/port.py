"""What a spool promises, whichever form it has.

A *producer* (an SMTP sidecar, an ingester, a connector) appends *items* to its own numbered
*segments*; one *reader* follows all producers. A `put` that returned is durable: nothing that the
machine does afterwards loses the item.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from msgspec import Struct


class Envelope(Struct, frozen=True, gc=False):
    """Who sent and who receives, as the SMTP dialogue said it (RFC 5321, section 2.3.1).

    `mail_from` is empty for the null reverse-path. Addresses are kept as they were received.
    """

    mail_from: str
    rcpt_to: tuple[str, ...]


class Handover(Struct, frozen=True, gc=False, omit_defaults=True):
    """How an SMTP client handed a mail over, for whoever asks later what took how long.

    `protocol` is the keyword of the Received field (RFC 3848); `tls` what the handshake agreed on,
    empty without TLS. What is counted in milliseconds is counted from `connected_at`: when the
    first and the last recipient were accepted, when DATA was answered with 354, and when its last
    byte had come; None for what did not happen.
    """

    connected_at: datetime
    protocol: str = ""
    tls: str = ""
    first_recipient_ms: int | None = None
    last_recipient_ms: int | None = None
    data_ms: int | None = None
    data_end_ms: int | None = None


class ItemMetadata(Struct, frozen=True, gc=False, omit_defaults=True):
    """The immutable facts of one accepted arrival.

    `source` names the door (`smtp`, `callback`, `imap`, …); `source_id` is that door's own id for
    the arrival, where it has one. `prefix_size_bytes` counts the bytes of trace fields
    (Return-Path, Received) that we put on top of what was received: the item's bytes without them
    are the DATA exactly as the sender gave it. `handover` is known of what came by SMTP or LMTP.
    """

    item_id: UUID
    trace_id: UUID
    received_at: datetime
    envelope: Envelope
    source: str
    source_id: str
    client_address: str
    client_name: str
    prefix_size_bytes: int
    handover: Handover | None = None


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in one producer's segments: everything before it was read."""

    producer: str
    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Item:
    """One arrival, read back whole. `raw` holds the trace fields and then DATA as received."""

    position: Position
    metadata: ItemMetadata
    raw: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes inside a sealed segment that are no valid record: kept, reported, stepped over."""

    position: Position
    end_offset: int
    data: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What one producer had to read: items and gaps in order, and where to go on.

    `next_position` differs from the position asked for whenever anything was read or a segment
    was left behind.
    """

    items: Sequence[Item]
    gaps: Sequence[Gap]
    next_position: Position


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much waits behind a set of positions. `size_bytes` is that of the segments; bodies that
    lie in files of their own are not counted. `items` is None where counting them would cost as
    much as reading them."""

    size_bytes: int
    oldest_received_at: datetime | None
    items: int | None = None


class SpoolWriter(Protocol):
    """One producer. Safe to call from many tasks at once; concurrent puts share one commit."""

    @property
    def producer(self) -> str: ...

    async def put(self, metadata: ItemMetadata, raw: bytes | Path) -> None:
        """Makes the item durable, then returns. Order among concurrent puts is not promised.

        A `Path` is a file of the spool's own `new_body_file`, which the spool takes over.
        Raises `StorageFull` before anything is written when space is short, and `Unavailable`
        when the medium failed: the item then counts as not accepted.
        """
        ...

    def new_body_file(self) -> Path:
        """A fresh path, on the same file system as the spool, to stream a large body into."""
        ...

    async def close(self) -> None:
        """Waits for puts in flight and seals the open segment."""
        ...


class SpoolReader(Protocol):
    """The reading side. It never changes what a producer wrote, except in `remove_read`."""

    @property
    def name(self) -> str:
        """A name that is the same for every process that reads this spool."""
        ...

    async def producers(self) -> Sequence[str]:
        """Every producer that has segments here."""
        ...

    async def start(self, producer: str) -> Position:
        """The oldest position kept for this producer."""
        ...

    async def read(self, position: Position, *, max_items: int, max_bytes: int) -> Batch:
        """The items from `position` on; at least one if there is one, however large it is.

        Raises `Unavailable` when the medium cannot be read now.
        """
        ...

    async def load(self, position: Position) -> Item:
        """Reads the one item at exactly this position again (for a retry).

        Raises `NotFound` when its segment is gone and `Corrupt` when no item stands there.
        """
        ...

    async def wait(self, positions: Sequence[Position], timeout_seconds: float) -> bool:
        """Returns True as soon as something may lie behind one of the positions, or a producer
        has segments but no position here; False after the timeout.

        A reader that takes each `next_position` it is given, also those of empty batches, does not
        get True twice for nothing.
        """
        ...

    async def backlog(self, positions: Sequence[Position]) -> Backlog:
        """What waits of every producer; all that is kept of one without a position."""
        ...

    async def remove_read(
        self, positions: Sequence[Position], referenced: Sequence[Position], older_than: datetime
    ) -> int:
        """Removes sealed segments that lie wholly before their producer's position, hold nothing
        `referenced`, were sealed before `older_than`, and are undamaged. Returns how many went."""
        ...
