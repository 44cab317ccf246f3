"""The verbs that start processes."""

import argparse
import asyncio
import os
from contextlib import suppress
from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from app.assembly import assemble
from app.cli.welcome import greet
from app.core.backoff import Backoff
from app.core.errors import Unavailable
from app.core.log import configure_logging, get_logger
from app.directory.bootstrap import ensure_temporary_domain
from app.embedded.children import pillarbox_children
from app.embedded.supervisor import UpOptions, run_up
from app.settings import Listen, Settings, read_settings
from app.storage.db.migrate import migrate
from app.web.shutdown import STREAMS_END
from piccolo_conf import DB

_log = get_logger("start")
_PAUSE = Backoff(first_seconds=0.5, ceiling_seconds=5)
_STOP_SECONDS = 10


def run_everything(options: argparse.Namespace) -> int:
    """`pillarbox up`."""
    return run_up(
        UpOptions(
            data=options.data,
            web=options.web,
            smtp=options.smtp,
            environment=os.environ,
            children=pillarbox_children(options.web, options.smtp),
            migrate=_migrate,
            welcome=greet,
        )
    )


def run_web(_: argparse.Namespace) -> None:
    settings = _start()
    asyncio.run(prepare(settings))
    _serve("app.main:create_web", settings.http_listen, settings.web_concurrency)


def run_ingester(_: argparse.Namespace) -> None:
    settings = _start()
    listen = Listen("0.0.0.0", settings.port) if settings.port else settings.ingester_listen  # noqa: S104
    _serve("app.main:create_ingester", listen, workers=1)


def run_worker(_: argparse.Namespace) -> None:
    from workers.worker import run_worker as run

    settings = _start()
    asyncio.run(prepare(settings))
    run(settings)


def run_smtp(_: argparse.Namespace) -> None:
    from workers.smtp import run_smtp as run

    run(_start())


def run_migrations(_: argparse.Namespace) -> None:
    asyncio.run(prepare(_start()))


async def prepare(settings: Settings) -> None:
    """Waits for the database and brings it to the newest schema, whoever comes first."""
    services = assemble(settings)
    failures = 0
    while True:
        try:
            await _migrate(services.database.url)
            async with services.running():
                await ensure_temporary_domain(
                    services.tenants, services.domains, settings.temporary_domain
                )
            return
        except Unavailable as error:
            failures += 1
            _log.warning("start.database", outcome="waiting", reason=str(error))
            await asyncio.sleep(_PAUSE.delay_seconds(failures))


def _start() -> Settings:
    settings = read_settings(os.environ)
    configure_logging(human=not settings.production)
    return settings


async def _migrate(database_url: str) -> None:
    if names := await migrate(DB, database_url):
        _log.info("start.migrations", names=names, outcome="migrated")


def _serve(target: str, listen: Listen, workers: int) -> None:
    """Serves an ASGI application until SIGINT or SIGTERM."""
    server = _Server(
        target,
        address=listen.host,
        port=listen.port,
        interface=Interfaces.ASGI,
        factory=True,
        workers=workers,
        workers_kill_timeout=_STOP_SECONDS,
        websockets=False,
        log_level=LogLevels.warning,
    )
    server.serve()


class _Server(MPServer):
    def signal_handler_interrupt(self, *arguments: Any, **more: Any) -> None:
        """Ends the event streams first: a worker waits for its connections before it stops."""
        for worker in self.wrks:
            with suppress(ProcessLookupError):
                os.kill(worker.inner.pid, STREAMS_END)
        super().signal_handler_interrupt(*arguments, **more)  # type: ignore[no-untyped-call]
