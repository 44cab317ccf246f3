"""Tenants: who owns domains, mailboxes and people."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from app.core.clock import Clock
from app.core.errors import AlreadyExists, InvalidInput, NotFound
from app.core.ids import Ids
from app.storage.db.database import Database
from app.storage.db.tables.tenant import Tenant as TenantRow

PLANS = ("developer", "temporary", "enterprise")


@dataclass(frozen=True, slots=True)
class Tenant:
    id: UUID
    name: str
    plan: str


@dataclass(frozen=True, slots=True)
class Tenants:
    """Making and finding tenants."""

    database: Database
    clock: Clock
    ids: Ids

    async def create(self, name: str, plan: str) -> Tenant:
        """Raises `AlreadyExists` when the name is taken, `InvalidInput` for a bad name or plan."""
        name = name.strip()
        if not 0 < len(name) <= 200:
            raise InvalidInput("A tenant's name has 1 to 200 characters.")
        if plan not in PLANS:
            raise InvalidInput(f"The plan must be one of {', '.join(PLANS)}.")
        tenant = Tenant(self.ids.new(), name, plan)
        try:
            async with self.database.transaction():
                await TenantRow.insert(
                    TenantRow(id=tenant.id, name=name, plan=plan, created_at=self.clock.now())
                )
        except asyncpg.UniqueViolationError as error:
            raise AlreadyExists(f"There is a tenant named {name!r} already.") from error
        return tenant

    async def find(self, name: str) -> Tenant:
        """The tenant of this name. Raises `NotFound`."""
        async with self.database.transaction():
            row = (
                await TenantRow.select(TenantRow.id, TenantRow.name, TenantRow.plan)
                .where(TenantRow.name == name.strip())
                .first()
            )
        if row is None:
            raise NotFound(f"There is no tenant named {name!r}.")
        return Tenant(**row)
