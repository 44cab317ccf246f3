"""How much of everything a tenant has, for the first page of its administrator."""

from dataclasses import dataclass
from uuid import UUID

from app.storage.db.database import Database


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts. `domains_waiting` do not receive yet, or no more."""

    users: int
    domains: int
    domains_waiting: int
    mailboxes: int
    routes: int
    keys: int
    webhooks: int
    held_back: int


async def count_everything(database: Database, tenant_id: UUID) -> Overview:
    row = await database.fetch_one(_COUNT, tenant_id)
    return Overview(**row) if row else Overview(0, 0, 0, 0, 0, 0, 0, 0)


_COUNT = """
select
    (select count(*) from membership where tenant_id = $1) as users,
    (select count(*) from domain where tenant_id = $1) as domains,
    (select count(*) from domain where tenant_id = $1 and status <> 'verified') as domains_waiting,
    (select count(*) from mailbox where tenant_id = $1 and expires_at is null) as mailboxes,
    (select count(*) from route where tenant_id = $1) as routes,
    (select count(*) from api_key where tenant_id = $1 and revoked_at is null
        and (expires_at is null or expires_at > now())) as keys,
    (select count(*) from webhook_endpoint where tenant_id = $1 and state = 'enabled') as webhooks,
    (select count(*) from quarantine where tenant_id = $1) as held_back
"""
