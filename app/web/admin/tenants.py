"""Tenants, for those who run the installation."""

from typing import Any
from uuid import UUID

from litestar import Request, Router, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.directory import DirectoryChanges
from app.access.grants import Grant
from app.access.sessions import Session
from app.access.tenant_visits import TenantVisits
from app.directory.tenants import Tenants
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
from app.web.guards import allow_operator
from app.web.parameters import Cursor

_HERE = "/admin/tenants"
_DONE = {"added": "The organisation is there. Open it to invite its first people."}


@get("/")
async def show_tenants(
    request: Request[Any, Any, Any],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    tenants: Given[Tenants],
    q: Words = "",
    cursor: Cursor = None,
    done: Done = "",
) -> Template:
    page = await tenants.list(words=q, cursor=cursor)
    context: dict[str, Any] = {
        "rows": page.rows,
        "next_cursor": page.next_cursor,
        "q": q,
        "current_id": session.tenant_id,
    }
    if wants_rows_only(request, cursor):
        return Template("admin/tenants/_rows.html", context=context)
    notice = describe_done(done, _DONE)
    return admin_pages.show(session, "tenants/list", **context, notice=notice)


@get("/new")
async def show_new_tenant(session: Given[Session], admin_pages: Given[AdminPages]) -> Template:
    return admin_pages.show(session, "tenants/new", name="", plan="developer")


@post("/", status_code=303)
async def add_tenant(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    directory_changes: Given[DirectoryChanges],
) -> Template | Redirect:
    form = await request.form()
    name, plan = str(form.get("name", "")), str(form.get("plan", ""))
    try:
        await directory_changes.add_tenant(grant, name, plan)
    except REFUSED as error:
        return admin_pages.show(
            session, "tenants/new", status_code=400, name=name, plan=plan, wrong=str(error)
        )
    return redirect_done(_HERE, "added")


@get("/{tenant_id:uuid}/open")
async def ask_to_open_tenant(
    tenant_id: FromPath[UUID],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    tenants: Given[Tenants],
    tenant_visits: Given[TenantVisits],
) -> Template:
    tenant = await tenants.find_by_id(tenant_id)
    is_member = await tenant_visits.is_member(session, tenant_id)
    return admin_pages.show(session, "tenants/open", tenant=tenant, is_member=is_member)


@post("/{tenant_id:uuid}/open")
async def open_tenant(
    tenant_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    tenant_visits: Given[TenantVisits],
) -> Redirect:
    await tenant_visits.begin(grant, session, tenant_id)
    return Redirect("/admin", status_code=303)


admin_tenants_router = Router(
    _HERE,
    route_handlers=[
        *(show_tenants, show_new_tenant, add_tenant),
        *(ask_to_open_tenant, open_tenant),
    ],
    opt=allow_operator(),
)
