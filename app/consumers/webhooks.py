"""Queueing what happens for the endpoints that want to be told. Nothing is sent here."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.clock import Clock
from app.eventlog.append import MAX_EVENTS_PER_APPEND
from app.eventlog.event import Event, NewEvent
from app.storage.db.database import Database
from app.storage.doorbell import Bell, Doorbell
from app.webhooks.endpoint import CONSUMER
from app.webhooks.queue import Told, Which, queue_deliveries
from app.webhooks.selection import OFFERED_TYPES, Selection

# A batch costs much the same for one event as for fifty: so long they are left to gather.
_REST_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class _Listener:
    """An endpoint that is switched on, and from which position it is told."""

    id: UUID
    start_position: int
    selection: Selection

    def wants(self, event: Event) -> bool:
        return event.position > self.start_position and self.selection.wants(event)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The consumer. An event that comes twice is queued once."""

    database: Database
    doorbell: Doorbell
    clock: Clock
    public_url: str
    name: str = CONSUMER
    types: Sequence[str] = tuple(OFFERED_TYPES)
    batch_size: int = MAX_EVENTS_PER_APPEND

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        """Queues each for every endpoint of its tenant that wants it, and wakes who sends."""
        listeners = await self._find_listeners({event.tenant_id for event in events} - {None})
        told = [
            Told(listener.id, event)
            for event in events
            for listener in listeners.get(event.tenant_id, ())
            if listener.wants(event)
        ]
        if told:
            async with self.database.transaction() as connection:
                await queue_deliveries(
                    connection, told, Which.NEW, self.public_url, self.clock.now()
                )
            await self.doorbell.ring(Bell.WEBHOOKS)
        if len(events) < self.batch_size:
            await asyncio.sleep(_REST_SECONDS)
        return ()

    async def _find_listeners(
        self, tenant_ids: set[UUID | None]
    ) -> Mapping[UUID | None, Sequence[_Listener]]:
        rows = await self.database.fetch(
            """select id, tenant_id, start_position, types, mailbox_ids from webhook_endpoint
            where tenant_id = any($1::uuid[]) and state = 'enabled'""",
            list(tenant_ids),
        )
        found: dict[UUID | None, list[_Listener]] = defaultdict(list)
        for row in rows:
            selection = Selection(row["types"], row["mailbox_ids"])
            found[row["tenant_id"]].append(_Listener(row["id"], row["start_position"], selection))
        return found
