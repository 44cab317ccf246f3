"""Settings of the tenant: its name, its plan, and how its people sign in."""

from typing import Any

from litestar import Request, Router, get, post
from litestar.response import Redirect, Template

from app.access.directory import DirectoryChanges
from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.directory.tenants import Tenants
from app.web.admin.page import REFUSED, AdminPages, Done, describe_done, redirect_done
from app.web.given import Given
from app.web.guards import allow

_HERE = "/admin/settings"
_DONE = {"renamed": "The name is saved."}


@get("/")
async def show_settings(
    session: Given[Session],
    admin_pages: Given[AdminPages],
    tenants: Given[Tenants],
    done: Done = "",
) -> Template:
    tenant = await tenants.find_by_id(session.tenant_id)
    return admin_pages.show(
        session,
        "settings/show",
        tenant=tenant,
        name=tenant.name,
        notice=describe_done(done, _DONE),
    )


@post("/", status_code=303)
async def rename_tenant(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    tenants: Given[Tenants],
    directory_changes: Given[DirectoryChanges],
) -> Template | Redirect:
    name = str((await request.form()).get("name", ""))
    try:
        await directory_changes.rename_tenant(grant, name)
    except REFUSED as error:
        tenant = await tenants.find_by_id(session.tenant_id)
        return admin_pages.show(
            session,
            "settings/show",
            status_code=400,
            tenant=tenant,
            name=name,
            wrong=str(error),
        )
    return redirect_done(_HERE, "renamed")


admin_settings_router = Router(
    _HERE, route_handlers=[show_settings, rename_tenant], opt=allow(Permission.ADMIN)
)
