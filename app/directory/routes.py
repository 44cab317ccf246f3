"""Routes: addresses, and patterns of them, that lead to mailboxes of the same tenant.

A route ends in mailboxes and never in another route, so none can lead in a circle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from app.core.clock import Clock
from app.core.errors import AlreadyExists, InvalidInput, NotFound
from app.core.ids import Ids
from app.directory.route_patterns import ANY, is_wildcard, parse_route_address
from app.storage.db.database import Connection, Database
from app.storage.db.keyset import PAGE_ROWS, Page, cut_page, decode_key

MAX_TARGETS = 50


@dataclass(frozen=True, slots=True)
class Target:
    """A mailbox that a route leads to."""

    id: UUID
    address: str


@dataclass(frozen=True, slots=True)
class Route:
    """Mail for `pattern` at `domain` goes to every one of `targets`, by address. Without any it
    is refused as for an unknown address."""

    id: UUID
    tenant_id: UUID
    domain: str
    pattern: str
    created_at: datetime
    targets: Sequence[Target]

    @property
    def address(self) -> str:
        return f"{self.pattern}@{self.domain}"

    @property
    def is_wildcard(self) -> bool:
        return is_wildcard(self.pattern)


@dataclass(frozen=True, slots=True)
class Routes:
    """Making, changing and finding routes. Who changes one tells of it: the sidecar knows it by
    the event `access.route_…`."""

    database: Database
    clock: Clock
    ids: Ids

    async def add(self, address: str, tenant_id: UUID, mailbox_ids: Sequence[UUID]) -> Route:
        """Leads an address, or all that a pattern such as `sales-*@acme.example` stands for, to
        mailboxes of the tenant.

        Raises `InvalidInput` for a bad address or mailboxes that are not the tenant's, `NotFound`
        where the domain is not, and `AlreadyExists` when a mailbox or another route has it.
        """
        pattern, domain_name = parse_route_address(address)
        route_id, now = self.ids.new(), self.clock.now()
        try:
            async with self.database.transaction() as connection:
                domain_id = await _find_domain(connection, domain_name, tenant_id)
                await _refuse_mailbox(connection, pattern, domain_name)
                await connection.execute(
                    """insert into route (id, tenant_id, domain_id, pattern, created_at)
                    values ($1, $2, $3, $4, $5)""",
                    route_id,
                    tenant_id,
                    domain_id,
                    pattern,
                    now,
                )
                await self._lead_to(connection, route_id, tenant_id, mailbox_ids)
        except asyncpg.UniqueViolationError as error:
            raise AlreadyExists(f"There is a route for {pattern}@{domain_name} already.") from error
        return await self.find(route_id, tenant_id)

    async def change(self, route_id: UUID, tenant_id: UUID, mailbox_ids: Sequence[UUID]) -> Route:
        """Leads it to these mailboxes and no others. Raises `NotFound` and `InvalidInput`."""
        async with self.database.transaction() as connection:
            known = await connection.fetchval(
                "select true from route where id = $1 and tenant_id = $2 for update",
                route_id,
                tenant_id,
            )
            if not known:
                raise NotFound("There is no such route.")
            await connection.execute("delete from route_target where route_id = $1", route_id)
            await self._lead_to(connection, route_id, tenant_id, mailbox_ids)
        return await self.find(route_id, tenant_id)

    async def remove(self, route_id: UUID, tenant_id: UUID) -> None:
        """Raises `NotFound`."""
        removed = await self.database.fetch_value(
            "delete from route where id = $1 and tenant_id = $2 returning true",
            route_id,
            tenant_id,
        )
        if not removed:
            raise NotFound("There is no such route.")

    async def find(self, route_id: UUID, tenant_id: UUID) -> Route:
        """Raises `NotFound`, also for another tenant's."""
        row = await self.database.fetch_one(
            f"{_SELECT} where route.id = $1 and route.tenant_id = $2", route_id, tenant_id
        )
        if row is None:
            raise NotFound("There is no such route.")
        return _to_route(row)

    async def list(
        self, tenant_id: UUID, *, words: str = "", cursor: str | None = None
    ) -> Page[Route]:
        """The tenant's by domain and pattern; of these, those in whose address or mailboxes all
        of `words` occur. Raises `InvalidInput` for a cursor that is not ours."""
        after = decode_key(cursor, 2) if cursor else ("", "")
        rows = await self.database.fetch(
            f"""select * from ({_SELECT} where route.tenant_id = $1) as found
            where (domain, pattern) > ($2, $3) and not exists (
                select from unnest($4::text[]) as word
                where position(word in concat_ws(' ', pattern || '@' || domain, addresses::text))
                    = 0)
            order by domain, pattern limit {PAGE_ROWS + 1}""",
            tenant_id,
            *after,
            words.replace("\0", " ").lower().split(),
        )
        routes = [_to_route(row) for row in rows]
        return cut_page(routes, PAGE_ROWS, lambda route: (route.domain, route.pattern))

    async def _lead_to(
        self,
        connection: Connection,
        route_id: UUID,
        tenant_id: UUID,
        mailbox_ids: Sequence[UUID],
    ) -> None:
        wanted = list(dict.fromkeys(mailbox_ids))
        if not 0 < len(wanted) <= MAX_TARGETS:
            raise InvalidInput(
                f"A route leads to 1 to {MAX_TARGETS} mailboxes. Choose at least one."
            )
        inserted = await connection.fetch(
            """insert into route_target (id, tenant_id, route_id, mailbox_id)
            select new.id, $2, $3, mailbox.id
            from unnest($1::uuid[], $4::uuid[]) as new (id, mailbox_id)
            join mailbox on mailbox.id = new.mailbox_id
                and mailbox.tenant_id = $2 and expires_at is null
            returning id""",
            [self.ids.new() for _ in wanted],
            tenant_id,
            route_id,
            wanted,
        )
        if len(inserted) != len(wanted):
            raise InvalidInput("One of these mailboxes is not there any more. Choose again.")


_SELECT = """
select route.id, route.tenant_id, domain.name as domain, pattern, route.created_at,
    array(select (mailbox.id, mailbox.address) from route_target
        join mailbox on mailbox.id = mailbox_id
        where route_id = route.id order by mailbox.address) as targets,
    array(select mailbox.address from route_target
        join mailbox on mailbox.id = mailbox_id where route_id = route.id) as addresses
from route join domain on domain.id = domain_id
"""


def _to_route(row: asyncpg.Record) -> Route:
    return Route(
        id=row["id"],
        tenant_id=row["tenant_id"],
        domain=row["domain"],
        pattern=row["pattern"],
        created_at=row["created_at"],
        targets=[Target(*target) for target in row["targets"]],
    )


async def _find_domain(connection: Connection, name: str, tenant_id: UUID) -> UUID:
    domain_id: UUID | None = await connection.fetchval(
        "select id from domain where name = $1 and tenant_id = $2 and status <> 'pending'",
        name,
        tenant_id,
    )
    if domain_id is None:
        raise NotFound(f"{name} is not a domain of yours that receives mail.")
    return domain_id


async def _refuse_mailbox(connection: Connection, pattern: str, domain_name: str) -> None:
    """A mailbox goes before a route, which would do nothing."""
    address = f"@{domain_name}" if pattern == ANY else f"{pattern}@{domain_name}"
    if await connection.fetchval(
        "select true from mailbox where address = $1 and detached_at is null", address
    ):
        kind = "a catch-all mailbox" if pattern == ANY else f"a mailbox {address}"
        raise AlreadyExists(f"There is {kind} already, and its mail goes there.")
