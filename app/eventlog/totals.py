"""How often things happened, and how much there is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.storage.db.database import Database

# More than this is taken from the planner's estimate: counting would read all of it.
_COUNTED_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class InstallationTotals:
    """Of all tenants together, each rounded to two figures."""

    messages: int
    mailboxes: int
    domains: int


async def count_events(database: Database, tenant_id: UUID, since: datetime) -> Mapping[str, int]:
    """The tenant's events since then, by type."""
    rows = await database.fetch(
        """select type, count(*) as events from event
        where tenant_id = $1 and created_at >= $2 group by type order by type""",
        tenant_id,
        since,
    )
    return {row["type"]: row["events"] for row in rows}


async def count_installation(database: Database) -> InstallationTotals:
    """How much there is, without telling whose."""
    counted = [
        await database.fetch_value(_COUNT.format(table=table, most=_COUNTED_ROWS))
        for table in ("message", "mailbox", "domain")
    ]
    return InstallationTotals(*(_round(number) for number in counted))


_COUNT = """
select case when reltuples > {most} then reltuples::bigint
    else (select count(*) from (select from {table} limit {most}) as counted) end
from pg_class where oid = '{table}'::regclass
"""


def _round(number: int) -> int:
    """To two figures: 1234 is 1200."""
    return round(number, 2 - len(str(number)))
