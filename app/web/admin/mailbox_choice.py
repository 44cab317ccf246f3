"""Choosing mailboxes in a form: from a list, and by address where there are more than it shows."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from litestar.datastructures import FormMultiDict

from app.core.errors import InvalidInput
from app.directory.mailbox_rows import MailboxRow, list_mailbox_rows
from app.directory.mailboxes import Mailboxes
from app.storage.db.database import Database


@dataclass(frozen=True, slots=True)
class MailboxChoice:
    """What `admin/_mailbox_choice.html` offers. `others` are addresses that were written."""

    rows: Sequence[MailboxRow]
    has_more: bool
    chosen: Collection[UUID] = ()
    others: str = ""


async def offer_mailboxes(
    database: Database, tenant_id: UUID, chosen: Collection[UUID] = (), others: str = ""
) -> MailboxChoice:
    """The first mailboxes of the tenant. Of those chosen the rest stands among the others."""
    page = await list_mailbox_rows(database, tenant_id)
    missing = set(chosen) - {row.id for row in page.rows}
    addresses = await database.fetch(
        """select address from mailbox where id = any($1::uuid[]) and tenant_id = $2
        order by address""",
        list(missing),
        tenant_id,
    )
    written = "\n".join([others, *(row["address"] for row in addresses)]).strip()
    return MailboxChoice(page.rows, page.next_cursor is not None, frozenset(chosen), written)


async def read_mailboxes(
    form: FormMultiDict, mailboxes: Mailboxes, tenant_id: UUID
) -> Sequence[UUID]:
    """Those that were ticked and those that were written. Raises `InvalidInput` and, for an
    address that is no mailbox of the tenant, `NotFound`."""
    found = read_ids(form, "mailbox_ids")
    for address in str(form.get("others", "")).replace(",", " ").split():
        found.append((await mailboxes.find(address, tenant_id)).id)
    return found


def read_ids(form: FormMultiDict, name: str) -> list[UUID]:
    """Raises `InvalidInput`."""
    try:
        return [UUID(str(value)) for value in form.getall(name, [])]
    except ValueError as error:
        raise InvalidInput("This form asks for something that is not there.") from error


def ticked_ids(form: FormMultiDict, name: str) -> list[UUID]:
    """To show a form again: without what is no id."""
    found = []
    for value in form.getall(name, []):
        with suppress(ValueError):
            found.append(UUID(str(value)))
    return found
