"""A person's own settings: their organisations, and where they are signed in."""

from typing import Any
from uuid import UUID

from litestar import Request, Router, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.sessions import EndReason, Session, Sessions
from app.core.errors import InvalidInput
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.guards import allow_session
from app.web.next_page import FIRST_PAGE
from app.web.role_wording import ROLE_WORDS
from app.web.user_agents import describe_user_agent

_SESSIONS = "/settings/sessions"


@get("/")
async def show_account(
    session: Given[Session], sessions: Given[Sessions], session_cookies: Given[SessionCookies]
) -> Template:
    return Template(
        "settings/show.html",
        context={
            "signed_in_as": session.email,
            "csrf_token": session_cookies.csrf_token(session),
            "tenants": await sessions.list_tenants(session),
            "roles": ROLE_WORDS,
        },
    )


@get("/sessions")
async def show_sessions(
    session: Given[Session], sessions: Given[Sessions], session_cookies: Given[SessionCookies]
) -> Template:
    found = await sessions.list_of_user(session)
    return Template(
        "settings/sessions.html",
        context={
            "signed_in_as": session.email,
            "csrf_token": session_cookies.csrf_token(session),
            "sessions": [(view, describe_user_agent(view.user_agent)) for view in found],
        },
    )


@post("/sessions/{session_id:uuid}/end")
async def end_session(
    session_id: FromPath[UUID],
    session: Given[Session],
    sessions: Given[Sessions],
) -> Redirect:
    await sessions.end(session.user_id, session_id, EndReason.BY_USER)
    return Redirect(_SESSIONS, status_code=303)


@post("/sessions/end-others")
async def end_other_sessions(session: Given[Session], sessions: Given[Sessions]) -> Redirect:
    await sessions.end_others(session)
    return Redirect(_SESSIONS, status_code=303)


@post("/tenant")
async def switch_tenant(
    request: Request[Any, Any, Any], session: Given[Session], sessions: Given[Sessions]
) -> Redirect:
    """`tenant_id` of the form says where to go on."""
    try:
        tenant_id = UUID(str((await request.form()).get("tenant_id", "")))
    except ValueError as error:
        raise InvalidInput("Choose an organisation.") from error
    await sessions.switch_tenant(session, tenant_id)
    return Redirect(FIRST_PAGE, status_code=303)


settings_router = Router(
    "/settings",
    route_handlers=[show_account, show_sessions, end_session, end_other_sessions, switch_tenant],
    opt=allow_session(),
)
