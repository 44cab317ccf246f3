"""Reading the spool into the pipeline, from where the database says it was left."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.core.backoff import Backoff
from app.core.clock import Clock
from app.core.errors import Corrupt, NotFound, PillarboxError, Unavailable
from app.core.log import get_logger
from app.inbound.pipeline.arrival import Advance, Arrival
from app.inbound.pipeline.pipeline import Pipeline
from app.inbound.pipeline.quarantine import Quarantine
from app.inbound.pipeline.record import PositionMoved
from app.storage.db.database import Database
from app.storage.spool.port import Backlog, Batch, Position, SpoolReader

_log = get_logger("drain")
_MAX_ITEMS = 100
_MAX_BYTES = 16 * 1024 * 1024
# Two events for each delivery have to fit in one append to the log.
_MAX_RECIPIENTS = 200
_PAUSE = Backoff(first_seconds=0.1, ceiling_seconds=2)
_LOOK_AGAIN_SECONDS = 1.0


@dataclass(slots=True)
class Drain:
    """Takes in everything that the spool holds, for as long as it runs."""

    reader: SpoolReader
    pipeline: Pipeline
    quarantine: Quarantine
    database: Database
    clock: Clock
    positions: dict[str, Position] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled. While the database or the object store is down it waits for them."""
        failures = 0
        while True:
            try:
                self.positions = await self.load_positions()
                while True:
                    busy = await self.take_what_is_there()
                    failures = 0
                    if not busy:
                        await self.reader.wait(list(self.positions.values()), _LOOK_AGAIN_SECONDS)
            except PillarboxError as error:
                if not error.retryable:
                    raise
                failures += 1
                _log.warning("drain.pause", reason=str(error), failures=failures, outcome="waiting")
                await asyncio.sleep(_PAUSE.delay_seconds(failures))

    async def take_what_is_there(self) -> bool:
        """One batch of each producer, and what is due for another try. False if there was none.

        A producer that cannot be read does not hold up the others: they come first, and then
        `Unavailable` is raised.
        """
        busy = False
        failure: Unavailable | None = None
        for producer in await self.reader.producers():
            start = self.positions.get(producer) or await self.reader.start(producer)
            try:
                batch = await self.reader.read(start, max_items=_MAX_ITEMS, max_bytes=_MAX_BYTES)
            except Unavailable as error:
                failure = error
                continue
            await self._take(start, batch)
            self.positions[producer] = batch.next_position
            busy = busy or batch.next_position != start
        busy = await self._retry_due() or busy
        if failure is not None:
            raise failure
        return busy

    async def load_positions(self) -> dict[str, Position]:
        """How far each producer was read, as the database knows it."""
        return await load_spool_positions(self.database, self.reader.name)

    async def backlog(self) -> Backlog:
        """What waits to be taken in, of every producer."""
        return await self.reader.backlog(list((await self.load_positions()).values()))

    async def trim(self, *, keep: timedelta) -> int:
        """Removes segments that were read and are older than `keep`, and forgets producers that
        have none left. Returns how many segments went."""
        positions = await self.load_positions()
        rows = await self.database.fetch(
            "select producer, segment, byte_offset from spool_deferred where spool = $1",
            self.reader.name,
        )
        referenced = [Position(*row) for row in rows]
        older_than: datetime = self.clock.now() - keep
        removed = await self.reader.remove_read(list(positions.values()), referenced, older_than)
        gone = positions.keys() - set(await self.reader.producers())
        await self.database.execute(
            "delete from spool_position where spool = $1 and producer = any($2::text[])",
            self.reader.name,
            sorted(gone),
        )
        return removed

    async def _take(self, start: Position, batch: Batch) -> None:
        for gap in batch.gaps:
            await self.quarantine.keep_gap(gap)
        if batch.next_position == start:
            return
        for arrivals, end in _split(batch):
            advance = Advance(self.reader.name, start, end)
            try:
                await self.pipeline.take_in(arrivals, advance)
            except PositionMoved:
                raise
            except Exception as error:
                if len(arrivals) == 0:
                    raise
                _log.warning(
                    "drain.batch",
                    items=len(arrivals),
                    outcome="one by one",
                    reason=f"{type(error).__name__}: {error}",
                )
                await self._take_singly(start, arrivals, end)
            start = end

    async def _take_singly(
        self, start: Position, arrivals: Sequence[Arrival], end: Position
    ) -> None:
        ends = [arrival.item.position for arrival in arrivals[1:]] + [end]
        for arrival, after in zip(arrivals, ends, strict=True):
            await self.pipeline.take_in_alone(arrival, Advance(self.reader.name, start, after))
            start = after

    async def _retry_due(self) -> bool:
        rows = await self.database.fetch(
            """select id, producer, segment, byte_offset, attempts from spool_deferred
            where spool = $1 and next_attempt_at <= $2 order by next_attempt_at limit 20""",
            self.reader.name,
            self.clock.now(),
        )
        for row in rows:
            position = Position(row["producer"], row["segment"], row["byte_offset"])
            try:
                item = await self.reader.load(position)
            except (NotFound, Corrupt) as error:
                # The spool keeps what is deferred, so this means a damaged disk.
                _log.error("drain.retry", item_id=str(row["id"]), outcome="lost", reason=str(error))
                await self.quarantine.report_lost(row["id"], str(error))
                continue
            await self.pipeline.take_in_alone(Arrival(item, attempts=row["attempts"]), None)
        return bool(rows)


def _split(batch: Batch) -> Iterator[tuple[Sequence[Arrival], Position]]:
    """The batch in parts small enough for one transaction, and where each part ends."""
    part: list[Arrival] = []
    recipients = 0
    for item in batch.items:
        count = len(item.metadata.envelope.rcpt_to)
        if part and recipients + count > _MAX_RECIPIENTS:
            yield part, item.position
            part, recipients = [], 0
        part.append(Arrival(item))
        recipients += count
    yield part, batch.next_position


async def load_spool_positions(database: Database, spool: str) -> dict[str, Position]:
    """How far each producer of this spool was read."""
    rows = await database.fetch(
        "select producer, segment, byte_offset from spool_position where spool = $1", spool
    )
    return {row["producer"]: Position(*row) for row in rows}
