"""Mailboxes as an administrator sees them: with their names, and whether mail comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.errors import NotFound
from app.storage.db.database import Database
from app.storage.db.keyset import PAGE_ROWS, Page, cut_page, decode_key


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """A mailbox that is there to stay. `newest_at` is when its newest message came."""

    id: UUID
    address: str
    display_name: str
    created_at: datetime
    newest_at: datetime | None

    @property
    def is_catch_all(self) -> bool:
        return self.address.startswith("@")


_SELECT = """select mailbox.id, address, display_name, mailbox.created_at,
    (select max(received_at) from message where mailbox_id = mailbox.id) as newest_at
from mailbox"""


async def list_mailbox_rows(
    database: Database,
    tenant_id: UUID,
    *,
    mailbox_ids: Sequence[UUID] | None = None,
    words: str = "",
    cursor: str | None = None,
    limit: int = PAGE_ROWS,
) -> Page[MailboxRow]:
    """The tenant's by address, or of these `mailbox_ids`; of them those in whose address or name
    all of `words` occur.
    Raises `InvalidInput` for a cursor that is not ours."""
    after = decode_key(cursor, 1) if cursor else ("",)
    rows = await database.fetch(
        f"""{_SELECT} where mailbox.tenant_id = $1 and expires_at is null and address > $2
            and not exists (
                select from unnest($3::text[]) as word
                where position(word in lower(concat_ws(' ', address, display_name))) = 0)
            and ($4::uuid[] is null or mailbox.id = any($4))
        order by address limit {limit + 1:d}""",
        tenant_id,
        *after,
        words.replace("\0", " ").lower().split(),
        mailbox_ids,
    )
    found = [MailboxRow(**row) for row in rows]
    return cut_page(found, limit, lambda row: (row.address,))


async def find_mailbox_row(database: Database, tenant_id: UUID, mailbox_id: UUID) -> MailboxRow:
    """Raises `NotFound`, also for another tenant's and for one that is being removed."""
    row = await database.fetch_one(
        f"{_SELECT} where mailbox.id = $1 and mailbox.tenant_id = $2 and expires_at is null",
        mailbox_id,
        tenant_id,
    )
    if row is None:
        raise NotFound("There is no such mailbox.")
    return MailboxRow(**row)


async def count_messages(
    database: Database, tenant_id: UUID, mailbox_id: UUID, *, at_most: int
) -> int:
    """How many messages lie in a mailbox. None is counted past `at_most`."""
    number: int = await database.fetch_value(
        """select count(*) from (
            select from message where mailbox_id = $1 and tenant_id = $2 limit $3) as counted""",
        mailbox_id,
        tenant_id,
        at_most,
    )
    return number
