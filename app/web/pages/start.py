"""The first page, and a new temporary inbox from it."""

from typing import Any

from limits import RateLimitItemPerHour
from litestar import Request, get, post
from litestar.response import Redirect, Template

from app.access.rate_limits import RateLimits
from app.inbox.temporary import TemporaryInboxes
from app.settings import Settings
from app.web.client import client_network
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.guards import allow_public


@get("/", opt=allow_public())
async def show_start(
    request: Request[Any, Any, Any],
    settings: Given[Settings],
    session_cookies: Given[SessionCookies],
) -> Template:
    context: dict[str, object] = {"ttl_seconds": settings.temporary_ttl_seconds}
    if session := await session_cookies.find_session(request):
        context |= {
            "signed_in_as": session.email,
            "csrf_token": session_cookies.csrf_token(session),
        }
    return Template("start/index.html", context=context)


@post("/t", opt=allow_public())
async def create_inbox(
    request: Request[Any, Any, Any],
    inboxes: Given[TemporaryInboxes],
    rate_limits: Given[RateLimits],
    settings: Given[Settings],
) -> Redirect:
    """A new inbox, open at once. An address may make only so many an hour."""
    await rate_limits.count(
        RateLimitItemPerHour(settings.temporary_inboxes_per_hour),
        "new-inbox",
        client_network(request, settings.trusted_proxies),
    )
    inbox = await inboxes.create()
    return Redirect(f"/t/{inbox.token}", status_code=303)
