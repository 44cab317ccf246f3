"""What has to be there before a process works on it: the schema and the first rows."""

import argparse
import asyncio
import os

from app.assembly import assemble
from app.core.backoff import Backoff
from app.core.errors import Unavailable
from app.core.log import configure_logging, get_logger
from app.directory.bootstrap import ensure_temporary_domain
from app.settings import Settings, read_settings
from app.storage.db.migrate import migrate
from piccolo_conf import DB

_log = get_logger("start")
_PAUSE = Backoff(first_seconds=0.5, ceiling_seconds=5)


def run(_: argparse.Namespace) -> None:
    """`pillarbox migrate`."""
    asyncio.run(prepare(start_logging()))


def start_logging() -> Settings:
    """The settings of this process, which from now on logs as they say."""
    settings = read_settings(os.environ)
    configure_logging(human=not settings.production)
    return settings


async def prepare(settings: Settings) -> None:
    """Waits for the database and brings it to the newest schema, whoever comes first."""
    services = assemble(settings)
    failures = 0
    while True:
        try:
            await bring_to_newest_schema(services.database.url)
            async with services.running():
                await ensure_temporary_domain(
                    services.tenants, services.domains, settings.temporary_domain
                )
            return
        except Unavailable as error:
            failures += 1
            _log.warning("start.database", outcome="waiting", reason=str(error))
            await asyncio.sleep(_PAUSE.delay_seconds(failures))


async def bring_to_newest_schema(database_url: str) -> None:
    if names := await migrate(DB, database_url):
        _log.info("start.migrations", names=names, outcome="migrated")
