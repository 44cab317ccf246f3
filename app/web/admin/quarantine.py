"""Quarantine: mail that could not be taken in, for somebody to decide about."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.inbound.pipeline.quarantine_review import QuarantineReview
from app.web.admin.page import (
    AdminPages,
    Done,
    Words,
    describe_done,
    redirect_done,
    wants_rows_only,
)
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor

_HERE = "/admin/quarantine"
_DONE = {
    "taken": "It was taken in and is in its mailbox now.",
    "stays": "It still cannot be taken in. The reason below is the newest.",
    "dropped": "It is gone.",
}


@get("/")
async def show_quarantine(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    quarantine_review: Given[QuarantineReview],
    q: Words = "",
    cursor: Cursor = None,
    done: Done = "",
) -> Template:
    page = await quarantine_review.list(grant, words=q, cursor=cursor)
    context: dict[str, Any] = {"rows": page.rows, "next_cursor": page.next_cursor, "q": q}
    if wants_rows_only(request, cursor):
        return Template("admin/quarantine/_rows.html", context=context)
    notice = describe_done(done, _DONE)
    return admin_pages.show(session, "quarantine/list", **context, notice=notice)


@get("/{item_id:uuid}")
async def show_held_item(
    item_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    quarantine_review: Given[QuarantineReview],
    done: Done = "",
) -> Template:
    return admin_pages.show(
        session,
        "quarantine/show",
        item=await quarantine_review.find(grant, item_id),
        head=await quarantine_review.read_head(grant, item_id),
        notice=describe_done(done, _DONE),
    )


@get("/{item_id:uuid}/raw")
async def download_held_item(
    item_id: FromPath[UUID],
    grant: Given[Grant],
    quarantine_review: Given[QuarantineReview],
) -> Response[bytes]:
    """The bytes as they came, always as a file."""
    return Response(
        await quarantine_review.read_raw(grant, item_id),
        media_type="application/octet-stream",
        headers={
            "content-disposition": f'attachment; filename="{item_id}.eml"',
            "content-security-policy": "default-src 'none'; sandbox",
        },
    )


@post("/{item_id:uuid}/retry")
async def retry_held_item(
    item_id: FromPath[UUID], grant: Given[Grant], quarantine_review: Given[QuarantineReview]
) -> Redirect:
    if await quarantine_review.retry(grant, item_id):
        return redirect_done(_HERE, "taken")
    return redirect_done(f"{_HERE}/{item_id}", "stays")


@get("/{item_id:uuid}/drop")
async def ask_to_drop_held_item(
    item_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    quarantine_review: Given[QuarantineReview],
) -> Template:
    item = await quarantine_review.find(grant, item_id)
    return admin_pages.show(session, "quarantine/drop", item=item)


@post("/{item_id:uuid}/drop")
async def drop_held_item(
    item_id: FromPath[UUID], grant: Given[Grant], quarantine_review: Given[QuarantineReview]
) -> Redirect:
    await quarantine_review.drop(grant, item_id)
    return redirect_done(_HERE, "dropped")


admin_quarantine_router = Router(
    _HERE,
    route_handlers=[
        *(show_quarantine, show_held_item, download_held_item),
        *(retry_held_item, ask_to_drop_held_item, drop_held_item),
    ],
    opt=allow(Permission.ADMIN),
)
