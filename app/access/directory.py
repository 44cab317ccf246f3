"""Changes of the directory that people and programs make: each is carried out and told together."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.access.grants import Grant
from app.core.ids import Ids
from app.directory.routes import Route, Routes
from app.eventlog.append import EventLog, Transaction
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType


@dataclass(frozen=True, slots=True)
class DirectoryChanges:
    """What `grant` may change is for the caller to have asked. Raises what the services do."""

    log: EventLog
    routes: Routes
    ids: Ids

    async def add_route(self, grant: Grant, address: str, mailbox_ids: Sequence[UUID]) -> Route:
        route = await self.routes.add(address, grant.tenant_id, mailbox_ids)
        async with self.log.transaction() as transaction:
            self._record(transaction, grant, EventType.ACCESS_ROUTE_ADDED, route.id)
        return route

    async def change_route(
        self, grant: Grant, route_id: UUID, mailbox_ids: Sequence[UUID]
    ) -> Route:
        route = await self.routes.change(route_id, grant.tenant_id, mailbox_ids)
        async with self.log.transaction() as transaction:
            self._record(transaction, grant, EventType.ACCESS_ROUTE_CHANGED, route.id)
        return route

    async def remove_route(self, grant: Grant, route_id: UUID) -> None:
        await self.routes.remove(route_id, grant.tenant_id)
        async with self.log.transaction() as transaction:
            self._record(transaction, grant, EventType.ACCESS_ROUTE_REMOVED, route_id)

    def _record(
        self, transaction: Transaction, grant: Grant, kind: EventType, route_id: UUID
    ) -> None:
        transaction.tell(
            NewEvent(
                kind,
                trace_id=self.ids.new(),
                subject=("route", route_id),
                tenant_id=grant.tenant_id,
            )
        )
