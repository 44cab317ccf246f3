"""Who wrote to which mailbox, for suggestions."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.ids import Ids
from app.storage.db.database import Database


@dataclass(frozen=True, slots=True)
class Correspondents:
    """One row for each address that wrote to a mailbox, with its newest message and name.

    Remembering a message twice, or late, changes nothing. Nobody is remembered whose last message
    is gone.
    """

    database: Database
    ids: Ids

    async def remember(self, message_ids: Sequence[UUID]) -> None:
        """Those who sent these messages; messages that are gone are passed over."""
        await self.database.execute(_REMEMBER, list(message_ids), self._new_ids(len(message_ids)))

    async def forget_gone(self, mailbox_ids: Sequence[UUID]) -> None:
        """After messages of these mailboxes were deleted: those who sent no other."""
        gone = await self.database.fetch(
            """select id, mailbox_id, address from correspondent
            where mailbox_id = any($1::uuid[]) and message_id is null""",
            list(mailbox_ids),
        )
        if not gone:
            return
        newest = await self.database.fetch(
            _NEWEST, [row["mailbox_id"] for row in gone], [row["address"] for row in gone]
        )
        if newest:
            await self.remember([row["id"] for row in newest])
        await self.database.execute(
            "delete from correspondent where id = any($1::uuid[]) and message_id is null",
            [row["id"] for row in gone],
        )

    def _new_ids(self, count: int) -> list[UUID]:
        return [self.ids.new() for _ in range(count)]


# Locked, so that none of them is deleted between being read and being referred to. In the order
# of addresses, so that two who remember the same ones do not wait for each other.
_REMEMBER = """
with present as (
    select id, tenant_id, mailbox_id, lower(from_address) as address, from_name, received_at
    from message where id = any($1::uuid[]) and length(from_address) between 1 and 320
        and folder <> 'spam'
    for key share
), newest as (
    select distinct on (mailbox_id, address) *, row_number() over () as place
    from present order by mailbox_id, address, received_at desc, id desc
)
insert into correspondent (id, tenant_id, mailbox_id, message_id, address, name, last_seen_at)
select ($2::uuid[])[place], tenant_id, mailbox_id, id, address, left(from_name, 200), received_at
from newest order by mailbox_id, address
on conflict (mailbox_id, address) do update
    set message_id = excluded.message_id, last_seen_at = excluded.last_seen_at,
        name = case when excluded.name = '' then correspondent.name else excluded.name end
    where correspondent.message_id is null
        or (correspondent.last_seen_at, correspondent.message_id)
            <= (excluded.last_seen_at, excluded.message_id)
"""

# One walk through each mailbox, however many of its correspondents are looked for.
_NEWEST = """
select distinct on (mailbox_id, lower(from_address)) id from message
where mailbox_id = any($1::uuid[])
    and (mailbox_id, lower(from_address)) in (select * from unnest($1::uuid[], $2::text[]))
order by mailbox_id, lower(from_address), received_at desc, id desc
"""
