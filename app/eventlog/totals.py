"""How often things happened."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from app.storage.db.database import Database


async def count_events(database: Database, tenant_id: UUID, since: datetime) -> Mapping[str, int]:
    """The tenant's events since then, by type."""
    rows = await database.fetch(
        """select type, count(*) as events from event
        where tenant_id = $1 and created_at >= $2 group by type order by type""",
        tenant_id,
        since,
    )
    return {row["type"]: row["events"] for row in rows}
