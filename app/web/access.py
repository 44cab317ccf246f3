"""What of the mail a grant shows, for pages and the API alike."""

from contextlib import suppress

from app.access.grants import Grant
from app.core.errors import NotFound
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
