"""Probes: whether this process lives, and whether it can do its work."""

from collections.abc import Sequence

import msgspec
from litestar import Response, Router, get

from app.core.errors import PillarboxError
from app.storage.blobs.port import BlobStore
from app.storage.db.database import Database
from app.storage.db.migrate import has_newest_schema
from app.storage.doorbell import Doorbell
from app.web.given import Given
from app.web.guards import allow_public


class Health(msgspec.Struct, frozen=True):
    status: str


class Readiness(msgspec.Struct, frozen=True):
    """`missing` names the parts that are away: database, migrations, redis, blobs."""

    status: str
    missing: Sequence[str]


@get("/health", opt=allow_public())
async def show_health() -> Health:
    """The process answers."""
    return Health("ok")


@get("/ready", opt=allow_public())
async def show_readiness(
    database: Given[Database], doorbell: Given[Doorbell], blobs: Given[BlobStore]
) -> Response[Readiness]:
    """Whether the database (with the newest schema), Redis and the object store can be used."""
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
