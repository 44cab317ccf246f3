"""Into the session that was opened, whichever way it was."""

from typing import Any

from litestar import Request
from litestar.response import Redirect

from app.access.sessions import EndReason, Sessions
from app.access.sign_in import SignedIn
from app.web.browsers import BrowserCookies
from app.web.cookies import SessionCookies
from app.web.next_page import FIRST_PAGE, choose_next


async def enter(
    request: Request[Any, Any, Any],
    signed_in: SignedIn,
    sessions: Sessions,
    session_cookies: SessionCookies,
    browser_cookies: BrowserCookies,
) -> Redirect:
    """Out of the session that this browser had, and on to where the person wanted to be."""
    if earlier := await session_cookies.find_session(request):
        await sessions.end(earlier.user_id, earlier.id, EndReason.SIGNED_IN_ANEW)
    return Redirect(
        choose_next(signed_in.next_path) or FIRST_PAGE,
        status_code=303,
        cookies=[session_cookies.make(signed_in.session_token), browser_cookies.forget()],
    )
