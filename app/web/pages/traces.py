"""How a mail came here: the page of a trace."""

from uuid import UUID

from litestar import get
from litestar.params import FromPath
from litestar.response import Template

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.tracing.traces import Traces
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.guards import allow
from app.web.trace_wording import tell_trace


@get("/trace/{trace_id:uuid}", opt=allow(Permission.EVENTS_READ))
async def show_trace(
    trace_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    session_cookies: Given[SessionCookies],
    traces: Given[Traces],
) -> Template:
    trace = await traces.explain(grant, trace_id)
    return Template(
        "traces/show.html",
        context={
            "trace": trace,
            "told": tell_trace(trace),
            "signed_in_as": session.email,
            "csrf_token": session_cookies.csrf_token(session),
        },
    )
