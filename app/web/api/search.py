"""Searching over the API."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.params import FromQuery, QueryParameter

from app.access.grants import Grant
from app.access.permissions import Permission
from app.directory.mailboxes import Mailboxes
from app.search.search import Search
from app.web.access import readable_in
from app.web.api.messages import MessageSummary, summarise
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor, Limit

Words = Annotated[
    str,
    QueryParameter(name="q", max_length=4096, description="As in the search box: `from:ada`."),
]


class SearchResults(msgspec.Struct, frozen=True):
    """Newest first. `notes` say in words what of the query was not understood, or not searched."""

    items: Sequence[MessageSummary]
    next_cursor: str | None
    notes: Sequence[str]


@get("/", opt=allow(Permission.MESSAGES_READ))
async def search_messages(
    grant: Given[Grant],
    search: Given[Search],
    mailboxes: Given[Mailboxes],
    q: Words = "",
    mailbox: FromQuery[str | None] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> SearchResults:
    """The messages that the key may read and that match, in all mailboxes or in one."""
    access = await readable_in(grant, mailboxes, mailbox)
    found = await search.find(access, q, cursor=cursor, limit=limit)
    return SearchResults([summarise(row) for row in found.rows], found.next_cursor, found.notes)


search_api_router = Router("/search", route_handlers=[search_messages], tags=["search"])
