"""Changes of the directory that people and programs make: carried out and noted together."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.access.audit import Audit, Facts
from app.access.grants import Grant
from app.directory.mailboxes import Mailbox, Mailboxes
from app.directory.routes import Route, Routes
from app.directory.tenants import Tenant, Tenants
from app.eventlog.append import EventLog, Transaction
from app.eventlog.types import EventType


@dataclass(frozen=True, slots=True)
class DirectoryChanges:
    """Each is one transaction with its entry in the audit trail. That the grant allows it was
    asked before. They raise what the services raise."""

    log: EventLog
    audit: Audit
    tenants: Tenants
    mailboxes: Mailboxes
    routes: Routes

    async def add_mailbox(self, grant: Grant, address: str, display_name: str) -> Mailbox:
        async with self.log.unit() as unit:
            mailbox = await self.mailboxes.add(address, grant.tenant_id, display_name=display_name)
            await self._note(
                unit,
                grant,
                EventType.ACCESS_MAILBOX_ADDED,
                ("mailbox", mailbox.id),
                {"address": mailbox.address},
            )
        return mailbox

    async def rename_mailbox(self, grant: Grant, mailbox_id: UUID, display_name: str) -> None:
        async with self.log.unit() as unit:
            await self.mailboxes.rename(mailbox_id, grant.tenant_id, display_name)
            await self._note(
                unit,
                grant,
                EventType.ACCESS_MAILBOX_RENAMED,
                ("mailbox", mailbox_id),
                {"name": display_name},
            )

    async def remove_mailbox(self, grant: Grant, mailbox_id: UUID) -> None:
        async with self.log.unit() as unit:
            mailbox = await self.mailboxes.close(mailbox_id, grant.tenant_id)
            await self._note(
                unit,
                grant,
                EventType.ACCESS_MAILBOX_REMOVED,
                ("mailbox", mailbox_id),
                {"address": mailbox.address},
            )

    async def add_route(self, grant: Grant, address: str, mailbox_ids: Sequence[UUID]) -> Route:
        async with self.log.unit() as unit:
            route = await self.routes.add(address, grant.tenant_id, mailbox_ids)
            await self._note(
                unit, grant, EventType.ACCESS_ROUTE_ADDED, ("route", route.id), _describe(route)
            )
        return route

    async def change_route(
        self, grant: Grant, route_id: UUID, mailbox_ids: Sequence[UUID]
    ) -> Route:
        async with self.log.unit() as unit:
            route = await self.routes.change(route_id, grant.tenant_id, mailbox_ids)
            await self._note(
                unit, grant, EventType.ACCESS_ROUTE_CHANGED, ("route", route.id), _describe(route)
            )
        return route

    async def remove_route(self, grant: Grant, route_id: UUID) -> None:
        async with self.log.unit() as unit:
            route = await self.routes.find(route_id, grant.tenant_id)
            await self.routes.remove(route_id, grant.tenant_id)
            await self._note(
                unit, grant, EventType.ACCESS_ROUTE_REMOVED, ("route", route.id), _describe(route)
            )

    async def add_tenant(self, grant: Grant, name: str, plan: str) -> Tenant:
        """Stands in the installation's own trail."""
        async with self.log.unit() as unit:
            tenant = await self.tenants.create(name, plan)
            await self.audit.record(
                unit,
                grant.actor,
                EventType.ACCESS_TENANT_ADDED,
                tenant_id=None,
                subject=("tenant", tenant.id),
                facts={"name": tenant.name},
                told={"plan": tenant.plan},
            )
        return tenant

    async def rename_tenant(self, grant: Grant, name: str) -> None:
        async with self.log.unit() as unit:
            await self.tenants.rename(grant.tenant_id, name)
            await self._note(
                unit,
                grant,
                EventType.ACCESS_TENANT_RENAMED,
                ("tenant", grant.tenant_id),
                {"name": name},
            )

    async def _note(
        self,
        unit: Transaction,
        grant: Grant,
        action: EventType,
        subject: tuple[str, UUID],
        facts: Facts,
    ) -> None:
        await self.audit.record(
            unit, grant.actor, action, tenant_id=grant.tenant_id, subject=subject, facts=facts
        )


def _describe(route: Route) -> Facts:
    return {
        "address": route.address,
        "goes_to": [target.address for target in route.targets],
    }
