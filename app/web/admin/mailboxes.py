"""Mailboxes of the tenant: adding, naming and removing them."""

from typing import Any
from uuid import UUID

from litestar import Request, Router, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.directory import DirectoryChanges
from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.directory.domain_names import list_receiving_domains
from app.directory.mailbox_rows import count_messages, find_mailbox_row, list_mailbox_rows
from app.storage.db.database import Database
from app.web.admin.page import (
    REFUSED,
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

_HERE = "/admin/mailboxes"
_DONE = {
    "added": "The mailbox is there. It receives within a second.",
    "renamed": "The name is saved.",
    "removed": "The mailbox receives no more, and its mail is being deleted.",
}
_COUNTED_AT_MOST = 10_000


@get("/")
async def show_mailboxes(
    request: Request[Any, Any, Any],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    q: Words = "",
    cursor: Cursor = None,
    done: Done = "",
) -> Template:
    page = await list_mailbox_rows(database, session.tenant_id, words=q, cursor=cursor)
    context: dict[str, Any] = {"rows": page.rows, "next_cursor": page.next_cursor, "q": q}
    if wants_rows_only(request, cursor):
        return Template("admin/mailboxes/_rows.html", context=context)
    notice = describe_done(done, _DONE)
    return admin_pages.show(session, "mailboxes/list", **context, notice=notice)


@get("/new")
async def show_new_mailbox(
    session: Given[Session], admin_pages: Given[AdminPages], database: Given[Database]
) -> Template:
    domains = await list_receiving_domains(database, session.tenant_id)
    return admin_pages.show(session, "mailboxes/new", domains=domains)


@post("/", status_code=303)
async def add_mailbox(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    directory_changes: Given[DirectoryChanges],
) -> Template | Redirect:
    """`local_part` at `domain`, called `display_name`; `*` is the catch-all."""
    form = await request.form()
    local_part, domain, display_name = (
        str(form.get(name, "")).strip() for name in ("local_part", "domain", "display_name")
    )
    try:
        # Without a local part the address would be that of the catch-all.
        address = f"{local_part or '.'}@{domain}"
        await directory_changes.add_mailbox(grant, address, display_name)
    except REFUSED as error:
        return admin_pages.show(
            session,
            "mailboxes/new",
            status_code=400,
            wrong=str(error),
            local_part=local_part,
            domain=domain,
            display_name=display_name,
            domains=await list_receiving_domains(database, session.tenant_id),
        )
    return redirect_done(_HERE, "added")


@get("/{mailbox_id:uuid}")
async def show_mailbox(
    mailbox_id: FromPath[UUID],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    database: Given[Database],
) -> Template:
    row = await find_mailbox_row(database, session.tenant_id, mailbox_id)
    return admin_pages.show(session, "mailboxes/show", row=row, display_name=row.display_name)


@post("/{mailbox_id:uuid}", status_code=303)
async def rename_mailbox(
    request: Request[Any, Any, Any],
    mailbox_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    directory_changes: Given[DirectoryChanges],
) -> Template | Redirect:
    row = await find_mailbox_row(database, session.tenant_id, mailbox_id)
    display_name = str((await request.form()).get("display_name", ""))
    try:
        await directory_changes.rename_mailbox(grant, mailbox_id, display_name)
    except REFUSED as error:
        return admin_pages.show(
            session,
            "mailboxes/show",
            status_code=400,
            row=row,
            display_name=display_name,
            wrong=str(error),
        )
    return redirect_done(_HERE, "renamed")


@get("/{mailbox_id:uuid}/remove")
async def ask_to_remove_mailbox(
    mailbox_id: FromPath[UUID],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    database: Given[Database],
) -> Template:
    row = await find_mailbox_row(database, session.tenant_id, mailbox_id)
    number = await count_messages(
        database, session.tenant_id, mailbox_id, at_most=_COUNTED_AT_MOST + 1
    )
    return admin_pages.show(
        session,
        "mailboxes/remove",
        row=row,
        messages=min(number, _COUNTED_AT_MOST),
        has_more=number > _COUNTED_AT_MOST,
    )


@post("/{mailbox_id:uuid}/remove")
async def remove_mailbox(
    mailbox_id: FromPath[UUID], grant: Given[Grant], directory_changes: Given[DirectoryChanges]
) -> Redirect:
    await directory_changes.remove_mailbox(grant, mailbox_id)
    return redirect_done(_HERE, "removed")


admin_mailboxes_router = Router(
    _HERE,
    route_handlers=[
        *(show_mailboxes, show_new_mailbox, add_mailbox, show_mailbox),
        *(rename_mailbox, ask_to_remove_mailbox, remove_mailbox),
    ],
    opt=allow(Permission.MAILBOXES_WRITE),
)
