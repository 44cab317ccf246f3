"""Which messages of a batch temporary inboxes may keep. All other mailboxes keep everything."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from app.inbound.pipeline.arrival import Delivery, Routed
from app.inbox.temporary_limits import (
    Excess,
    InboxUsage,
    TemporaryLimits,
    lock_usage,
    save_usage,
)
from app.storage.db.database import Connection

Pair: TypeAlias = tuple[Routed, Delivery]


@dataclass(frozen=True, slots=True)
class Admission:
    """`kept` may be recorded; `discarded` would break a limit of their inbox."""

    kept: Sequence[Pair]
    discarded: Sequence[tuple[Pair, Excess]]
    usages: Mapping[UUID, InboxUsage]

    async def settle(self, connection: Connection, new: Sequence[Pair], now: datetime) -> None:
        """Counts what was recorded, and was not before, and what was discarded."""
        for pair in new:
            if usage := self._usage_of(pair):
                usage.add(_size_bytes(pair), now)
        for pair, _ in self.discarded:
            if usage := self._usage_of(pair):
                usage.discarded_count += 1
        await save_usage(connection, list(self.usages.values()))

    def _usage_of(self, pair: Pair) -> InboxUsage | None:
        return self.usages.get(pair[1].mailbox.id)


async def admit(
    connection: Connection,
    pairs: Sequence[Pair],
    *,
    temporary: Collection[UUID],
    limits: TemporaryLimits,
    now: datetime,
) -> Admission:
    """Decides for each pair, as though those before it were recorded. `temporary` are the mailboxes
    that have limits; their counts are locked until the transaction ends."""
    if not temporary:
        return Admission(pairs, [], {})
    usages = await lock_usage(connection, temporary, now)
    expected = {mailbox_id: replace(usage) for mailbox_id, usage in usages.items()}
    recorded = await _find_recorded(connection, pairs)
    kept: list[Pair] = []
    discarded: list[tuple[Pair, Excess]] = []
    for pair in pairs:
        usage = expected.get(pair[1].mailbox.id)
        if usage is None or pair[1].message_id in recorded:
            kept.append(pair)
        elif excess := usage.excess(_size_bytes(pair), limits, now):
            discarded.append((pair, excess))
        else:
            usage.add(_size_bytes(pair), now)
            kept.append(pair)
    return Admission(kept, discarded, usages)


async def _find_recorded(connection: Connection, pairs: Sequence[Pair]) -> set[UUID]:
    """Those that an earlier try recorded: discarding them would take their files away."""
    rows = await connection.fetch(
        "select id from message where id = any($1::uuid[])",
        [delivery.message_id for _, delivery in pairs],
    )
    return {row["id"] for row in rows}


def _size_bytes(pair: Pair) -> int:
    """As the sender counts it, without our trace fields: the gate compares the same figure."""
    item = pair[0].parsed.arrival.item
    return len(item.raw) - item.metadata.prefix_size_bytes
