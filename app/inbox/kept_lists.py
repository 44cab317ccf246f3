"""Pages of a tenant's mail that are kept until something happens in the tenant.

Whatever changes what a list shows tells the log in the same transaction. A page that was read when
the tenant's newest event was a certain one is therefore read anew only when it is another, however
many people look at it and however often they come back. Labels are made and removed without an
event, and are compared themselves.
"""

import asyncio

from cachetools import TTLCache
from msgspec import Struct

from app.core.clock import Clock
from app.inbox.listing import Access, MessagePage, list_messages
from app.inbox.sidebar import Counts, Sidebar, read_counts
from app.inbox.view import View
from app.storage.db.database import Database

_MAX_PAGES = 200
# The messages of a mailbox that is removed go some at a time, and only its end is an event.
_KEPT_SECONDS = 15


class KeptPage(Struct, frozen=True):
    """A page of a list, and what is counted in the tenant's whole inbox."""

    page: MessagePage
    counts: Counts


class KeptLists:
    """The pages that one process looked at last."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._kept: TTLCache[object, KeptPage] = TTLCache(
            _MAX_PAGES, _KEPT_SECONDS, timer=lambda: clock.now().timestamp()
        )

    async def read(
        self, access: Access, view: View, cursor: str | None, sidebar: Sidebar
    ) -> KeptPage:
        """As `list_messages` and `read_counts` give them, and never older than `sidebar`."""
        mailbox_ids = None if access.mailbox_ids is None else tuple(access.mailbox_ids)
        key = (access.tenant_id, mailbox_ids, view, cursor, sidebar.last_event, sidebar.labels)
        found = self._kept.get(key)
        if found is None:
            page, counts = await asyncio.gather(
                list_messages(self._database, access, view, cursor=cursor),
                read_counts(self._database, access.tenant_id),
            )
            self._kept[key] = found = KeptPage(page, counts)
        return found
