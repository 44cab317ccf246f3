"""The signed-in inbox: every mailbox of the tenant, together or one at a time."""

from typing import Any
from uuid import UUID

from litestar import Request, Router, get
from litestar.params import FromPath
from litestar.response import Redirect, Stream, Template

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session, Sessions
from app.core.errors import NotFound
from app.directory.mailboxes import Mailboxes
from app.inbox.kept_lists import KeptLists
from app.inbox.sidebar import Sidebar, read_counts, read_sidebar
from app.inbox.view import ALL_MAIL, Folder, View
from app.storage.db.database import Database
from app.web.access import readable
from app.web.calls import types_of_calls
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.guards import allow
from app.web.pages.actions import act, delete_label, describe_notice, undo
from app.web.pages.lists import Context, ListPages, read_view, show_list
from app.web.pages.messages import MessagePages
from app.web.parameters import After, Cursor

_BASE_URL = "/inbox"
_TITLES = {
    Folder.INBOX: "Inbox",
    Folder.ARCHIVE: "Archive",
    Folder.SPAM: "Spam",
    Folder.TRASH: "Trash",
    ALL_MAIL: "All mail",
}


@get("/")
async def show_inbox(
    request: Request[Any, Any, Any],
    grant: Given[Grant],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    database: Given[Database],
    mailboxes: Given[Mailboxes],
    kept_lists: Given[KeptLists],
    cursor: Cursor = None,
) -> Template:
    """One page of a view. After an action without JavaScript it says what was done."""
    view = read_view(request.query_params)
    access = readable(grant).narrow(view.mailbox_id)
    address = None
    if view.mailbox_id is not None:
        address = (await mailboxes.find_by_id(view.mailbox_id, grant.tenant_id)).address
    sidebar = await read_sidebar(database, grant.tenant_id)
    kept = await kept_lists.read(access, view, cursor, sidebar)
    context = {
        **_context(grant, session, session_cookies, view),
        "position": sidebar.position,
        "title": _title(view, sidebar),
        "mailbox_address": address,
        "mailboxes": sidebar.mailboxes,
        "labels": sidebar.labels,
        "counts": kept.counts,
        "tenant_name": session.tenant_name if session.may_switch else "",
        "notice": describe_notice(request.query_params),
    }
    return show_list(request, "inbox/list.html", kept.page, cursor, context)


@get("/live")
async def follow_inbox(
    request: Request[Any, Any, Any],
    grant: Given[Grant],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    sessions: Given[Sessions],
    database: Given[Database],
    lists: Given[ListPages],
    after: After = 0,
) -> Stream:
    view = read_view(request.query_params)

    async def describe() -> Context:
        await sessions.require_open(session)
        counts = await read_counts(database, grant.tenant_id)
        return {**_context(grant, session, session_cookies, view), "counts": counts}

    access = readable(grant).narrow(view.mailbox_id)
    return lists.stream(request, access, view, after, describe, types_of_calls(grant))


@get("/m/{message_id:uuid}")
async def show_message(
    request: Request[Any, Any, Any],
    message_id: FromPath[UUID],
    grant: Given[Grant],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    messages: Given[MessagePages],
) -> Template:
    listed = read_view(request.query_params)
    return await messages.show(
        request,
        readable(grant),
        message_id,
        base_url=_BASE_URL,
        listed=listed,
        marks_read=grant.allows(Permission.MESSAGES_WRITE),
        context=_context(grant, session, session_cookies, listed),
    )


@get("/m/{message_id:uuid}/body")
async def show_body(
    request: Request[Any, Any, Any],
    message_id: FromPath[UUID],
    grant: Given[Grant],
    messages: Given[MessagePages],
) -> Template:
    return await messages.body(request, readable(grant), message_id)


@get("/m/{message_id:uuid}/raw", status_code=303)
async def link_raw(
    message_id: FromPath[UUID], grant: Given[Grant], messages: Given[MessagePages]
) -> Redirect:
    return await messages.raw(readable(grant), message_id)


@get("/m/{message_id:uuid}/attachments/{attachment_id:uuid}")
async def download_attachment(
    message_id: FromPath[UUID],
    attachment_id: FromPath[UUID],
    grant: Given[Grant],
    messages: Given[MessagePages],
) -> Stream:
    return await messages.attachment(readable(grant), message_id, attachment_id)


def _context(
    grant: Grant, session: Session, session_cookies: SessionCookies, view: View
) -> Context:
    return {
        "base_url": _BASE_URL,
        "signed_in_as": session.email,
        "csrf_token": session_cookies.csrf_token(session),
        "view": view,
        "may_write": grant.allows(Permission.MESSAGES_WRITE),
    }


def _title(view: View, sidebar: Sidebar) -> str:
    """Raises `NotFound` for a label that is not there."""
    if view.label_id is not None:
        for label in sidebar.labels:
            if label.id == view.label_id:
                return label.name
        raise NotFound("There is no such label.")
    if view.starred:
        return "Starred"
    return _TITLES[Folder(view.folder) if view.folder != ALL_MAIL else ALL_MAIL]


inbox_router = Router(
    _BASE_URL,
    opt=allow(Permission.MESSAGES_READ),
    route_handlers=[
        show_inbox,
        follow_inbox,
        show_message,
        show_body,
        link_raw,
        download_attachment,
        act,
        undo,
        delete_label,
    ],
)
