"""Probes: whether this process lives, and whether it can do its work."""

from collections.abc import Sequence

import msgspec
from litestar import Response, Router, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from app.core.errors import PillarboxError
from app.storage.blobs.port import BlobStore
from app.storage.db.database import Database
from app.storage.db.migrate import has_newest_schema
from app.storage.doorbell import Doorbell
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow_public


class Health(msgspec.Struct, frozen=True):
    """That the process answers."""

    status: str


class Readiness(msgspec.Struct, frozen=True):
    """`missing` names the parts that are away: database, migrations, redis, blobs."""

    status: str
    missing: Sequence[str]


@get(
    "/health",
    operation_id="get_health",
    summary="Is it alive?",
    opt={**allow_public(), **shown(answer=Health("ok"))},
)
async def show_health() -> Health:
    """Answers as long as the process does. Restart it when this fails."""
    return Health("ok")


@get(
    "/ready",
    operation_id="get_readiness",
    summary="Can it work?",
    opt={**allow_public(), **shown(answer=Readiness("ready", []))},
    responses={
        503: ResponseSpec(
            Readiness,
            description="Something that it needs is away; `missing` says what.",
            examples=[Example(value={"status": "not ready", "missing": ["redis"]})],
        )
    },
)
async def show_readiness(
    database: Given[Database], doorbell: Given[Doorbell], blobs: Given[BlobStore]
) -> Response[Readiness]:
    """Whether the database (with the newest schema), Redis and the object store can be used. Send
    requests elsewhere while it is 503."""
    missing = []
    try:
        if not await has_newest_schema(database):
            missing.append("migrations")
    except PillarboxError:
        missing.append("database")
    if not await doorbell.check():
        missing.append("redis")
    try:
        await blobs.check()
    except PillarboxError:
        missing.append("blobs")
    status = "not ready" if missing else "ready"
    return Response(Readiness(status, missing), status_code=503 if missing else 200)


health_router = Router("/", route_handlers=[show_health, show_readiness], tags=["probes"])
