"""The signed-in inbox: every mailbox of the tenant, together or one at a time."""

from typing import Any
from uuid import UUID

from litestar import Request, Router, get
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream, Template

from app.access.sign_in import Session
from app.directory.mailboxes import Mailboxes
from app.inbox.listing import Access
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.pages.lists import Context, ListPages
from app.web.pages.messages import MessagePages
from app.web.parameters import After, Cursor

_BASE_URL = "/inbox"


@get("/")
async def show_inbox(
    request: Request[Any, Any, Any],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    mailboxes: Given[Mailboxes],
    lists: Given[ListPages],
    cursor: Cursor = None,
    mailbox: FromQuery[UUID | None] = None,
) -> Template:
    context = {**_context(session, session_cookies), "mailbox_id": None}
    if mailbox is not None:
        found = await mailboxes.find_by_id(mailbox, session.tenant_id)
        context |= {"mailbox_id": found.id, "mailbox_address": found.address}
    return await lists.show(request, "inbox/list.html", _access(session, mailbox), cursor, context)


@get("/live")
async def follow_inbox(
    request: Request[Any, Any, Any],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    lists: Given[ListPages],
    after: After = 0,
    mailbox: FromQuery[UUID | None] = None,
) -> Stream:
    async def describe() -> Context:
        return _context(session, session_cookies)

    return lists.stream(request, _access(session, mailbox), after, describe)


@get("/m/{message_id:uuid}")
async def show_message(
    message_id: FromPath[UUID],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    messages: Given[MessagePages],
    view: FromQuery[str] = "",
) -> Template:
    return await messages.show(
        _access(session),
        message_id,
        base_url=_BASE_URL,
        view=view,
        context=_context(session, session_cookies),
    )


@get("/m/{message_id:uuid}/body")
async def show_body(
    message_id: FromPath[UUID], session: Given[Session], messages: Given[MessagePages]
) -> Template:
    return await messages.body(_access(session), message_id)


@get("/m/{message_id:uuid}/raw", status_code=303)
async def link_raw(
    message_id: FromPath[UUID], session: Given[Session], messages: Given[MessagePages]
) -> Redirect:
    return await messages.raw(_access(session), message_id)


@get("/m/{message_id:uuid}/attachments/{attachment_id:uuid}")
async def download_attachment(
    message_id: FromPath[UUID],
    attachment_id: FromPath[UUID],
    session: Given[Session],
    messages: Given[MessagePages],
) -> Stream:
    return await messages.attachment(_access(session), message_id, attachment_id)


def _access(session: Session, mailbox_id: UUID | None = None) -> Access:
    access = Access(session.tenant_id)
    return access if mailbox_id is None else access.narrow(mailbox_id)


def _context(session: Session, session_cookies: SessionCookies) -> Context:
    return {
        "base_url": _BASE_URL,
        "signed_in_as": session.email,
        "csrf_token": session_cookies.csrf_token(session),
    }


inbox_router = Router(
    _BASE_URL,
    route_handlers=[
        show_inbox,
        follow_inbox,
        show_message,
        show_body,
        link_raw,
        download_attachment,
    ],
)
