"""Searching over the API."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.params import QueryParameter

from app.access.grants import Grant
from app.access.permissions import Permission
from app.directory.mailboxes import Mailboxes
from app.search.search import Search
from app.web.access import readable_in
from app.web.api.messages import (
    CURSOR_EXAMPLE,
    SUMMARY_EXAMPLE,
    MailboxAddress,
    MessageSummary,
    summarise,
)
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor, Limit
from app.web.problems import NOT_FOUND

Words = Annotated[
    str,
    QueryParameter(name="q", max_length=4096, description="As in the search box: `from:ada`."),
]


class SearchResults(msgspec.Struct, frozen=True):
    """Newest first. `notes` say in words what of the query was not understood, or not searched."""

    items: Sequence[MessageSummary]
    next_cursor: str | None
    notes: Sequence[str]


@get(
    "/",
    operation_id="search_messages",
    summary="Search messages",
    opt={
        **allow(Permission.MESSAGES_READ),
        **shown(answer=SearchResults([SUMMARY_EXAMPLE], CURSOR_EXAMPLE, []), problems=[NOT_FOUND]),
    },
)
async def search_messages(
    grant: Given[Grant],
    search: Given[Search],
    mailboxes: Given[Mailboxes],
    q: Words = "",
    mailbox: MailboxAddress = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> SearchResults:
    """The messages that the key may read and that match, newest first, in all mailboxes or in one.
    Words, `"phrases"`, addresses, and operators such as `from:`, `to:`, `subject:`, `has:`,
    `is:`, `in:`, `before:` and `larger:` work as in the search box. Spam and trash are searched
    when the query names them."""
    access = await readable_in(grant, mailboxes, mailbox)
    found = await search.find(access, q, cursor=cursor, limit=limit)
    return SearchResults([summarise(row) for row in found.rows], found.next_cursor, found.notes)


search_api_router = Router("/search", route_handlers=[search_messages], tags=["search"])
