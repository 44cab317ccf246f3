"""Mailboxes over the API."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post
from litestar.params import Body, FromPath

from app.access.directory import DirectoryChanges
from app.access.grants import Grant
from app.access.permissions import Permission
from app.core.errors import NotAllowed, NotFound
from app.directory.domains import Domains
from app.directory.mailbox_rows import MailboxRow, find_mailbox_row, list_mailbox_rows
from app.mime.addresses import split_address
from app.storage.db.database import Database
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor, Limit, SearchWords
from app.web.problems import ALREADY_EXISTS, NOT_FOUND


class MailboxSummary(msgspec.Struct, frozen=True):
    """An address that receives mail; `@domain` stands for all that no other mailbox of the domain
    takes. `newest_at` is when its newest message came."""

    id: UUID
    address: str
    display_name: str
    created_at: datetime
    newest_at: datetime | None


class MailboxList(msgspec.Struct, frozen=True):
    """By address. `next_cursor` asks for the page after this one; null at the end."""

    items: Sequence[MailboxSummary]
    next_cursor: str | None


class NewMailbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mailbox to be: an address, or `*@domain` for what no other mailbox of the domain takes."""

    address: Annotated[str, msgspec.Meta(min_length=3, max_length=320)]
    display_name: Annotated[str, msgspec.Meta(max_length=200)] = ""


_EXAMPLE = MailboxSummary(
    UUID("0198c5ef-02d1-7a60-b6aa-93c1f6e4d208"),
    "sales@acme.example",
    "Sales",
    datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
    datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
)


@get(
    "/",
    operation_id="list_mailboxes",
    summary="List mailboxes",
    opt=shown(answer=MailboxList([_EXAMPLE], None)),
)
async def list_all(
    grant: Given[Grant],
    database: Given[Database],
    q: SearchWords = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> MailboxList:
    """The mailboxes that the key reaches, by address. Temporary inboxes are not among them."""
    page = await list_mailbox_rows(
        database,
        grant.tenant_id,
        mailbox_ids=grant.mailbox_ids,
        words=q,
        cursor=cursor,
        limit=limit,
    )
    return MailboxList([_summarise(mailbox) for mailbox in page.rows], page.next_cursor)


@get(
    "/{mailbox_id:uuid}",
    operation_id="get_mailbox",
    summary="Get a mailbox",
    opt=shown(answer=_EXAMPLE),
)
async def show(
    grant: Given[Grant], database: Given[Database], mailbox_id: FromPath[UUID]
) -> MailboxSummary:
    """One mailbox that the key reaches, and when its newest message came."""
    return _summarise(await _find(database, grant, mailbox_id))


@post(
    "/",
    operation_id="create_mailbox",
    summary="Create a mailbox",
    opt={
        **allow(Permission.MAILBOXES_WRITE),
        **shown(
            answer=_EXAMPLE,
            body=NewMailbox("sales@acme.example", "Sales"),
            problems=[NOT_FOUND, ALREADY_EXISTS],
        ),
    },
)
async def create(
    grant: Given[Grant],
    database: Given[Database],
    directory_changes: Given[DirectoryChanges],
    domains: Given[Domains],
    data: Annotated[NewMailbox, Body(title="The new mailbox")],
) -> MailboxSummary:
    """The address receives mail within a second. Its domain must be yours and verified. A key that
    is limited to domains makes mailboxes in these; one that is limited to mailboxes makes none."""
    await _require_domain(grant, domains, split_address(data.address.strip())[1])
    mailbox = await directory_changes.add_mailbox(grant, data.address, data.display_name)
    return _summarise(await find_mailbox_row(database, grant.tenant_id, mailbox.id))


@delete(
    "/{mailbox_id:uuid}",
    operation_id="delete_mailbox",
    summary="Delete a mailbox and its mail",
    opt=allow(Permission.MAILBOXES_WRITE),
    response_description="It receives no more, and its mail is being removed.",
)
async def remove(
    grant: Given[Grant],
    database: Given[Database],
    directory_changes: Given[DirectoryChanges],
    mailbox_id: FromPath[UUID],
) -> None:
    """Mail for the address is refused from now on. **Everything in the mailbox is removed for
    good** within seconds: messages, attachments and raw mail; only bare ids stay in the event log.
    This cannot be undone. Get what you want to keep first."""
    await _find(database, grant, mailbox_id)
    await directory_changes.remove_mailbox(grant, mailbox_id)


async def _find(database: Database, grant: Grant, mailbox_id: UUID) -> MailboxRow:
    """Raises `NotFound`, also for one that the grant does not reach."""
    if grant.mailbox_ids is not None and mailbox_id not in grant.mailbox_ids:
        raise NotFound("There is no such mailbox.")
    return await find_mailbox_row(database, grant.tenant_id, mailbox_id)


async def _require_domain(grant: Grant, domains: Domains, name: str) -> None:
    """Raises `NotAllowed` or, for a domain that the grant does not reach, `NotFound`."""
    if grant.mailbox_ids is None:
        return
    if grant.domain_ids is None:
        raise NotAllowed("This key is for some mailboxes and cannot make more.")
    domain = await domains.find_receiving(name)
    if domain.id not in grant.domain_ids:
        raise NotFound(f"{domain.name} is not a verified domain here.")


def _summarise(row: MailboxRow) -> MailboxSummary:
    return MailboxSummary(row.id, row.address, row.display_name, row.created_at, row.newest_at)


mailboxes_router = Router(
    "/mailboxes",
    route_handlers=[list_all, show, create, remove],
    opt=allow(Permission.MAILBOXES_READ),
    tags=["mailboxes"],
)
