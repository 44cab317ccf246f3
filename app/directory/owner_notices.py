"""The queue of mails that tell owners what became of a thing of their tenant.

A notice is queued in the transaction of the change itself, one for each owner, so there is exactly
one for each change however often it is looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from app.core.backoff import Backoff
from app.core.clock import Clock
from app.core.ids import Ids
from app.storage.db.database import Connection, Database

_LEASE = timedelta(minutes=2)
_BACKOFF = Backoff(first_seconds=30, ceiling_seconds=3600)
_GIVE_UP_AFTER = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class OwnerNews:
    """What became of something. `subject_name` is what the mail calls it; `change` and `reason`
    are words of the part that tells it."""

    subject_type: Literal["domain", "webhook"]
    subject_id: UUID
    subject_name: str
    change: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OwnerNotice:
    """One mail to one owner. `attempts` counts this try, from 1."""

    id: UUID
    news: OwnerNews
    email: str
    attempts: int
    created_at: datetime


async def queue_notices(
    connection: Connection, tenant_id: UUID, news: OwnerNews, ids: Ids, now: datetime
) -> None:
    """One for each owner of the tenant, in the caller's transaction."""
    rows = await connection.fetch(
        "select user_id from membership where tenant_id = $1 and role = 'owner'", tenant_id
    )
    await connection.executemany(
        """insert into owner_notice (id, tenant_id, user_id, subject_type, subject_id,
            subject_name, change, reason, next_attempt_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)""",
        [
            (
                *(ids.new(), tenant_id, row["user_id"]),
                *(news.subject_type, news.subject_id, news.subject_name),
                *(news.change, news.reason, now),
            )
            for row in rows
        ],
    )


@dataclass(frozen=True, slots=True)
class OwnerNotices:
    """Rows that any number of workers may take from; each is leased to one at a time."""

    database: Database
    clock: Clock

    async def claim(self, at_most: int) -> Sequence[OwnerNotice]:
        """Notices that are due, leased to the caller for two minutes."""
        now = self.clock.now()
        rows = await self.database.fetch(_CLAIM, now, now + _LEASE, at_most)
        return [
            OwnerNotice(
                id=row["id"],
                news=OwnerNews(**{name: row[name] for name in OwnerNews.__slots__}),
                email=row["email"],
                attempts=row["attempts"],
                created_at=row["created_at"],
            )
            for row in rows
        ]

    async def remove(self, notice: OwnerNotice) -> None:
        """The notice was sent, or never can be."""
        await self.database.execute("delete from owner_notice where id = $1", notice.id)

    async def postpone(self, notice: OwnerNotice) -> None:
        """The notice is due again later; the later, the more often it was tried."""
        delay = timedelta(seconds=_BACKOFF.delay_seconds(notice.attempts))
        await self.database.execute(
            "update owner_notice set next_attempt_at = $2 where id = $1",
            notice.id,
            self.clock.now() + delay,
        )

    async def give_up(self) -> int:
        """Drops what nobody could be told for three days. How many."""
        rows = await self.database.fetch(
            "delete from owner_notice where created_at <= $1 returning id",
            self.clock.now() - _GIVE_UP_AFTER,
        )
        return len(rows)


_CLAIM = """
with due as (
    update owner_notice set next_attempt_at = $2, attempts = attempts + 1
    where id in (
        select id from owner_notice where next_attempt_at <= $1
        order by next_attempt_at limit $3 for update skip locked
    )
    returning *
)
select due.*, email from due join user_account on user_account.id = user_id order by due.id
"""
