"""Why mail did not arrive: what was refused of the mail for one's own domains."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Request, get
from litestar.params import QueryParameter
from litestar.response import Template

from app.access.permissions import Permission
from app.access.sessions import Session
from app.core.clock import Clock
from app.core.errors import InvalidInput
from app.inbox.refused import list_refused
from app.storage.db.database import Database
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor
from app.web.refusal_wording import explain_refusal

_PERIODS: Mapping[str, tuple[str, timedelta | None]] = {
    "": ("At any time", None),
    "hour": ("In the last hour", timedelta(hours=1)),
    "day": ("In the last 24 hours", timedelta(days=1)),
    "week": ("In the last 7 days", timedelta(days=7)),
}

Words = Annotated[str, QueryParameter(name="q", max_length=500)]
Period = Annotated[str, QueryParameter(name="since", max_length=10)]


@get("/refusals", opt=allow(Permission.MESSAGES_READ))
async def show_refusals(
    request: Request[Any, Any, Any],
    session: Given[Session],
    session_cookies: Given[SessionCookies],
    database: Given[Database],
    clock: Given[Clock],
    q: Words = "",
    since: Period = "",
    cursor: Cursor = None,
) -> Template:
    """The whole page, or only its further rows when htmx asks for them."""
    if since not in _PERIODS:
        raise InvalidInput("There is no such period.")
    _, length = _PERIODS[since]
    found = await list_refused(
        database,
        session.tenant_id,
        words=q.replace("\0", " "),
        since=clock.now() - length if length else None,
        cursor=cursor,
    )
    context = {
        "rows": [
            (row, explain_refusal(row.cause, is_temporary=row.is_temporary)) for row in found.rows
        ],
        "next_cursor": found.next_cursor,
        "filters": urlencode({key: text for key, text in (("q", q), ("since", since)) if text}),
    }
    if cursor is not None and request.headers.get("hx-request") == "true":
        return Template("refusals/_rows.html", context=context)
    return Template(
        "refusals/list.html",
        context={
            **context,
            "signed_in_as": session.email,
            "csrf_token": session_cookies.csrf_token(session),
            "q": q,
            "since": since,
            "periods": {name: words for name, (words, _) in _PERIODS.items()},
        },
    )
