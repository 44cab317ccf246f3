"""What of the mail and of the domains a grant shows, for pages and the API alike."""

from contextlib import suppress
from uuid import UUID

from app.access.grants import Grant
from app.core.errors import NotFound
from app.directory.domains import Domain, Domains
from app.directory.mailboxes import Mailboxes
from app.inbox.listing import Access


def readable(grant: Grant) -> Access:
    """All messages that the grant reaches."""
    return Access(grant.tenant_id, grant.mailbox_ids)


async def readable_in(grant: Grant, mailboxes: Mailboxes, address: str | None) -> Access:
    """Those of the mailbox of this address; None narrows nothing. Raises `NotFound`, in the same
    words for a mailbox that is not there and for one that the grant does not reach."""
    access = readable(grant)
    if address is None:
        return access
    with suppress(NotFound):
        access = access.narrow((await mailboxes.find(address, grant.tenant_id)).id)
        if access.mailbox_ids:
            return access
    raise NotFound("There is no such mailbox.")


async def find_domain(domains: Domains, grant: Grant, domain_id: UUID) -> Domain:
    """Raises `NotFound`, in the same words for a domain that is not there and for one that the
    grant does not reach."""
    if grant.domain_ids is not None and domain_id not in grant.domain_ids:
        raise NotFound("There is no such domain.")
    return await domains.find_by_id(domain_id, grant.tenant_id)
