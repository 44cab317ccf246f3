"""Labels: words that people of a tenant put on messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.clock import Clock
from app.core.errors import InvalidInput, NotFound
from app.core.ids import Ids
from app.inbox.listing import LabelView
from app.storage.db.database import Connection, Database

COLOURS = ("red", "amber", "green", "blue", "violet", "grey")
MAX_LABELS = 100
MAX_NAME_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Labels:
    """Making, finding and removing labels."""

    database: Database
    clock: Clock
    ids: Ids

    async def find(self, tenant_id: UUID, label_id: UUID) -> LabelView:
        """Raises `NotFound`."""
        row = await self.database.fetch_one(
            "select id, name, colour from label where id = $1 and tenant_id = $2",
            label_id,
            tenant_id,
        )
        if row is None:
            raise NotFound("There is no such label.")
        return LabelView(**row)

    async def list(self, tenant_id: UUID) -> Sequence[LabelView]:
        """All of the tenant's, by name."""
        rows = await self.database.fetch(
            "select id, name, colour from label where tenant_id = $1 order by lower(name)",
            tenant_id,
        )
        return [LabelView(**row) for row in rows]

    async def ensure(self, tenant_id: UUID, name: str) -> LabelView:
        """The label of this name, made if need be. Case does not tell names apart.

        Raises `InvalidInput` for an empty or long name and when there are `MAX_LABELS`.
        """
        name = " ".join(name.split())
        if not 0 < len(name) <= MAX_NAME_CHARACTERS:
            raise InvalidInput(f"A label's name has 1 to {MAX_NAME_CHARACTERS} characters.")
        async with self.database.transaction() as connection:
            count = await _lock_and_count(connection, tenant_id)
            row = await connection.fetchrow(
                """select id, name, colour from label
                where tenant_id = $1 and lower(name) = lower($2)""",
                tenant_id,
                name,
            )
            if row is None:
                if count >= MAX_LABELS:
                    raise InvalidInput(f"There are {MAX_LABELS} labels. Remove one first.")
                row = await connection.fetchrow(
                    """insert into label (id, tenant_id, name, colour, created_at)
                    values ($1, $2, $3, $4, $5) returning id, name, colour""",
                    self.ids.new(),
                    tenant_id,
                    name,
                    COLOURS[count % len(COLOURS)],
                    self.clock.now(),
                )
        return LabelView(**row)

    async def remove(self, tenant_id: UUID, label_id: UUID) -> None:
        """Takes the label away from every message; the messages stay. Raises `NotFound`."""
        removed = await self.database.fetch_value(
            "delete from label where id = $1 and tenant_id = $2 returning true",
            label_id,
            tenant_id,
        )
        if not removed:
            raise NotFound("There is no such label.")


async def _lock_and_count(connection: Connection, tenant_id: UUID) -> int:
    await connection.execute("select from tenant where id = $1 for no key update", tenant_id)
    return int(
        await connection.fetchval("select count(*) from label where tenant_id = $1", tenant_id)
    )
