"""What stands around a list: where one can go, and how much is unread."""

from dataclasses import dataclass
from uuid import UUID

from app.inbox.listing import Access, LabelView
from app.storage.db.database import Database

MAX_COUNTED = 1000
_MAX_MAILBOXES = 100


@dataclass(frozen=True, slots=True)
class MailboxView:
    id: UUID
    address: str


@dataclass(frozen=True, slots=True)
class Counts:
    """`unread` is of the inbox and stops at `MAX_COUNTED`."""

    unread: int


@dataclass(frozen=True, slots=True)
class Sidebar:
    """`position` is that of the log
    before anything else was read. Of mailboxes the first hundred are listed."""

    position: int
    counts: Counts
    mailboxes: tuple[MailboxView, ...]
    labels: tuple[LabelView, ...]


async def read_sidebar(database: Database, access: Access) -> Sidebar:
    """In one round trip, as every page needs it."""
    row = await database.fetch_one(
        f"""select (select coalesce(max(position), 0) from event) as position,
            {_unread(access)} as unread_count,
            array(select (id, address) from mailbox
                where tenant_id = $1 and ($2::uuid[] is null or id = any($2))
                order by address limit {_MAX_MAILBOXES}) as mailboxes,
            array(select (id, name, colour) from label
                where tenant_id = $1 order by lower(name)) as labels""",
        access.tenant_id,
        access.mailbox_ids,
    )
    if row is None:
        raise AssertionError("a select without a table gives one row")
    return Sidebar(
        position=row["position"],
        counts=Counts(row["unread_count"]),
        mailboxes=tuple(MailboxView(*mailbox) for mailbox in row["mailboxes"]),
        labels=tuple(LabelView(*label) for label in row["labels"]),
    )


async def count_unread(database: Database, access: Access) -> int:
    """Unread messages in the inbox, at most `MAX_COUNTED`."""
    return int(
        await database.fetch_value(
            f"select {_unread(access)} where $1::uuid is not null and ($2::uuid[] is null or true)",
            access.tenant_id,
            access.mailbox_ids,
        )
    )


def _unread(access: Access) -> str:
    owner = "tenant_id = $1" if access.mailbox_ids is None else "mailbox_id = any($2::uuid[])"
    return f"""(select count(*) from (select from message
        where {owner} and folder = 'inbox' and not is_read limit {MAX_COUNTED}) as unread)"""
