"""What stands around a list: where one can go, how much is unread, and what happened last."""

from uuid import UUID

from msgspec import Struct

from app.inbox.listing import LabelView
from app.storage.db.database import Database

MAX_COUNTED = 1000
_MAX_MAILBOXES = 100


class MailboxView(Struct, frozen=True):
    id: UUID
    address: str


class Counts(Struct, frozen=True):
    """`unread` is of the inbox and stops at `MAX_COUNTED`."""

    unread: int


class Sidebar(Struct, frozen=True):
    """`position` is that of the log before anything else was read, `last_event` that of the
    tenant's newest event, and 0 without one. Of mailboxes the first hundred are listed."""

    position: int
    last_event: int
    mailboxes: tuple[MailboxView, ...]
    labels: tuple[LabelView, ...]


async def read_sidebar(database: Database, tenant_id: UUID) -> Sidebar:
    """In one round trip, as every page needs it."""
    row = await database.fetch_one(_SIDEBAR, tenant_id)
    if row is None:
        raise AssertionError("a select without a table gives one row")
    return Sidebar(
        position=row["position"],
        last_event=row["last_event"],
        mailboxes=tuple(MailboxView(*mailbox) for mailbox in row["mailboxes"]),
        labels=tuple(LabelView(*label) for label in row["labels"]),
    )


async def read_counts(database: Database, tenant_id: UUID) -> Counts:
    unread = await database.fetch_value(
        f"""select count(*) from (select from message
        where tenant_id = $1 and folder = 'inbox' and not is_read
        limit {MAX_COUNTED}) as unread""",
        tenant_id,
    )
    return Counts(unread)


_SIDEBAR = f"""
select (select coalesce(max(position), 0) from event) as position,
    (select coalesce(max(position), 0) from event where tenant_id = $1) as last_event,
    array(select (id, address) from mailbox
        where tenant_id = $1 order by address limit {_MAX_MAILBOXES}) as mailboxes,
    array(select (id, name, colour) from label
        where tenant_id = $1 order by lower(name)) as labels
"""
