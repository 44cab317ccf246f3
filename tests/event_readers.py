"""A consumer that remembers what it was handed, and what tests do with it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from app.assembly import Services
from app.eventlog.consumer import ConsumerRunner
from app.eventlog.event import Event, NewEvent
from app.eventlog.types import EventType


@dataclass
class Reader:
    """`faults` says of a subject what goes wrong with it."""

    name: str = "reader"
    types: Sequence[str] = (EventType.INGEST_RECEIVED, EventType.MESSAGE_DELETED)
    batch_size: int = 10
    faults: dict[UUID, Exception] = field(default_factory=dict)
    seen: list[UUID] = field(default_factory=list)
    calls: int = 0

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        self.calls += 1
        for event in events:
            if fault := self.faults.get(event.subject_id):
                raise fault
        self.seen += [event.subject_id for event in events]
        return []


async def tell(
    services: Services, count: int, kind: EventType = EventType.INGEST_RECEIVED
) -> list[UUID]:
    subjects = [uuid4() for _ in range(count)]
    async with services.log.transaction() as transaction:
        for subject in subjects:
            transaction.tell(NewEvent(kind, trace_id=uuid4(), subject=("message", subject)))
    return subjects


@asynccontextmanager
async def reading(
    services: Services, reader: Reader, *, atomic: bool = False
) -> AsyncIterator[None]:
    runner = ConsumerRunner(reader, services.log, uuid4(), atomic=atomic)
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
