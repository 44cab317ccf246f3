"""The names of a tenant's domains, to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.storage.db.database import Database

_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class DomainName:
    id: UUID
    name: str


async def list_receiving_domains(database: Database, tenant_id: UUID) -> Sequence[DomainName]:
    """Those of the tenant that mailboxes can be made in, by name; the first 500."""
    rows = await database.fetch(
        """select id, name from domain where tenant_id = $1 and status <> 'pending'
        order by name limit $2""",
        tenant_id,
        _AT_MOST,
    )
    return [DomainName(**row) for row in rows]
