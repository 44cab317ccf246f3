"""Sending what is due: many calls at once, and what came of them noted in groups."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from app.core.errors import PillarboxError
from app.core.ids import Ids
from app.core.log import get_logger
from app.eventlog.append import EventLog
from app.storage.doorbell import Bell
from app.webhooks.call import Caller
from app.webhooks.claims import Claim, claim_due
from app.webhooks.settling import MAX_AT_ONCE, Ended, Settling
from app.webhooks.verdict import Reply

_log = get_logger("webhooks")
PLACES = 1000
_CLAIMED_AT_ONCE = 200
_LOOK_AGAIN_SECONDS = 1.0
# So long what rings and ends is gathered; it is most of what a delivery waits for.
_GATHER_SECONDS = 0.02
_PAUSE_SECONDS = 1.0


@dataclass(slots=True)
class Deliverer:
    """Runs in as many processes as one likes. A process that dies leaves its leases, and what was
    under way is sent again once they run out: at least once."""

    log: EventLog
    caller: Caller
    settling: Settling
    ids: Ids
    _calls: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _ended: list[Ended] = field(default_factory=list, init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Until cancelled, which ends the calls that are under way."""
        listening = asyncio.create_task(self._listen(), name="webhooks bell")
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self._turn()
                    await asyncio.sleep(_GATHER_SECONDS)
                except Exception as error:
                    self._report(error)
                    self._wake.set()
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            listening.cancel()
            for call in self._calls:
                call.cancel()
            with suppress(PillarboxError):
                await self._settle()

    async def deliver_due(self) -> int:
        """Makes all calls that are due, waits for them, and notes what came of them. How many."""
        claims = await self._claim()
        await asyncio.gather(*(self._call(claim) for claim in claims))
        await self._settle()
        return len(claims)

    async def _listen(self) -> None:
        ear = self.log.doorbell.listen_for(Bell.WEBHOOKS)
        while True:
            self._wake.set()
            await ear.wait(_LOOK_AGAIN_SECONDS)

    async def _turn(self) -> None:
        await self._settle()
        claims = await self._claim()
        for claim in claims:
            call = asyncio.create_task(self._call(claim), name="webhook call")
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        if len(claims) == _CLAIMED_AT_ONCE or self._ended:
            self._wake.set()

    async def _claim(self) -> list[Claim]:
        free = min(PLACES - len(self._calls), _CLAIMED_AT_ONCE)
        if free <= 0:
            return []
        return list(await claim_due(self.log.database, self.ids, self.log.clock.now(), free))

    async def _settle(self) -> None:
        while part := self._ended[:MAX_AT_ONCE]:
            await self.settling.settle(part)
            del self._ended[: len(part)]

    def _report(self, error: Exception) -> None:
        if isinstance(error, PillarboxError):
            _log.warning("webhooks.turn", outcome="waiting", reason=str(error))
        else:
            _log.exception("webhooks.turn", outcome="waiting")

    async def _call(self, claim: Claim) -> None:
        """One that breaks something must not keep the others waiting."""
        try:
            reply = await self.caller.call(claim)
        except Exception as error:
            _log.exception("webhook.attempt", delivery_id=str(claim.delivery_id), outcome="broken")
            reply = Reply(0, error=f"The fault is ours: {type(error).__name__}.")
        self._ended.append(Ended.of(claim, reply))
        self._wake.set()
