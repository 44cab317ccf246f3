"""The people of the tenant: inviting them, their roles, and removing them."""

from typing import Any
from uuid import UUID

from litestar import Request, Router, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.access.users import Users
from app.core.errors import NotAllowed
from app.settings import Settings
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
from app.web.role_wording import ROLE_WORDS

_HERE = "/admin/users"
_DONE = {"changed": "The role is saved.", "removed": "They may sign in here no more."}


@get("/")
async def show_users(
    request: Request[Any, Any, Any],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    users: Given[Users],
    q: Words = "",
    cursor: Cursor = None,
    done: Done = "",
) -> Template:
    page = await users.list(session.tenant_id, q, cursor=cursor)
    context: dict[str, Any] = {
        "rows": page.rows,
        "next_cursor": page.next_cursor,
        "q": q,
        "roles": ROLE_WORDS,
        "own_id": session.user_id,
    }
    if wants_rows_only(request, cursor):
        return Template("admin/users/_rows.html", context=context)
    notice = describe_done(done, _DONE)
    return admin_pages.show(session, "users/list", **context, notice=notice)


@get("/new")
async def show_new_user(session: Given[Session], admin_pages: Given[AdminPages]) -> Template:
    return admin_pages.show(session, "users/new", email="", role="agent", roles=ROLE_WORDS)


@post("/", status_code=200)
async def invite_user(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    settings: Given[Settings],
    admin_pages: Given[AdminPages],
    users: Given[Users],
) -> Template:
    """They are told by mail where to sign in: nobody else is given a link of theirs."""
    form = await request.form()
    email, role = str(form.get("email", "")).strip(), str(form.get("role", ""))
    try:
        user = await users.invite(grant, email, role)
    except (*REFUSED, NotAllowed) as error:
        return admin_pages.show(
            session,
            "users/new",
            status_code=400,
            email=email,
            role=role,
            roles=ROLE_WORDS,
            wrong=str(error),
        )
    address = f"{settings.public_url}/sign-in"
    return admin_pages.show(session, "users/invited", email=user.email, address=address)


@get("/{user_id:uuid}")
async def show_user(
    user_id: FromPath[UUID],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    users: Given[Users],
) -> Template:
    user = await users.find(session.tenant_id, user_id)
    return admin_pages.show(
        session,
        "users/show",
        user=user,
        role=user.role,
        roles=ROLE_WORDS,
        is_self=user_id == session.user_id,
    )


@post("/{user_id:uuid}", status_code=303)
async def change_role(
    request: Request[Any, Any, Any],
    user_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    users: Given[Users],
) -> Template | Redirect:
    user = await users.find(session.tenant_id, user_id)
    role = str((await request.form()).get("role", ""))
    try:
        await users.change_role(grant, user_id, role)
    except (*REFUSED, NotAllowed) as error:
        return admin_pages.show(
            session,
            "users/show",
            status_code=400,
            user=user,
            role=role,
            roles=ROLE_WORDS,
            is_self=user_id == session.user_id,
            wrong=str(error),
        )
    return redirect_done(_HERE, "changed")


@get("/{user_id:uuid}/remove")
async def ask_to_remove_user(
    user_id: FromPath[UUID],
    session: Given[Session],
    admin_pages: Given[AdminPages],
    users: Given[Users],
) -> Template:
    user = await users.find(session.tenant_id, user_id)
    return admin_pages.show(session, "users/remove", user=user)


@post("/{user_id:uuid}/remove", status_code=303)
async def remove_user(
    user_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    users: Given[Users],
) -> Template | Redirect:
    user = await users.find(session.tenant_id, user_id)
    try:
        await users.remove(grant, user_id)
    except (*REFUSED, NotAllowed) as error:
        return admin_pages.show(
            session, "users/remove", status_code=400, user=user, wrong=str(error)
        )
    return redirect_done(_HERE, "removed")


admin_users_router = Router(
    _HERE,
    route_handlers=[
        *(show_users, show_new_user, invite_user, show_user),
        *(change_role, ask_to_remove_user, remove_user),
    ],
    opt=allow(Permission.ADMIN),
)
