"""Asking for a one-time link by mail, signing in by it, and out again."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from limits import RateLimitItemPerHour
from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.browser import Browser
from app.access.oidc import ProviderRefused
from app.access.rate_limits import RateLimits
from app.access.sessions import Session, Sessions
from app.access.sign_in import CODE_DIGITS, OpenedElsewhere, SignIn, WrongCode
from app.access.sign_in_requests import MAILED_LINK_TTL, SignInRequests
from app.access.single_sign_on import SingleSignOn
from app.access.sso_connections import SsoConnections
from app.core.egress.errors import TargetRefused
from app.core.errors import InvalidInput, NotFound, Unavailable
from app.settings import Settings
from app.web.browsers import BrowserCookies
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.guards import allow_public, allow_session, allow_token
from app.web.next_page import FIRST_PAGE, choose_next
from app.web.pages.entering import enter
from app.web.pages.outbox import shows_outbox
from app.web.pages.single_sign_on import ProviderOffer

_REFUSED = "sign_in/refused.html"
_ELSEWHERE = "sign_in/elsewhere.html"
_MAX_EMAIL_CHARS = 1000


@get("/sign-in", opt=allow_public())
async def show_sign_in_form(
    request: Request[Any, Any, Any],
    settings: Given[Settings],
    sso_connections: Given[SsoConnections],
    session_cookies: Given[SessionCookies],
) -> Redirect | Template:
    next_path = choose_next(request.query_params.get("next", ""))
    if await session_cookies.find_session(request):
        return Redirect(next_path or FIRST_PAGE, status_code=303)
    is_set_up = settings.auth_mail is not None or await sso_connections.exists_any()
    return _form("new", next_path, is_set_up=is_set_up)


@post("/sign-in", status_code=200, opt=allow_public())
async def ask_for_link(
    request: Request[Any, Any, Any],
    settings: Given[Settings],
    rate_limits: Given[RateLimits],
    sign_in_requests: Given[SignInRequests],
    browser_cookies: Given[BrowserCookies],
    sso_connections: Given[SsoConnections],
    provider_offer: Given[ProviderOffer],
) -> Template:
    """The same answer, by the same work, whoever the address belongs to: what leads to a provider
    is its domain. `way` of the form is `mail` for who would rather have a link."""
    browser = browser_cookies.renew(browser_cookies.read(request))
    await _count(rate_limits, settings, "sign-in", browser)
    form = await request.form()
    next_path = choose_next(str(form.get("next", "")))
    email = str(form.get("email", "")).strip()[:_MAX_EMAIL_CHARS]
    if form.get("way") != "mail" and (connection := await sso_connections.find_for(email)):
        return await provider_offer.show(connection, email, next_path)
    if settings.auth_mail is None:
        return _form("new", next_path, is_set_up=False)
    try:
        await sign_in_requests.add(email, next_path, browser)
    except InvalidInput:
        return _form("no_address", next_path)
    page = _code_form(request, settings, "asked")
    page.set_cookie(browser_cookies.make(browser))
    return page


@get("/sign-in/code", opt=allow_public())
async def show_code_form(
    request: Request[Any, Any, Any],
    settings: Given[Settings],
    browser_cookies: Given[BrowserCookies],
) -> Redirect | Template:
    """For whoever left the page on which they asked."""
    if not browser_cookies.read(request).secrets:
        return Redirect("/sign-in", status_code=303)
    return _code_form(request, settings, "asked")


@post("/sign-in/code", status_code=200, opt=allow_public())
async def use_code(
    request: Request[Any, Any, Any],
    settings: Given[Settings],
    rate_limits: Given[RateLimits],
    sign_in: Given[SignIn],
    sessions: Given[Sessions],
    session_cookies: Given[SessionCookies],
    browser_cookies: Given[BrowserCookies],
) -> Redirect | Template:
    """The same answers, by the same work, whether or not there ever was a mail."""
    browser = browser_cookies.read(request)
    await _count(rate_limits, settings, "sign-in-code", browser)
    code = str((await request.form()).get("code", ""))
    try:
        signed_in = await sign_in.consume_code(code, browser)
    except WrongCode as error:
        return _code_form(request, settings, "wrong", error.tries_left)
    except NotFound:
        return _code_form(request, settings, "over")
    return await enter(request, signed_in, sessions, session_cookies, browser_cookies)


@get("/sign-in/{token:str}", opt=allow_token())
async def show_sign_in(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    sign_in: Given[SignIn],
    browser_cookies: Given[BrowserCookies],
) -> Template:
    """Asks for a press of a button: programs that follow links must not use the link up."""
    try:
        await sign_in.check_link(token, browser_cookies.read(request))
    except NotFound:
        return Template(_REFUSED, status_code=404)
    except OpenedElsewhere:
        return Template(_ELSEWHERE)
    return Template("sign_in/confirm.html", context={"token": token})


@post("/sign-in/{token:str}", opt=allow_token())
async def use_sign_in(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    sign_in: Given[SignIn],
    sessions: Given[Sessions],
    session_cookies: Given[SessionCookies],
    browser_cookies: Given[BrowserCookies],
) -> Redirect | Template:
    try:
        signed_in = await sign_in.consume_link(token, browser_cookies.read(request))
    except NotFound:
        return Template(_REFUSED, status_code=404)
    except OpenedElsewhere:
        return Template(_ELSEWHERE, status_code=403)
    return await enter(request, signed_in, sessions, session_cookies, browser_cookies)


@post("/sign-out", status_code=200, opt=allow_session())
async def sign_out(
    session: Given[Session],
    sessions: Given[Sessions],
    session_cookies: Given[SessionCookies],
    single_sign_on: Given[SingleSignOn],
) -> Template:
    await sessions.sign_out(session)
    logout_url = ""
    if session.sso_tenant_id:
        with suppress(ProviderRefused, TargetRefused, Unavailable):
            logout_url = await single_sign_on.logout_url(session.sso_tenant_id)
    return Template(
        "sign_in/signed_out.html",
        context={"logout_url": logout_url, "logout_host": urlsplit(logout_url).netloc},
        cookies=[session_cookies.forget()],
    )


async def _count(rate_limits: RateLimits, settings: Settings, what: str, browser: Browser) -> None:
    limit = RateLimitItemPerHour(settings.sign_in_requests_per_hour)
    await rate_limits.count(limit, what, browser.network)


def _form(state: str, next_path: str, *, is_set_up: bool = True) -> Template:
    """`state`: new or no_address."""
    return Template(
        "sign_in/ask.html",
        context={"state": state, "next_path": next_path, "is_set_up": is_set_up},
    )


def _code_form(
    request: Request[Any, Any, Any], settings: Settings, state: str, tries_left: int = 0
) -> Template:
    """`state`: asked, wrong or over."""
    return Template(
        "sign_in/code.html",
        context={
            "state": state,
            "tries_left": tries_left,
            "digits": CODE_DIGITS,
            "shows_outbox": shows_outbox(request, settings),
            "minutes": int(MAILED_LINK_TTL.total_seconds()) // 60,
        },
    )
