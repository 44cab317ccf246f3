"""What one item's way took, from its client to its rows. Events that end such a way carry it."""

from datetime import datetime

from msgspec import Struct

from app.storage.spool.port import Handover


class Passage(Struct, frozen=True, gc=False, omit_defaults=True):
    """Times and counts, and nobody's address, as it outlives the message.

    `claimed_at` is when ingestion took the item from the spool. What follows lasted as many
    milliseconds for all `items` that were taken together; None for a step that was not done.
    `attempts` counts earlier tries.
    """

    received_at: datetime
    claimed_at: datetime
    handover: Handover | None = None
    items: int = 1
    attempts: int = 0
    parse_ms: int | None = None
    route_ms: int | None = None
    store_ms: int | None = None
