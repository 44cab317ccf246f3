"""Parked events as operators look after them on a page: each change with its audit entry."""

from dataclasses import dataclass
from uuid import UUID

from app.access.audit import Audit
from app.access.grants import Grant
from app.core.errors import NotFound
from app.eventlog.append import EventLog
from app.eventlog.parked import Chosen, ParkedEvent, ParkedEvents
from app.eventlog.types import EventType


@dataclass(frozen=True, slots=True)
class ParkedReview:
    """For operators only, which the routes see to. Raises `NotFound` for what is not parked."""

    parked: ParkedEvents
    log: EventLog
    audit: Audit

    async def retry(self, grant: Grant, parked_id: UUID) -> None:
        """Asks for one to be handled again."""
        event = await self._find(parked_id)
        async with self.log.unit():
            await self.parked.ask(Chosen(ids=[parked_id]))
            await self._record(grant, EventType.ACCESS_EVENT_RETRIED, event, 1)

    async def retry_all(self, grant: Grant, consumer: str) -> None:
        """Asks for all of a consumer to be handled again."""
        events = await self.parked.list(consumer)
        if not events:
            raise NotFound("Nothing of this reader is parked.")
        async with self.log.unit():
            count = await self.parked.ask(Chosen(consumer=consumer))
            await self._record(grant, EventType.ACCESS_EVENT_RETRIED, events[0], count)

    async def drop(self, grant: Grant, parked_id: UUID) -> None:
        """Forgets one: the consumer never handles it."""
        event = await self._find(parked_id)
        async with self.log.unit():
            await self.parked.drop(Chosen(ids=[parked_id]))
            await self._record(grant, EventType.ACCESS_EVENT_DROPPED, event, 1)

    async def _find(self, parked_id: UUID) -> ParkedEvent:
        if (event := await self.parked.find(parked_id)) is None:
            raise NotFound("This event is not parked, or not any more.")
        return event

    async def _record(
        self, grant: Grant, action: EventType, event: ParkedEvent, events: int
    ) -> None:
        """In the installation's trail, as readers are nobody's. Of several the first is named."""
        async with self.log.transaction() as transaction:
            await self.audit.record(
                transaction,
                grant.actor,
                action,
                tenant_id=None,
                subject=("event", event.event_id),
                told={"consumer": event.consumer, "events": events},
            )
