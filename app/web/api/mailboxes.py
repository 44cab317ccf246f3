"""Mailboxes over the API."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post
from litestar.params import Body, FromPath

from app.access.grants import Grant
from app.access.permissions import Permission
from app.core.errors import NotAllowed, NotFound
from app.directory.domains import Domains
from app.directory.mailboxes import Mailbox, Mailboxes
from app.mime.addresses import split_address
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Contains, Cursor, Limit
from app.web.problems import ALREADY_EXISTS, NOT_FOUND


class MailboxSummary(msgspec.Struct, frozen=True):
    """An address that receives mail; `@domain` stands for all that no other mailbox of the domain
    takes. One with `expires_at` is temporary, and removed then."""

    id: UUID
    address: str
    expires_at: datetime | None


class MailboxList(msgspec.Struct, frozen=True):
    """By address. `next_cursor` asks for the page after this one; null at the end."""

    items: Sequence[MailboxSummary]
    next_cursor: str | None


class NewMailbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mailbox to be: an address, or `*@domain` for what no other mailbox of the domain takes."""

    address: Annotated[str, msgspec.Meta(min_length=3, max_length=320)]


_EXAMPLE = MailboxSummary(UUID("0198c5ef-02d1-7a60-b6aa-93c1f6e4d208"), "sales@acme.example", None)


@get(
    "/",
    operation_id="list_mailboxes",
    summary="List mailboxes",
    opt=shown(answer=MailboxList([_EXAMPLE], None)),
)
async def list_all(
    grant: Given[Grant],
    mailboxes: Given[Mailboxes],
    contains: Contains = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> MailboxList:
    """The mailboxes that the key reaches, by address."""
    page = await mailboxes.list(
        grant.tenant_id, grant.mailbox_ids, contains=contains, cursor=cursor, limit=limit
    )
    return MailboxList([_summarise(mailbox) for mailbox in page.rows], page.next_cursor)


@get(
    "/{mailbox_id:uuid}",
    operation_id="get_mailbox",
    summary="Get a mailbox",
    opt=shown(answer=_EXAMPLE),
)
async def show(
    grant: Given[Grant], mailboxes: Given[Mailboxes], mailbox_id: FromPath[UUID]
) -> MailboxSummary:
    """One mailbox that the key reaches."""
    return _summarise(await _find(mailboxes, grant, mailbox_id))


@post(
    "/",
    operation_id="create_mailbox",
    summary="Create a mailbox",
    opt={
        **allow(Permission.MAILBOXES_WRITE),
        **shown(
            answer=_EXAMPLE,
            body=NewMailbox("sales@acme.example"),
            problems=[NOT_FOUND, ALREADY_EXISTS],
        ),
    },
)
async def create(
    grant: Given[Grant],
    mailboxes: Given[Mailboxes],
    domains: Given[Domains],
    data: Annotated[NewMailbox, Body(title="The new mailbox")],
) -> MailboxSummary:
    """The address receives mail within a second. Its domain must be yours and verified. A key that
    is limited to domains makes mailboxes in these; one that is limited to mailboxes makes none."""
    await _require_domain(grant, domains, split_address(data.address.strip())[1])
    return _summarise(await mailboxes.add(data.address, grant.tenant_id))


@delete(
    "/{mailbox_id:uuid}",
    operation_id="delete_mailbox",
    summary="Delete a mailbox and its mail",
    opt=allow(Permission.MAILBOXES_WRITE),
    response_description="It receives no more, and its mail is being removed.",
)
async def remove(
    grant: Given[Grant], mailboxes: Given[Mailboxes], mailbox_id: FromPath[UUID]
) -> None:
    """Mail for the address is refused from now on. **Everything in the mailbox is removed for
    good** within seconds: messages, attachments and raw mail; only bare ids stay in the event log.
    This cannot be undone. Get what you want to keep first."""
    await _find(mailboxes, grant, mailbox_id)
    await mailboxes.close(mailbox_id, grant.tenant_id)


async def _find(mailboxes: Mailboxes, grant: Grant, mailbox_id: UUID) -> Mailbox:
    """Raises `NotFound`, also for one that the grant does not reach."""
    if grant.mailbox_ids is not None and mailbox_id not in grant.mailbox_ids:
        raise NotFound("There is no such mailbox.")
    return await mailboxes.find_by_id(mailbox_id, grant.tenant_id)


async def _require_domain(grant: Grant, domains: Domains, name: str) -> None:
    """Raises `NotAllowed` or, for a domain that the grant does not reach, `NotFound`."""
    if grant.mailbox_ids is None:
        return
    if grant.domain_ids is None:
        raise NotAllowed("This key is for some mailboxes and cannot make more.")
    domain = await domains.find_receiving(name)
    if domain.id not in grant.domain_ids:
        raise NotFound(f"{domain.name} is not a verified domain here.")


def _summarise(mailbox: Mailbox) -> MailboxSummary:
    return MailboxSummary(mailbox.id, mailbox.address, mailbox.expires_at)


mailboxes_router = Router(
    "/mailboxes",
    route_handlers=[list_all, show, create, remove],
    opt=allow(Permission.MAILBOXES_READ),
    tags=["mailboxes"],
)
