"""How an item becomes a message: parse, route, store, record.

Items are taken in batches, since one transaction for many is cheaper. A fault that stops a batch
is told apart here: a whole part being down stops everything, and the caller waits; one item's
own fault is found by taking the items one at a time, and only that item is put aside.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.errors import Unavailable
from app.core.log import get_logger
from app.inbound.pipeline.arrival import Advance, Arrival, Batch, Deferral, Refusal, Timing
from app.inbound.pipeline.parse import parse
from app.inbound.pipeline.record import PositionMoved, Recorder
from app.inbound.pipeline.route import Router
from app.inbound.pipeline.store import Storekeeper

_log = get_logger("pipeline")
_MAX_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The way from the spool to the mailboxes. Taking an item in twice changes nothing."""

    spool: str
    router: Router
    storekeeper: Storekeeper
    recorder: Recorder

    async def take_in(self, arrivals: Sequence[Arrival], advance: Advance | None) -> None:
        """Takes in what was read between the ends of `advance`, all of it, in one transaction.

        Raises `Unavailable` when a part that every item needs is down, and `PositionMoved` when
        another worker took these items; nothing was recorded then.
        """
        claimed_at, started = self.recorder.clock.now(), time.perf_counter()
        parsed, unparseable = await parse(arrivals)
        parsed_at = time.perf_counter()
        routing = await self.router.route(parsed)
        routed_at = time.perf_counter()
        refusals = [*unparseable, *routing.refusals]
        await self.storekeeper.store(routing.routed, refusals)
        timing = Timing(
            claimed_at,
            items=len(arrivals),
            parse_ms=round((parsed_at - started) * 1000),
            route_ms=round((routed_at - parsed_at) * 1000),
            store_ms=round((time.perf_counter() - routed_at) * 1000),
        )
        batch = Batch(timing, routing.routed, refusals, routing.dropped)
        await self.recorder.record(self.spool, batch, advance)
        _log_outcomes(batch, started)

    async def take_in_alone(self, arrival: Arrival, advance: Advance | None) -> None:
        """Takes in one item after its batch failed; puts it aside if it is the one at fault.

        Raises as `take_in` does.
        """
        try:
            await self.take_in([arrival], advance)
        except PositionMoved:
            raise
        except Unavailable as error:
            await self.storekeeper.blobs.check()
            await self._put_aside(arrival, "store", str(error), advance)
        except Exception as error:
            _log.exception("pipeline.take_in", item_id=str(arrival.item.metadata.item_id))
            reason = f"{type(error).__name__}: {error}"[:500]
            await self._refuse(arrival, "record", reason, advance)

    async def _put_aside(
        self, arrival: Arrival, stage: str, reason: str, advance: Advance | None
    ) -> None:
        if arrival.attempts + 1 >= _MAX_ATTEMPTS or arrival.from_quarantine:
            await self._refuse(arrival, stage, reason, advance)
            return
        batch = Batch(self._now(), deferrals=[Deferral(arrival, stage, reason)])
        await self.recorder.record(self.spool, batch, advance)

    async def _refuse(
        self, arrival: Arrival, stage: str, reason: str, advance: Advance | None
    ) -> None:
        refusal = Refusal(arrival, stage, reason)
        await self.storekeeper.store([], [refusal])
        await self.recorder.record(self.spool, Batch(self._now(), refusals=[refusal]), advance)

    def _now(self) -> Timing:
        """Of an item whose steps came to nothing."""
        return Timing(self.recorder.clock.now())


def _log_outcomes(batch: Batch, started: float) -> None:
    duration_ms = round((time.perf_counter() - started) * 1000, 1)
    for entry in batch.routed:
        for delivery in entry.deliveries:
            _log.info(
                "ingest.received",
                trace_id=str(entry.parsed.arrival.item.metadata.trace_id),
                tenant_id=str(delivery.mailbox.tenant_id),
                message_id=str(delivery.message_id),
                duration_ms=duration_ms,
                outcome="recorded",
            )
    for refusal in batch.refusals:
        _log.warning(
            "message.quarantined",
            trace_id=str(refusal.arrival.item.metadata.trace_id),
            item_id=str(refusal.arrival.item.metadata.item_id),
            stage=refusal.stage,
            duration_ms=duration_ms,
            outcome="quarantined",
        )
