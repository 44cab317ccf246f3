"""Asking for a one-time link by mail, signing in by it, and out again."""

from typing import Any

from limits import RateLimitItemPerHour
from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.rate_limits import RateLimits
from app.access.sessions import EndReason, Session, Sessions
from app.access.sign_in import SignIn
from app.access.sign_in_requests import MAILED_LINK_TTL, SignInRequests
from app.core.errors import InvalidInput, NotFound
from app.settings import Settings
from app.web.client import client_network
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.guards import allow_public, allow_session, allow_token
from app.web.next_page import FIRST_PAGE, choose_next
from app.web.pages.outbox import shows_outbox

_REFUSED = "sign_in/refused.html"


@get("/sign-in", opt=allow_public())
async def show_sign_in_form(
    request: Request[Any, Any, Any],
    settings: Given[Settings],
    session_cookies: Given[SessionCookies],
) -> Redirect | Template:
    next_path = choose_next(request.query_params.get("next", ""))
    if await session_cookies.find_session(request):
        return Redirect(next_path or FIRST_PAGE, status_code=303)
    return _form(request, settings, "new", next_path)


@post("/sign-in", status_code=200, opt=allow_public())
async def ask_for_link(
    request: Request[Any, Any, Any],
    settings: Given[Settings],
    rate_limits: Given[RateLimits],
    sign_in_requests: Given[SignInRequests],
) -> Template:
    """The same answer, by the same work, whoever the address belongs to."""
    await rate_limits.count(
        RateLimitItemPerHour(settings.sign_in_requests_per_hour),
        "sign-in",
        client_network(request, settings.trusted_proxies),
    )
    form = await request.form()
    next_path = choose_next(str(form.get("next", "")))
    if settings.auth_mail is None:
        return _form(request, settings, "new", next_path)
    try:
        await sign_in_requests.add(str(form.get("email", "")).strip(), next_path)
    except InvalidInput:
        return _form(request, settings, "no_address", next_path)
    return _form(request, settings, "asked", next_path)


@get("/sign-in/{token:str}", opt=allow_token())
async def show_sign_in(token: FromPath[str], sign_in: Given[SignIn]) -> Template:
    """Asks for a press of a button: programs that follow links must not use the link up."""
    try:
        await sign_in.check_link(token)
    except NotFound:
        return Template(_REFUSED, status_code=404)
    return Template("sign_in/confirm.html", context={"token": token})


@post("/sign-in/{token:str}", opt=allow_token())
async def use_sign_in(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    sign_in: Given[SignIn],
    sessions: Given[Sessions],
    session_cookies: Given[SessionCookies],
) -> Redirect | Template:
    try:
        signed_in = await sign_in.consume_link(token, request.headers.get("user-agent", ""))
    except NotFound:
        return Template(_REFUSED, status_code=404)
    if earlier := await session_cookies.find_session(request):
        await sessions.end(earlier.user_id, earlier.id, EndReason.SIGNED_IN_ANEW)
    return Redirect(
        choose_next(signed_in.next_path) or FIRST_PAGE,
        status_code=303,
        cookies=[session_cookies.make(signed_in.session_token)],
    )


@post("/sign-out", status_code=200, opt=allow_session())
async def sign_out(
    session: Given[Session],
    sessions: Given[Sessions],
    session_cookies: Given[SessionCookies],
) -> Template:
    await sessions.sign_out(session)
    return Template("sign_in/signed_out.html", cookies=[session_cookies.forget()])


def _form(
    request: Request[Any, Any, Any], settings: Settings, state: str, next_path: str
) -> Template:
    """`state`: new, no_address or asked."""
    return Template(
        "sign_in/ask.html",
        context={
            "state": state,
            "next_path": next_path,
            "is_set_up": settings.auth_mail is not None,
            "shows_outbox": shows_outbox(request, settings),
            "minutes": int(MAILED_LINK_TTL.total_seconds()) // 60,
        },
    )
