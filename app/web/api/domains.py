"""Domains over the API."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.params import Body, FromPath

from app.access.domain_changes import DomainChanges
from app.access.grants import Grant
from app.access.permissions import Permission
from app.core.errors import NotAllowed
from app.directory.domains import Domain, Domains
from app.directory.mta_sts import MtaStsMode
from app.directory.snapshot import RecipientPolicy
from app.web.access import find_domain
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.problems import ALREADY_EXISTS, IN_USE, NOT_FOUND


class DomainSummary(msgspec.Struct, frozen=True):
    """A domain. `status` is `pending` until its records are right, then `verified`; mail for it is
    deferred while it is `soft_rejected`, and refused while it is `suspended`. One that is not
    `monitored` is received for on the operator's word."""

    id: UUID
    name: str
    status: str
    recipient_policy: RecipientPolicy
    mta_sts_mode: MtaStsMode
    monitored: bool
    created_at: datetime
    verified_at: datetime | None
    checked_at: datetime | None


class DomainList(msgspec.Struct, frozen=True):
    """All of them, by name; there is never a next page."""

    items: Sequence[DomainSummary]
    next_cursor: str | None = None


class NewDomain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A domain to be, such as `acme.example`."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]


class DomainChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What unknown addresses meet, and how the MTA-STS policy that we serve is meant. What is left
    out or null stays as it is."""

    recipient_policy: RecipientPolicy | None = None
    mta_sts_mode: MtaStsMode | None = None


_EXAMPLE = DomainSummary(
    *(UUID("0198c5ef-0111-7b22-8c33-4d5e6f708192"), "acme.example", "verified"),
    recipient_policy="reject_unknown",
    mta_sts_mode="testing",
    monitored=True,
    created_at=datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
    verified_at=datetime(2026, 11, 20, 8, 5, tzinfo=UTC),
    checked_at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
)


@get(
    "/",
    operation_id="list_domains",
    summary="List domains",
    opt=shown(answer=DomainList([_EXAMPLE])),
)
async def list_all(grant: Given[Grant], domains: Given[Domains]) -> DomainList:
    """The domains that the key reaches, by name."""
    found = await domains.list(grant.tenant_id, grant.domain_ids)
    return DomainList([_summarise(domain) for domain in found])


@get(
    "/{domain_id:uuid}",
    operation_id="get_domain",
    summary="Get a domain",
    opt=shown(answer=_EXAMPLE),
)
async def show(
    grant: Given[Grant], domains: Given[Domains], domain_id: FromPath[UUID]
) -> DomainSummary:
    """How the domain stands. `domains/{id}/records` says what its DNS is to hold."""
    return _summarise(await find_domain(domains, grant, domain_id))


@post(
    "/",
    operation_id="create_domain",
    summary="Add a domain",
    opt={
        **allow(Permission.DOMAINS_WRITE),
        **shown(answer=_EXAMPLE, body=NewDomain("acme.example"), problems=[ALREADY_EXISTS]),
    },
)
async def create(
    grant: Given[Grant],
    domain_changes: Given[DomainChanges],
    data: Annotated[NewDomain, Body(title="The new domain")],
) -> DomainSummary:
    """It is `pending`, and receives once the records of `domains/{id}/records` are in its DNS. A
    key that is limited to domains adds none."""
    if grant.domain_ids is not None:
        raise NotAllowed("This key is for some domains and cannot add more.")
    return _summarise(await domain_changes.add(grant.actor, grant.tenant_id, data.name))


@patch(
    "/{domain_id:uuid}",
    operation_id="change_domain",
    summary="Change a domain",
    opt={
        **allow(Permission.DOMAINS_WRITE),
        **shown(
            answer=_EXAMPLE,
            body=DomainChange(recipient_policy="reply_after_data"),
            problems=[NOT_FOUND],
        ),
    },
)
async def change(
    grant: Given[Grant],
    domains: Given[Domains],
    domain_changes: Given[DomainChanges],
    domain_id: FromPath[UUID],
    data: Annotated[DomainChange, Body(title="What to change")],
) -> DomainSummary:
    """The SMTP service knows within seconds."""
    domain = await find_domain(domains, grant, domain_id)
    await domain_changes.change(
        grant.actor,
        domain,
        recipient_policy=data.recipient_policy,
        mta_sts_mode=data.mta_sts_mode,
    )
    return _summarise(await find_domain(domains, grant, domain_id))


@delete(
    "/{domain_id:uuid}",
    operation_id="delete_domain",
    summary="Remove a domain",
    opt={**allow(Permission.DOMAINS_WRITE), **shown(problems=[IN_USE])},
    response_description="Mail for it is refused from now on.",
)
async def remove(
    grant: Given[Grant],
    domains: Given[Domains],
    domain_changes: Given[DomainChanges],
    domain_id: FromPath[UUID],
) -> None:
    """Only a domain without mailboxes: their mail is not to go with it unasked."""
    await domain_changes.remove(grant.actor, await find_domain(domains, grant, domain_id))


def _summarise(domain: Domain) -> DomainSummary:
    return DomainSummary(
        domain.id,
        domain.name,
        domain.status,
        domain.recipient_policy,
        domain.mta_sts_mode,
        domain.is_monitored,
        domain.created_at,
        domain.verified_at,
        domain.checked_at,
    )


domains_router = Router(
    "/domains",
    route_handlers=[list_all, show, create, change, remove],
    opt=allow(Permission.DOMAINS_READ),
    tags=["domains"],
)
