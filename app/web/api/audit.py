"""The audit trail over the API."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.params import QueryParameter

from app.access.audit import Audit, AuditEntry, AuditFilter
from app.access.grants import ActorKind, Grant
from app.access.permissions import Permission
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor, Limit

Who = Annotated[
    str, QueryParameter(name="who", max_length=320, description="Only by names with this in them.")
]
What = Annotated[
    str,
    QueryParameter(
        name="what", max_length=40, description="Only actions that begin so: `access.key_`."
    ),
]
Since = Annotated[
    datetime | None, QueryParameter(name="since", description="Not before this moment.")
]
Until = Annotated[datetime | None, QueryParameter(name="until", description="Before this moment.")]


class ActorSummary(msgspec.Struct, frozen=True):
    """Who did it: a `user` (by e-mail address), a `key` (by its first 8 characters), an `operator`
    at the command line or the `system`; `address` is the IP address it came from."""

    kind: ActorKind
    id: UUID | None
    name: str
    address: str


class AuditEntrySummary(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done. `number` counts without gaps in your tenant; `hash` is made of this
    entry and the one before it, so that nothing can be taken out unseen."""

    id: UUID
    number: int
    recorded_at: datetime
    action: str
    actor: ActorSummary
    subject_type: str
    subject_id: UUID
    facts: Mapping[str, Any]
    hash: str


class AuditList(msgspec.Struct, frozen=True):
    """Newest first. `next_cursor` asks for the page after this one; null at the end."""

    items: Sequence[AuditEntrySummary]
    next_cursor: str | None


_EXAMPLE = AuditEntrySummary(
    id=UUID("0198c5f3-11aa-7c02-b5d4-7e6f5a4b3c2d"),
    number=42,
    recorded_at=datetime(2026, 11, 22, 9, 45, tzinfo=UTC),
    action="access.key_created",
    actor=ActorSummary(
        "user", UUID("0198c5e0-4b3c-7a2d-9e1f-0a1b2c3d4e5f"), "ada@acme.example", "192.0.2.7"
    ),
    subject_type="api_key",
    subject_id=UUID("0198c5ee-9d20-7f14-a3b8-6e5d4c3b2a19"),
    facts={"name": "Invoice importer", "scopes": ["messages:read"]},
    hash="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
)


@get(
    "/",
    operation_id="list_audit_entries",
    summary="List what was done",
    opt=shown(answer=AuditList([_EXAMPLE], "42")),
)
async def list_all(
    grant: Given[Grant],
    audit: Given[Audit],
    who: Who = "",
    what: What = "",
    since: Since = None,
    until: Until = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AuditList:
    """Who changed what in the tenant, and from where, newest first."""
    wanted = AuditFilter(who=who, what=what, since=_aware(since), until=_aware(until))
    page = await audit.list(grant.tenant_id, wanted, cursor=cursor, limit=limit)
    return AuditList([_summarise(entry) for entry in page.entries], page.next_cursor)


def _aware(moment: datetime | None) -> datetime | None:
    """What names no zone is in UTC."""
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _summarise(entry: AuditEntry) -> AuditEntrySummary:
    actor = entry.actor
    return AuditEntrySummary(
        id=entry.id,
        number=entry.number,
        recorded_at=entry.recorded_at,
        action=entry.action,
        actor=ActorSummary(actor.kind, actor.id, actor.name, actor.address),
        subject_type=entry.subject_type,
        subject_id=entry.subject_id,
        facts=entry.facts,
        hash=entry.hash.hex(),
    )


audit_router = Router(
    "/admin/audit", route_handlers=[list_all], opt=allow(Permission.ADMIN), tags=["admin"]
)
