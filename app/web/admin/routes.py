"""Routes: addresses that lead to mailboxes of another name."""

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
from app.directory.mailboxes import Mailboxes
from app.directory.routes import Routes
from app.storage.db.database import Database
from app.web.admin.mailbox_choice import offer_mailboxes, read_mailboxes, ticked_ids
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

_HERE = "/admin/routes"
_DONE = {
    "added": "The route is there. Mail takes it within a second.",
    "changed": "Mail goes to these mailboxes now.",
    "removed": "The route is gone.",
}


@get("/")
async def show_routes(
    request: Request[Any, Any, Any],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    routes: Given[Routes],
    q: Words = "",
    cursor: Cursor = None,
    done: Done = "",
) -> Template:
    page = await routes.list(session.tenant_id, words=q, cursor=cursor)
    context: dict[str, Any] = {"rows": page.rows, "next_cursor": page.next_cursor, "q": q}
    if wants_rows_only(request, cursor):
        return Template("admin/routes/_rows.html", context=context)
    notice = describe_done(done, _DONE)
    return admin_pages.show(session, "routes/list", **context, notice=notice)


@get("/new")
async def show_new_route(
    session: Given[Session], admin_pages: Given[AdminPages], database: Given[Database]
) -> Template:
    return admin_pages.show(
        session,
        "routes/new",
        domains=await list_receiving_domains(database, session.tenant_id),
        choice=await offer_mailboxes(database, session.tenant_id),
    )


@post("/", status_code=303)
async def add_route(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    mailboxes: Given[Mailboxes],
    directory_changes: Given[DirectoryChanges],
) -> Template | Redirect:
    """`local_part` at `domain` leads to `mailbox_ids` and the addresses of `others`."""
    form = await request.form()
    local_part, domain = str(form.get("local_part", "")).strip(), str(form.get("domain", ""))
    try:
        wanted = await read_mailboxes(form, mailboxes, grant.tenant_id)
        await directory_changes.add_route(grant, f"{local_part}@{domain}", wanted)
    except REFUSED as error:
        return admin_pages.show(
            session,
            "routes/new",
            status_code=400,
            wrong=str(error),
            local_part=local_part,
            domain=domain,
            domains=await list_receiving_domains(database, session.tenant_id),
            choice=await offer_mailboxes(
                database,
                session.tenant_id,
                ticked_ids(form, "mailbox_ids"),
                str(form.get("others", "")),
            ),
        )
    return redirect_done(_HERE, "added")


@get("/{route_id:uuid}")
async def show_route(
    route_id: FromPath[UUID],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    routes: Given[Routes],
) -> Template:
    route = await routes.find(route_id, session.tenant_id)
    chosen = [target.id for target in route.targets]
    choice = await offer_mailboxes(database, session.tenant_id, chosen)
    return admin_pages.show(session, "routes/show", route=route, choice=choice)


@post("/{route_id:uuid}", status_code=303)
async def change_route(
    request: Request[Any, Any, Any],
    route_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    mailboxes: Given[Mailboxes],
    routes: Given[Routes],
    directory_changes: Given[DirectoryChanges],
) -> Template | Redirect:
    form = await request.form()
    route = await routes.find(route_id, grant.tenant_id)
    try:
        wanted = await read_mailboxes(form, mailboxes, grant.tenant_id)
        await directory_changes.change_route(grant, route_id, wanted)
    except REFUSED as error:
        chosen = ticked_ids(form, "mailbox_ids")
        others = str(form.get("others", ""))
        choice = await offer_mailboxes(database, session.tenant_id, chosen, others)
        return admin_pages.show(
            session,
            "routes/show",
            status_code=400,
            wrong=str(error),
            route=route,
            choice=choice,
        )
    return redirect_done(_HERE, "changed")


@get("/{route_id:uuid}/remove")
async def ask_to_remove_route(
    route_id: FromPath[UUID],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    routes: Given[Routes],
) -> Template:
    route = await routes.find(route_id, session.tenant_id)
    return admin_pages.show(session, "routes/remove", route=route)


@post("/{route_id:uuid}/remove")
async def remove_route(
    route_id: FromPath[UUID], grant: Given[Grant], directory_changes: Given[DirectoryChanges]
) -> Redirect:
    await directory_changes.remove_route(grant, route_id)
    return redirect_done(_HERE, "removed")


admin_routes_router = Router(
    _HERE,
    route_handlers=[
        *(show_routes, show_new_route, add_route, show_route),
        *(change_route, ask_to_remove_route, remove_route),
    ],
    opt=allow(Permission.MAILBOXES_WRITE),
)
