"""Tenants: who owns domains, mailboxes and people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from app.core.clock import Clock
from app.core.errors import AlreadyExists, InvalidInput, NotFound
from app.core.ids import Ids
from app.storage.db.database import Database
from app.storage.db.keyset import PAGE_ROWS, Page, cut_page, decode_key
from app.storage.db.tables.tenant import Tenant as TenantTable

PLANS = ("developer", "temporary", "enterprise")


@dataclass(frozen=True, slots=True)
class Tenant:
    id: UUID
    name: str
    plan: str


@dataclass(frozen=True, slots=True)
class TenantRow:
    """A tenant as a list shows it, with its first domains."""

    id: UUID
    name: str
    plan: str
    created_at: datetime
    users: int
    domains: Sequence[str]


@dataclass(frozen=True, slots=True)
class Tenants:
    """Making and finding tenants."""

    database: Database
    clock: Clock
    ids: Ids

    async def create(self, name: str, plan: str) -> Tenant:
        """Raises `AlreadyExists` when the name is taken, `InvalidInput` for a bad name or plan."""
        name = _check_name(name)
        if plan not in PLANS:
            raise InvalidInput(f"The plan must be one of {', '.join(PLANS)}.")
        tenant = Tenant(self.ids.new(), name, plan)
        try:
            async with self.database.transaction():
                await TenantTable.insert(
                    TenantTable(id=tenant.id, name=name, plan=plan, created_at=self.clock.now())
                )
        except asyncpg.UniqueViolationError as error:
            raise AlreadyExists(f"There is a tenant named {name!r} already.") from error
        return tenant

    async def find(self, name: str) -> Tenant:
        """The tenant of this name. Raises `NotFound`."""
        async with self.database.transaction():
            row = (
                await TenantTable.select(TenantTable.id, TenantTable.name, TenantTable.plan)
                .where(TenantTable.name == name.strip())
                .first()
            )
        if row is None:
            raise NotFound(f"There is no tenant named {name!r}.")
        return Tenant(**row)

    async def find_by_id(self, tenant_id: UUID) -> Tenant:
        """Raises `NotFound`."""
        row = await self.database.fetch_one(
            "select id, name, plan from tenant where id = $1", tenant_id
        )
        if row is None:
            raise NotFound("There is no such tenant.")
        return Tenant(**row)

    async def rename(self, tenant_id: UUID, name: str) -> None:
        """Raises `AlreadyExists` when the name is taken, and `InvalidInput` for a bad one."""
        name = _check_name(name)
        try:
            await self.database.execute(
                "update tenant set name = $2 where id = $1", tenant_id, name
            )
        except asyncpg.UniqueViolationError as error:
            raise AlreadyExists(f"There is a tenant named {name!r} already.") from error

    async def list(self, *, words: str = "", cursor: str | None = None) -> Page[TenantRow]:
        """All of the installation by name; of these, those in whose name all of `words` occur.
        Raises `InvalidInput` for a cursor that is not ours."""
        after = decode_key(cursor, 1) if cursor else ("",)
        rows = await self.database.fetch(
            f"""select id, name, plan, created_at,
                (select count(*) from membership where tenant_id = tenant.id) as users,
                array(select domain.name from domain where tenant_id = tenant.id
                    order by domain.name limit 3) as domains
            from tenant where name > $1 and not exists (
                select from unnest($2::text[]) as word where position(word in lower(name)) = 0)
            order by name limit {PAGE_ROWS + 1}""",
            *after,
            words.replace("\0", " ").lower().split(),
        )
        return cut_page([TenantRow(**row) for row in rows], PAGE_ROWS, lambda row: (row.name,))


def _check_name(name: str) -> str:
    """Raises `InvalidInput`."""
    name = " ".join(name.split())
    if not 0 < len(name) <= 200 or "\0" in name:
        raise InvalidInput("A tenant's name has 1 to 200 characters.")
    return name
