"""Readers of the log that remember how far they came: stop them, restart them, add one more.

What they are handed, and handed again, docs/events.md tells those who write one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeAlias
from uuid import UUID

from app.core.backoff import Backoff
from app.core.errors import PillarboxError
from app.core.log import get_logger
from app.eventlog.append import EventLog
from app.eventlog.event import Event, NewEvent
from app.eventlog.lease import Lease, LeaseLost
from app.eventlog.narrowing import Narrowing, Verdict
from app.eventlog.parked import ParkedEvents, reason_of
from app.eventlog.read import EventFilter, last_position, read_events
from app.eventlog.replays import Replay, Replays
from app.storage.db.database import Connection
from app.storage.doorbell import Bell

_log = get_logger("consumer")

_LOOK_AGAIN_SECONDS = 1.0
# Behind by less than this, a position waits for the next event that the consumer wants.
_IDLE_EVENTS = 1000
_PAUSE = Backoff(first_seconds=0.2, ceiling_seconds=15)

Settle: TypeAlias = Callable[[Connection], Awaitable[None]]
"""Notes in a transaction that events are dealt with; raises `LeaseLost` if that is not ours to
say."""


class Consumer(Protocol):
    """What a reader does with events. `types` never name what it tells itself."""

    @property
    def name(self) -> str: ...

    @property
    def types(self) -> Sequence[str]: ...

    @property
    def batch_size(self) -> int:
        """Events at a time. What is told of a batch must be at most `MAX_EVENTS_PER_APPEND`."""
        ...

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        """Deals with events in their order and returns what to tell of it.

        What is told is appended exactly once. All other effects must not add up, for events are
        handed over at least once: again when the process dies, or the database goes away, before
        the position was committed, and in a replay. Effects that are rows can be kept to exactly
        once, without a replay, by `ConsumerRunner.atomic`.

        A retryable error keeps the position; the same events come again after a pause. Another
        error of ours is final at once, any other when it came `MAX_TRIES` times: then the batch is
        handed over in parts until the event that fails is found, which is parked.
        """
        ...


@dataclass(slots=True)
class ConsumerRunner:
    """Runs one consumer, in as many processes as one likes.

    `atomic` is for consumers that only write rows, and quickly: `handle` then runs in the
    transaction that moves the position (see `EventLog.unit`), so that both happen or neither.
    """

    consumer: Consumer
    log: EventLog
    leader: UUID
    atomic: bool = False
    _lease: Lease = field(init=False)
    _parked: ParkedEvents = field(init=False)
    _replays: Replays = field(init=False)
    _following: Narrowing = field(init=False)
    _replaying: Narrowing = field(init=False)
    _position: int = field(default=0, init=False)
    _seen: int = field(default=0, init=False)
    """Up to here there is nothing for us, committed or not."""
    _is_behind: bool = field(default=True, init=False)
    _replay: Replay | None = field(default=None, init=False)
    _look_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        consumer, log = self.consumer, self.log
        self._lease = Lease(consumer.name, consumer.types, self.leader, log.database, log.clock)
        self._parked, self._replays = ParkedEvents(log), Replays(log)
        self._following = Narrowing(consumer.batch_size)
        self._replaying = Narrowing(consumer.batch_size)

    async def run(self) -> None:
        """Until cancelled; the lease is given back then."""
        ear = self.log.doorbell.listen_for(Bell.EVENTS)
        failures = 0
        try:
            while True:
                try:
                    if (position := await self._lease.take()) is None:
                        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                        continue
                    self._go_on_from(position)
                    async with self._lease.renewed():
                        while True:
                            if not await self._work():
                                await ear.wait(_LOOK_AGAIN_SECONDS)
                            failures = 0
                except Exception as error:
                    failures += 1
                    self._report(error, "waiting")
                    await asyncio.sleep(_PAUSE.delay_seconds(failures))
        finally:
            with suppress(PillarboxError):
                await self._lease.release()

    def _go_on_from(self, position: int) -> None:
        self._position = self._seen = position
        self._is_behind, self._replay, self._look_at = True, None, 0.0

    async def _work(self) -> bool:
        """A batch of the log and, in turn with it, of what was asked for besides. False when there
        is nothing to do for now."""
        moved = await self._follow()
        if time.monotonic() >= self._look_at:
            if await self._retry_parked():
                return True
            self._replay = self._replay or await self._replays.next_of(self.consumer.name)
            self._look_at = time.monotonic() + _LOOK_AGAIN_SECONDS
        if self._replay is not None:
            await self._go_on_with(self._replay)
            return True
        return moved

    async def _follow(self) -> bool:
        horizon = None
        if not self._is_behind:
            horizon = await last_position(self.log.database, after=self._seen)
            if horizon == self._seen:
                return False
        limit = self._following.limit
        events = await self._read(self._seen, self.consumer.types, limit)
        self._is_behind = len(events) == limit
        if events:
            settle = partial(self._lease.move, before=self._position, after=events[-1].position)
            if await self._hand_over(events, self._following, settle):
                self._position = self._seen = events[-1].position
        elif horizon is not None:
            self._seen = horizon
            if horizon - self._position > _IDLE_EVENTS:
                async with self.log.database.transaction() as connection:
                    await self._lease.move(connection, self._position, horizon)
                self._position = horizon
        return True

    async def _go_on_with(self, replay: Replay) -> None:
        limit = self._replaying.limit
        events = await self._read(
            replay.next_position - 1,
            replay.wanted_of(self.consumer.types),
            limit,
            replay.last_position,
        )
        is_last = len(events) < limit or events[-1].position == replay.last_position
        position = replay.last_position if is_last else events[-1].position

        async def settle(connection: Connection) -> None:
            await self._lease.hold(connection)
            if not await self._replays.advance(connection, replay, position, len(events)):
                raise LeaseLost(f"The replay of {replay.consumer} was called off.")

        if await self._hand_over(events, self._replaying, settle):
            self._replay = None if is_last else replace(replay, next_position=position + 1)

    async def _retry_parked(self) -> bool:
        """Handles one that somebody asked for. False when nobody did."""
        if (parked := await self._parked.asked(self.consumer.name)) is None:
            return False
        events = await self._read(parked.position - 1, (parked.type,), 1, parked.position)

        async def settle(connection: Connection) -> None:
            await self._lease.hold(connection)
            await self._parked.release(connection, parked)

        try:
            await self._effect(events, settle)
        except LeaseLost:
            raise
        except Exception as error:
            self._report(error, "parked still")
            await self._parked.keep(parked, reason_of(error))
        return True

    async def _hand_over(
        self, events: Sequence[Event], narrowing: Narrowing, settle: Settle
    ) -> bool:
        """False when the batch failed, and comes again in parts. Raises what it has to wait for."""
        try:
            await self._effect(events, settle)
        except Exception as error:
            verdict = narrowing.judge(error, events) if events else Verdict.WAIT
            if verdict is Verdict.WAIT:
                raise
            if verdict is Verdict.NARROW:
                self._report(error, "narrowed down")
                return False
            await self._park(events[0], error, settle)
        if events:
            narrowing.pass_on(events[-1].position)
        return True

    async def _effect(self, events: Sequence[Event], settle: Settle) -> None:
        if self.atomic:
            async with self.log.unit() as unit:
                await settle(unit.connection)
                unit.tell(*(await self.consumer.handle(events) if events else ()))
            return
        told = await self.consumer.handle(events) if events else ()
        async with self.log.transaction() as transaction:
            await settle(transaction.connection)
            transaction.tell(*told)

    async def _park(self, event: Event, error: Exception, settle: Settle) -> None:
        async with self.log.database.transaction() as connection:
            await settle(connection)
            await self._parked.park(connection, self.consumer.name, event, reason_of(error))
        self._report(error, "parked")

    async def _read(
        self, after: int, types: Sequence[str], limit: int, last: int | None = None
    ) -> Sequence[Event]:
        return await read_events(
            self.log.database,
            after=after,
            wanted=EventFilter(types=types),
            limit=limit,
            last=last,
        )

    def _report(self, error: Exception, outcome: str) -> None:
        facts = {"consumer": self.consumer.name, "position": self._position, "outcome": outcome}
        if isinstance(error, PillarboxError):
            _log.warning("consumer.batch", reason=str(error), **facts)
        else:
            _log.exception("consumer.batch", **facts)
