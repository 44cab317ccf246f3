"""Temporary inboxes at /t/{token}: the token in the path is the only credential."""

from typing import Any
from uuid import UUID

from litestar import Request, Router, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Stream, Template

from app.eventlog.read import last_position
from app.inbox.listing import EVERYTHING, list_messages
from app.inbox.sample import Sample
from app.inbox.temporary import TemporaryInboxes
from app.settings import Settings
from app.storage.db.database import Database
from app.web.given import Given
from app.web.guards import allow_token
from app.web.pages.lists import Context, ListPages, show_list
from app.web.pages.messages import MessagePages
from app.web.parameters import After, Cursor


@get("/")
async def show_inbox(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    inboxes: Given[TemporaryInboxes],
    settings: Given[Settings],
    database: Given[Database],
    cursor: Cursor = None,
) -> Template:
    inbox = await inboxes.open(token)
    context = {
        "inbox": inbox,
        "base_url": _base_url(token),
        "smtp_address": str(settings.smtp_listen),
        "position": await last_position(database),
    }
    page = await list_messages(database, inbox.access, cursor=cursor)
    return show_list(request, "temporary/list.html", page, cursor, context)


@get("/live")
async def follow_inbox(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    inboxes: Given[TemporaryInboxes],
    lists: Given[ListPages],
    after: After = 0,
) -> Stream:
    inbox = await inboxes.open(token)

    async def describe() -> Context:
        return {"inbox": await inboxes.open(token), "base_url": _base_url(token)}

    return lists.stream(request, inbox.access, EVERYTHING, after, describe)


@post("/extend")
async def extend_inbox(token: FromPath[str], inboxes: Given[TemporaryInboxes]) -> Redirect:
    await inboxes.extend(token)
    return Redirect(_base_url(token), status_code=303)


@post("/delete")
async def delete_inbox(token: FromPath[str], inboxes: Given[TemporaryInboxes]) -> Redirect:
    await inboxes.delete(token)
    return Redirect("/", status_code=303)


@post("/test-mail")
async def send_test_mail(
    token: FromPath[str], inboxes: Given[TemporaryInboxes], sample: Given[Sample]
) -> Redirect:
    inbox = await inboxes.open(token)
    await sample.send(inbox.address)
    return Redirect(_base_url(token), status_code=303)


@get("/m/{message_id:uuid}")
async def show_message(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    message_id: FromPath[UUID],
    inboxes: Given[TemporaryInboxes],
    messages: Given[MessagePages],
) -> Template:
    inbox = await inboxes.open(token)
    return await messages.show(
        request, inbox.access, message_id, base_url=_base_url(token), context={}
    )


@get("/m/{message_id:uuid}/body")
async def show_body(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    message_id: FromPath[UUID],
    inboxes: Given[TemporaryInboxes],
    messages: Given[MessagePages],
) -> Template:
    return await messages.body(request, (await inboxes.open(token)).access, message_id)


@get("/m/{message_id:uuid}/raw", status_code=303)
async def link_raw(
    token: FromPath[str],
    message_id: FromPath[UUID],
    inboxes: Given[TemporaryInboxes],
    messages: Given[MessagePages],
) -> Redirect:
    return await messages.raw((await inboxes.open(token)).access, message_id)


@get("/m/{message_id:uuid}/attachments/{attachment_id:uuid}")
async def download_attachment(
    token: FromPath[str],
    message_id: FromPath[UUID],
    attachment_id: FromPath[UUID],
    inboxes: Given[TemporaryInboxes],
    messages: Given[MessagePages],
) -> Stream:
    inbox = await inboxes.open(token)
    return await messages.attachment(inbox.access, message_id, attachment_id)


def _base_url(token: str) -> str:
    return f"/t/{token}"


temporary_router = Router(
    "/t/{token:str}",
    opt=allow_token(),
    route_handlers=[
        show_inbox,
        follow_inbox,
        extend_inbox,
        delete_inbox,
        send_test_mail,
        show_message,
        show_body,
        link_raw,
        download_attachment,
    ],
)
