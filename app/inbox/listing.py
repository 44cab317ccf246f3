"""Lists of messages, newest first, by keyset: a page costs the same however deep it lies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from app.core.errors import InvalidInput
from app.inbox.view import ALL_MAIL, Folder, View
from app.storage.db.database import Database, Record

MAX_PAGE = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ROW_COLUMNS = """message.id, message.mailbox_id, mailbox.address as mailbox_address, from_name,
    from_address, to_header as "to", subject, snippet, received_at, is_read, is_starred, folder,
    attachment_count, size_bytes, sha256, message.ticket_id, array(
        select (label.id, label.name, label.colour) from message_label
        join label on label.id = label_id
        where message_label.message_id = message.id order by lower(label.name)
    ) as labels"""
EVERYTHING = View()


class LabelView(Struct, frozen=True):
    id: UUID
    name: str
    colour: str


class MessageRow(Struct, frozen=True):
    """One line of a list. Fifty are made for a page and looked up by all their values, which a
    struct is quicker at than a dataclass."""

    id: UUID
    mailbox_id: UUID
    mailbox_address: str
    from_name: str
    from_address: str
    to: str
    subject: str
    snippet: str
    received_at: datetime
    is_read: bool
    is_starred: bool
    folder: str
    attachment_count: int
    size_bytes: int
    sha256: bytes
    ticket_id: UUID | None
    labels: tuple[LabelView, ...]

    def __hash__(self) -> int:
        # Of one message there are few rows, and what is compared says which it is.
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class Access:
    """Which messages may be seen: the tenant's, and of these only the mailboxes listed, if any."""

    tenant_id: UUID
    mailbox_ids: Sequence[UUID] | None = None

    def narrow(self, mailbox_id: UUID | None) -> "Access":
        """Only this mailbox, or nothing when it is not among those allowed; None narrows
        nothing."""
        if mailbox_id is None:
            return self
        allowed = self.mailbox_ids is None or mailbox_id in self.mailbox_ids
        return Access(self.tenant_id, (mailbox_id,) if allowed else ())


@dataclass(frozen=True, slots=True)
class MessagePage:
    rows: tuple[MessageRow, ...]
    next_cursor: str | None


async def list_messages(
    database: Database,
    access: Access,
    view: View = EVERYTHING,
    *,
    cursor: str | None = None,
    limit: int = 50,
) -> MessagePage:
    """A page of what `access` lets `view` show. Raises `InvalidInput` for a cursor that is not
    ours."""
    limit = max(1, min(limit, MAX_PAGE))
    before = decode_cursor(cursor) if cursor else None
    if access.mailbox_ids is not None and not access.mailbox_ids:
        return MessagePage((), None)
    sql, arguments = page_query(access, view, before, limit + 1)
    rows = tuple([to_row(row) for row in await database.fetch(sql, *arguments)])
    if len(rows) <= limit:
        return MessagePage(rows, None)
    return MessagePage(rows[:limit], encode_cursor(rows[limit - 1].received_at, rows[limit - 1].id))


async def find_rows(
    database: Database, access: Access, message_ids: Sequence[UUID]
) -> Sequence[MessageRow]:
    """Those of these messages that `access` shows, oldest first."""
    rows = await database.fetch(
        f"""select {ROW_COLUMNS} from message join mailbox on mailbox.id = mailbox_id
        where message.id = any($1::uuid[]) and message.tenant_id = $2
            and ($3::uuid[] is null or mailbox_id = any($3))
        order by received_at, message.id""",
        list(message_ids),
        access.tenant_id,
        access.mailbox_ids,
    )
    return [to_row(row) for row in rows]


def shows(view: View, row: MessageRow) -> bool:
    """Whether a row belongs into a list of this view, as `View.condition` says it in SQL."""
    if view.folder == ALL_MAIL:
        in_folder = row.folder in (Folder.INBOX, Folder.ARCHIVE)
    elif view.folder:
        in_folder = row.folder == view.folder
    else:
        in_folder = view == EVERYTHING or row.folder != Folder.TRASH
    return (
        in_folder
        and (row.is_starred or not view.starred)
        and not (view.unread and row.is_read)
        and (view.label_id is None or view.label_id in {label.id for label in row.labels})
    )


def to_row(row: Record) -> MessageRow:
    """A row of `ROW_COLUMNS` and nothing else, which are in the order of the fields."""
    values: Sequence[Any] = row[:-1]
    labels = tuple([LabelView(*label) for label in row[-1]])
    return MessageRow(*values, labels)  # type: ignore[call-arg]


def row_values(row: Record) -> dict[str, Any]:
    """The fields of a `MessageRow`, and whatever else was selected beside `ROW_COLUMNS`."""
    values = dict(row)
    values["labels"] = tuple([LabelView(*label) for label in values["labels"]])
    return values


def page_query(
    access: Access, view: View, before: tuple[datetime, UUID] | None, limit: int
) -> tuple[str, list[object]]:
    """The SQL of a page, which walks one index for each mailbox, or the tenant's, or the label's,
    and never sorts more than a page of each.

    Of a mailbox the tenant is checked on the mailbox alone: beside a condition on the messages'
    tenant, the planner may walk the tenant's index through everybody else's mail.
    """
    # The limit is a constant: with a parameter the planner cannot tell how cheap its plan is, and
    # makes a new one for every page.
    newest = f"order by received_at desc, id desc limit {limit:d}"
    arguments: list[object] = [access.tenant_id]

    def argument(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    keyset = ""
    if before is not None:
        keyset = f"and (received_at, id) < ({argument(before[0])}, {argument(before[1])})"
    page = f"""select * from message where {{owner}} and {view.condition} {keyset}
        {newest}"""
    if view.label_id is not None:
        source = _labelled(access, view, keyset, limit, argument)
    elif access.mailbox_ids is None:
        source = page.format(owner="tenant_id = $1")
    else:
        source = f"""select merged.* from mailbox as wanted
            cross join lateral ({page.format(owner="mailbox_id = wanted.id")}) as merged
            where wanted.id = any({argument(list(access.mailbox_ids))}::uuid[])
                and wanted.tenant_id = $1
            {newest}"""
    sql = f"""select {ROW_COLUMNS} from ({source}) as message
        join mailbox on mailbox.id = message.mailbox_id
        order by received_at desc, message.id desc"""
    return sql, arguments


def _labelled(
    access: Access, view: View, keyset: str, limit: int, argument: Callable[[object], str]
) -> str:
    mailboxes = ""
    if access.mailbox_ids is not None:
        mailboxes = f"and mailbox_id = any({argument(list(access.mailbox_ids))}::uuid[])"
    keyset = keyset.replace(
        "received_at, id", "message_label.received_at, message_label.message_id"
    )
    return f"""select message.* from message_label
        join message on message.id = message_label.message_id
        where label_id = {argument(view.label_id)} and message_label.tenant_id = $1
            and {view.condition} {mailboxes} {keyset}
        order by message_label.received_at desc, message_label.message_id desc limit {limit:d}"""


def encode_cursor(moment: datetime, row_id: UUID) -> str:
    """The place of a row in a list by time."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    return f"{microseconds:x}-{row_id.hex}"


def decode_cursor(cursor: str) -> tuple[datetime, UUID]:
    """Raises `InvalidInput` for a cursor that is not ours."""
    try:
        microseconds, _, message_id = cursor.partition("-")
        return _EPOCH + timedelta(microseconds=int(microseconds, 16)), UUID(message_id)
    except (ValueError, OverflowError) as error:
        raise InvalidInput("This cursor is not one of ours.") from error
