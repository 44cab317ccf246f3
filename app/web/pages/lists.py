"""Lists of messages as pages, as further rows, and as rows that arrive, change and go."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from jinja2 import Environment
from litestar import Request
from litestar.response import Stream, Template

from app.core.errors import InvalidInput, NotFound
from app.eventlog.event import Event
from app.eventlog.feed import Feed
from app.eventlog.read import EventFilter
from app.eventlog.types import EventType
from app.inbox.listing import Access, MessagePage, find_rows, shows
from app.inbox.view import ALL_MAIL, Folder, View
from app.storage.db.database import Database
from app.web.calls import draw_calls
from app.web.live import format_event, resume_position

Context = Mapping[str, Any]

_FOLLOWED = (EventType.INGEST_RECEIVED, EventType.MESSAGE_UPDATED, EventType.MESSAGE_DELETED)
# Data of updates that change nothing which a list shows.
_UNLISTED = {"authentication"}


def read_view(values: Mapping[str, str]) -> View:
    """The view that an address or a form names, as `View.query` writes it. Without a folder, a
    star or a label it is the inbox. Raises `InvalidInput`."""
    folder = values.get("folder", "")
    starred, unread = values.get("starred") == "1", values.get("unread") == "1"
    label_id = _read_id(values, "label")
    if folder not in ("", ALL_MAIL, *Folder):
        raise InvalidInput("There is no such folder.")
    if not (folder or starred or label_id):
        folder = Folder.INBOX
    return View(_read_id(values, "mailbox"), folder, starred, unread, label_id)


def _read_id(values: Mapping[str, str], name: str) -> UUID | None:
    text = values.get(name, "")
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise InvalidInput(f"{name} is the id of a {name}.") from error


def show_list(
    request: Request[Any, Any, Any],
    template: str,
    page: MessagePage,
    cursor: str | None,
    context: Context,
) -> Template:
    """The whole page, or only its further rows when htmx asks for them.

    `context` has the `position` of the log from before `page` was read: what arrives meanwhile
    is told once more, and not missed. On older pages nothing arrives.
    """
    rows = {"rows": page.rows, "next_cursor": page.next_cursor}
    if cursor:
        rows["position"] = None
    only_rows = cursor is not None and request.headers.get("hx-request") == "true"
    return Template("messages/_rows.html" if only_rows else template, context={**context, **rows})


@dataclass(frozen=True, slots=True)
class ListPages:
    """Follows the lists that an `Access` shows."""

    database: Database
    feed: Feed
    environment: Environment

    def stream(
        self,
        request: Request[Any, Any, Any],
        access: Access,
        view: View,
        after: int,
        describe: Callable[[], Awaitable[Context]],
        calls: Sequence[str] = (),
    ) -> Stream:
        """What happens to the list after a position, as server-sent events named `message`, and
        the calls for whoever looks at it, by the types of the tenant's events that `calls` names.

        `describe` gives what the templates need besides; it raises `NotFound` when the list is
        no longer there, which ends the stream.
        """
        position = resume_position(request, after)
        return Stream(
            self._changes(access, view, position, describe, calls),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def _changes(
        self,
        access: Access,
        view: View,
        after: int,
        describe: Callable[[], Awaitable[Context]],
        calls: Sequence[str],
    ) -> AsyncIterator[bytes]:
        yield b": connected\n\n"
        listed = EventFilter(access.tenant_id, access.mailbox_ids, _FOLLOWED)
        # A call may be of no mailbox, or of another than is looked at.
        wanted = EventFilter(access.tenant_id, None, [*_FOLLOWED, *calls]) if calls else listed
        async for events in self.feed.follow(wanted, after=after):
            if not events:
                yield b": still here\n\n"
                continue
            try:
                context = await describe()
            except NotFound:
                return
            changes = [event for event in events if listed.matches(event)]
            told = {
                **await self._render(access, view, changes, context),
                **draw_calls(self.environment, events, calls),
            }
            for position in sorted(told):
                yield told[position]

    async def _render(
        self, access: Access, view: View, events: Sequence[Event], context: Context
    ) -> Mapping[int, bytes]:
        """By position."""
        events = [event for event in events if event.data.keys() != _UNLISTED]
        ids = list({event.subject_id for event in events if event.subject_type == "message"})
        rows = {
            row.id: row for row in await find_rows(self.database, access, ids) if shows(view, row)
        }
        arrival = self.environment.get_template("messages/_arrival.html")
        change = self.environment.get_template("messages/_change.html")
        chunks = {}
        for event in events:
            row = rows.get(event.subject_id)
            if event.type != EventType.INGEST_RECEIVED:
                html = change.render(row=row, message_id=event.subject_id, **context)
            elif row:
                html = arrival.render(row=row, **context)
            else:
                continue
            chunks[event.position] = format_event("message", html, event.position)
        return chunks
