"""The queue of mails that tell owners what became of a domain.

A notice is queued in the transaction of the change itself, one for each owner, so there is exactly
one for each change however often it is checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.backoff import Backoff
from app.core.clock import Clock
from app.core.ids import Ids
from app.directory.domain_policy import DomainChange
from app.directory.domains import Domain
from app.storage.db.database import Connection, Database

_LEASE = timedelta(minutes=2)
_BACKOFF = Backoff(first_seconds=30, ceiling_seconds=3600)
_GIVE_UP_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class DomainNotice:
    """One mail to one owner. `attempts` counts this try, from 1."""

    id: UUID
    change: DomainChange
    reason: str
    domain_id: UUID
    domain_name: str
    email: str
    attempts: int
    created_at: datetime


async def queue_notices(
    connection: Connection,
    domain: Domain,
    change: DomainChange,
    reason: str,
    ids: Ids,
    now: datetime,
) -> None:
    """One for each owner of the domain's tenant, in the caller's transaction."""
    rows = await connection.fetch(
        "select user_id from membership where tenant_id = $1 and role = 'owner'", domain.tenant_id
    )
    await connection.executemany(
        """insert into domain_notice
            (id, tenant_id, domain_id, user_id, change, reason, next_attempt_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $7)""",
        [
            (ids.new(), domain.tenant_id, domain.id, row["user_id"], change, reason, now)
            for row in rows
        ],
    )


@dataclass(frozen=True, slots=True)
class DomainNotices:
    """Rows that any number of workers may take from; each is leased to one at a time."""

    database: Database
    clock: Clock

    async def claim(self, at_most: int) -> Sequence[DomainNotice]:
        """Notices that are due, leased to the caller for two minutes."""
        now = self.clock.now()
        rows = await self.database.fetch(_CLAIM, now, now + _LEASE, at_most)
        return [
            DomainNotice(**{**dict(row), "change": DomainChange(row["change"])}) for row in rows
        ]

    async def remove(self, notice: DomainNotice) -> None:
        """The notice was sent, or never can be."""
        await self.database.execute("delete from domain_notice where id = $1", notice.id)

    async def postpone(self, notice: DomainNotice) -> None:
        """The notice is due again later; the later, the more often it was tried."""
        delay = timedelta(seconds=_BACKOFF.delay_seconds(notice.attempts))
        await self.database.execute(
            "update domain_notice set next_attempt_at = $2 where id = $1",
            notice.id,
            self.clock.now() + delay,
        )

    async def give_up(self) -> int:
        """Drops what nobody could be told for three days. How many."""
        rows = await self.database.fetch(
            "delete from domain_notice where created_at <= $1 returning id",
            self.clock.now() - _GIVE_UP_AFTER,
        )
        return len(rows)


_CLAIM = """
with due as (
    update domain_notice set next_attempt_at = $2, attempts = attempts + 1
    where id in (
        select id from domain_notice where next_attempt_at <= $1
        order by next_attempt_at limit $3 for update skip locked
    )
    returning id, change, reason, domain_id, user_id, attempts, created_at
)
select due.id, change, reason, domain_id, domain.name as domain_name, email, attempts,
    due.created_at
from due join domain on domain.id = domain_id join user_account on user_account.id = user_id
order by due.id
"""
