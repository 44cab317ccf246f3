"""The first page of an administrator: what there is, and what people come for most."""

from litestar import get
from litestar.response import Template

from app.access.permissions import Permission
from app.access.sessions import Session
from app.directory.overview import count_everything
from app.directory.tenants import Tenants
from app.storage.db.database import Database
from app.web.admin.page import AdminPages
from app.web.given import Given
from app.web.guards import allow


@get("/admin", opt=allow(Permission.ADMIN))
async def show_overview(
    session: Given[Session],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    tenants: Given[Tenants],
) -> Template:
    return admin_pages.show(
        session,
        "overview/show",
        tenant=await tenants.find_by_id(session.tenant_id),
        counts=await count_everything(database, session.tenant_id),
    )
