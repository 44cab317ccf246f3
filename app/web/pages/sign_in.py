"""Signing in by a one-time link, and out again."""

from typing import Any

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.sign_in import SignIn
from app.core.errors import NotFound
from app.web.cookies import SessionCookies
from app.web.given import Given

_REFUSED = "sign_in/refused.html"


@get("/sign-in/{token:str}")
async def show_sign_in(token: FromPath[str], sign_in: Given[SignIn]) -> Template:
    """Asks for a press of a button: programs that follow links must not use the link up."""
    try:
        await sign_in.check_link(token)
    except NotFound:
        return Template(_REFUSED, status_code=404)
    return Template("sign_in/confirm.html", context={"token": token})


@post("/sign-in/{token:str}")
async def use_sign_in(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    sign_in: Given[SignIn],
    session_cookies: Given[SessionCookies],
) -> Redirect | Template:
    try:
        session_token = await sign_in.consume_link(token, request.headers.get("user-agent", ""))
    except NotFound:
        return Template(_REFUSED, status_code=404)
    return Redirect("/inbox", status_code=303, cookies=[session_cookies.make(session_token)])


@post("/sign-out", status_code=200)
async def sign_out(
    request: Request[Any, Any, Any], sign_in: Given[SignIn], session_cookies: Given[SessionCookies]
) -> Template:
    session = await session_cookies.session(request)
    await session_cookies.check_form(request, session)
    await sign_in.sign_out(session)
    response = Template("sign_in/signed_out.html")
    response.delete_cookie(session_cookies.name)
    return response
