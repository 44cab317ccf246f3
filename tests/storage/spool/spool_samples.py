"""What the tests of the spool share: a clock to turn, and items to put."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from app.storage.spool.port import Batch, Envelope, Item, ItemMetadata, Position, SpoolReader
from app.storage.spool.segment import (
    Footer,
    Header,
    encode_footer,
    encode_head,
    encode_header,
    encode_item,
)

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


@dataclass(frozen=True)
class BytesSource:
    data: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def read(self, offset: int, size_bytes: int) -> bytes:
        return self.data[offset : offset + size_bytes]


@dataclass(frozen=True)
class SegmentSample:
    """The bytes of a segment, and where each record begins; the last is the footer's."""

    data: bytes
    offsets: Sequence[int]
    sealed: bool

    @property
    def ends(self) -> Sequence[int]:
        return [*self.offsets[1:], len(self.data)]


def make_segment(
    items: Sequence[tuple[ItemMetadata, bytes]],
    *,
    marker: bytes = b"the marker of it",
    number: int = 1,
    sealed: bool = True,
) -> SegmentSample:
    data = bytearray(encode_header(Header(marker, number, START)))
    offsets: list[int] = []
    for metadata, raw in items:
        offsets.append(len(data))
        content = encode_item(metadata, raw)
        data += encode_head(marker, content) + content.metadata + content.body
    if sealed:
        offsets.append(len(data))
        data += encode_footer(marker, Footer(len(items), (), START), len(data))
    return SegmentSample(bytes(data), offsets, sealed)
