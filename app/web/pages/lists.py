"""Lists of messages as pages, as further rows, and as rows that arrive."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from litestar import Request
from litestar.response import Stream, Template

from app.core.errors import NotFound
from app.eventlog.read import last_position
from app.eventlog.types import EventType
from app.inbox.listing import Access, find_rows, list_messages
from app.storage.db.database import Database
from app.web.live import Feed, format_event, resume_position

Context = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ListPages:
    """Renders the messages that an `Access` shows."""

    database: Database
    feed: Feed
    environment: Environment

    async def show(
        self,
        request: Request[Any, Any, Any],
        template: str,
        access: Access,
        cursor: str | None,
        context: Context,
    ) -> Template:
        """The whole page, or only its further rows when htmx asks for them."""
        # The position comes first: what arrives meanwhile is told once more, and not missed.
        position = None if cursor else await last_position(self.database)
        page = await list_messages(self.database, access, cursor=cursor)
        rows = {"rows": page.rows, "next_cursor": page.next_cursor, "position": position}
        only_rows = cursor is not None and request.headers.get("hx-request") == "true"
        return Template(
            "messages/_rows.html" if only_rows else template, context={**context, **rows}
        )

    def stream(
        self,
        request: Request[Any, Any, Any],
        access: Access,
        after: int,
        describe: Callable[[], Awaitable[Context]],
    ) -> Stream:
        """Rows that arrive after a position, as server-sent events named `message`.

        `describe` gives what a row's template needs besides; it raises `NotFound` when the list
        is no longer there, which ends the stream.
        """
        position = resume_position(request, after)
        return Stream(
            self._arrivals(access, position, describe),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def _arrivals(
        self, access: Access, after: int, describe: Callable[[], Awaitable[Context]]
    ) -> AsyncIterator[bytes]:
        yield b": connected\n\n"
        template = self.environment.get_template("messages/_arrival.html")
        async for events in self.feed.follow(
            tenant_id=access.tenant_id,
            mailbox_ids=access.mailbox_ids,
            types=[EventType.INGEST_RECEIVED],
            after=after,
        ):
            if not events:
                yield b": still here\n\n"
                continue
            rows = await find_rows(self.database, access, [event.subject_id for event in events])
            by_id = {row.id: row for row in rows}
            try:
                context = await describe()
            except NotFound:
                return
            for event in events:
                if row := by_id.get(event.subject_id):
                    yield format_event(
                        "message", template.render(row=row, **context), event.position
                    )
