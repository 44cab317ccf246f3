"""Totals over the API: a tenant's own, and coarse ones of the installation for everybody."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.params import QueryParameter

from app.access.grants import Grant
from app.access.permissions import Permission
from app.core.clock import Clock
from app.eventlog.totals import InstallationTotals, count_events, count_installation
from app.storage.db.database import Database
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow, allow_public

Hours = Annotated[
    int, QueryParameter(name="hours", ge=1, le=24 * 31, description="How far to look back.")
]


class TenantTotals(msgspec.Struct, frozen=True):
    """How many events of each type there were in the tenant since `since`."""

    hours: int
    since: datetime
    events: Mapping[str, int]


@get(
    "/admin/metrics",
    operation_id="get_tenant_totals",
    summary="Count what happened",
    opt={
        **allow(Permission.ADMIN),
        **shown(
            answer=TenantTotals(
                24,
                datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
                {"ingest.received": 1280, "message.rejected": 7},
            )
        ),
    },
    tags=["admin"],
)
async def show_tenant_totals(
    grant: Given[Grant], database: Given[Database], clock: Given[Clock], hours: Hours = 24
) -> TenantTotals:
    """The tenant's events of the last hours by type, as the event log has them."""
    since = clock.now() - timedelta(hours=hours)
    return TenantTotals(hours, since, await count_events(database, grant.tenant_id, since))


@get(
    "/metrics",
    operation_id="get_totals",
    summary="How much is there?",
    opt={**allow_public(), **shown(answer=InstallationTotals(120_000, 340, 12))},
    tags=["probes"],
)
async def show_totals(database: Given[Database]) -> InstallationTotals:
    """Coarse totals of the whole installation, rounded to two figures. What Prometheus reads is
    elsewhere, and not public."""
    return await count_installation(database)


tenant_metrics_router = Router("/", route_handlers=[show_tenant_totals])
public_metrics_router = Router("/", route_handlers=[show_totals])
