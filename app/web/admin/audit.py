"""The audit trail: who did what from where, to read, to filter and to take along."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Router, get
from litestar.params import QueryParameter
from litestar.response import Stream, Template

from app.access.audit import Audit, AuditFilter
from app.access.audit_export import export_csv, export_json_lines
from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.core.clock import Clock
from app.core.errors import InvalidInput
from app.web.admin.audit_wording import ACTION_GROUPS, describe_action, describe_facts
from app.web.admin.page import AdminPages, Words, wants_rows_only
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor

_HERE = "/admin/audit"
_PERIODS: Mapping[str, tuple[str, timedelta | None]] = {
    "": ("At any time", None),
    "day": ("In the last 24 hours", timedelta(days=1)),
    "week": ("In the last 7 days", timedelta(days=7)),
    "month": ("In the last 30 days", timedelta(days=30)),
}

What = Annotated[str, QueryParameter(name="what", max_length=40)]
Period = Annotated[str, QueryParameter(name="since", max_length=10)]
Scope = Annotated[str, QueryParameter(name="of", max_length=20)]
Check = Annotated[bool, QueryParameter(name="check")]


@get("/")
async def show_audit(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    audit: Given[Audit],
    clock: Given[Clock],
    q: Words = "",
    what: What = "",
    since: Period = "",
    of: Scope = "",
    cursor: Cursor = None,
    check: Check = False,
) -> Template:
    """`check` goes through the whole chain as well, which takes a while for a long one."""
    chain = _choose_chain(grant, of)
    page = await audit.list(chain, _read_filter(clock, q, what, since), cursor=cursor)
    chosen: dict[str, Any] = {"q": q, "what": what, "since": since, "of": of}
    context: dict[str, Any] = {
        "rows": [
            (entry, describe_action(entry.action), describe_facts(entry.facts))
            for entry in page.entries
        ],
        "next_cursor": page.next_cursor,
        "filters": urlencode({name: text for name, text in chosen.items() if text}),
    }
    if wants_rows_only(request, cursor):
        return Template("admin/audit/_rows.html", context=context)
    return admin_pages.show(
        session,
        "audit/list",
        **context,
        **chosen,
        groups=ACTION_GROUPS,
        periods={name: words for name, (words, _) in _PERIODS.items()},
        verified=await audit.verify(chain) if check else None,
    )


@get("/export.csv")
async def export_audit_csv(
    grant: Given[Grant],
    audit: Given[Audit],
    clock: Given[Clock],
    q: Words = "",
    what: What = "",
    since: Period = "",
    of: Scope = "",
) -> Stream:
    """All that the filter lets through, newest first."""
    entries = audit.walk(_choose_chain(grant, of), _read_filter(clock, q, what, since))
    return _send(export_csv(entries), "text/csv; charset=utf-8; header=present", clock, "csv")


@get("/export.jsonl")
async def export_audit_json_lines(
    grant: Given[Grant],
    audit: Given[Audit],
    clock: Given[Clock],
    q: Words = "",
    what: What = "",
    since: Period = "",
    of: Scope = "",
) -> Stream:
    """All that the filter lets through, newest first, one JSON object a line."""
    entries = audit.walk(_choose_chain(grant, of), _read_filter(clock, q, what, since))
    return _send(export_json_lines(entries), "application/jsonl", clock, "jsonl")


def _choose_chain(grant: Grant, of: str) -> UUID | None:
    """The tenant's own, or for operators that of the installation."""
    return None if of == "installation" and grant.is_operator else grant.tenant_id


def _read_filter(clock: Clock, who: str, what: str, since: str) -> AuditFilter:
    """Raises `InvalidInput`."""
    if since not in _PERIODS or what not in ACTION_GROUPS:
        raise InvalidInput("There is no such filter.")
    _, length = _PERIODS[since]
    return AuditFilter(who=who, what=what, since=clock.now() - length if length else None)


def _send(content: Any, media_type: str, clock: Clock, ending: str) -> Stream:
    name = f"audit-{clock.now():%Y-%m-%d}.{ending}"
    return Stream(
        content,
        media_type=media_type,
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


admin_audit_router = Router(
    _HERE,
    route_handlers=[show_audit, export_audit_csv, export_audit_json_lines],
    opt=allow(Permission.ADMIN),
)
