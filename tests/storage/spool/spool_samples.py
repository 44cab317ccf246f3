"""What the tests of the spool share: a clock to turn, and items to put."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from app.storage.spool.port import Batch, Envelope, Item, ItemMetadata, Position, SpoolReader

NewMetadata = Callable[[], ItemMetadata]
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class TurnedClock:
    time: datetime = START

    def now(self) -> datetime:
        return self.time

    def turn(self, **amount: float) -> None:
        self.time += timedelta(**amount)


@dataclass
class Items:
    """Makes metadata, each with its own id and one second later than the one before."""

    numbers: "count[int]" = field(default_factory=lambda: count(1))

    def __call__(self) -> ItemMetadata:
        number = next(self.numbers)
        return ItemMetadata(
            item_id=UUID(int=number),
            trace_id=UUID(int=number << 64),
            received_at=START + timedelta(seconds=number),
            envelope=Envelope("sender@example.org", ("one@example.com", "two@example.com")),
            source="smtp",
            source_id="",
            client_address="192.0.2.1",
            client_name="client.example.org",
            prefix_size_bytes=0,
        )


@dataclass
class Everything:
    """All that a reader gives from its start positions on, read in small batches."""

    items: list[Item] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)

    @property
    def ids(self) -> list[UUID]:
        return [item.metadata.item_id for item in self.items]

    @property
    def gaps(self) -> list[tuple[int, int, int]]:
        return [
            (gap.position.segment, gap.position.offset, gap.end_offset)
            for batch in self.batches
            for gap in batch.gaps
        ]

    def all_positions(self) -> Sequence[Position]:
        return list(self.positions.values())


class ReadAll:
    async def __call__(
        self,
        reader: SpoolReader,
        known: Everything | None = None,
        *,
        max_items: int = 7,
        max_bytes: int = 1_000_000,
    ) -> Everything:
        """Reads on from what is known until no position moves any more."""
        found = Everything(positions=dict(known.positions) if known else {})
        for producer in await reader.producers():
            position = found.positions.get(producer) or await reader.start(producer)
            while True:
                batch = await reader.read(position, max_items=max_items, max_bytes=max_bytes)
                found.items += batch.items
                found.batches.append(batch)
                found.positions[producer] = batch.next_position
                if batch.next_position == position:
                    break
                position = batch.next_position
        return found
