"""`pillarbox web` and `pillarbox ingester`: serving HTTP."""

import argparse
import asyncio
import os
from contextlib import suppress
from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer

from app.cli.preparation import prepare, start_logging
from app.settings import Listen
from app.web.shutdown import STREAMS_END

_STOP_SECONDS = 10


def run_web(_: argparse.Namespace) -> None:
    settings = start_logging()
    asyncio.run(prepare(settings))
    _serve(
        "app.main:create_web", settings.http_listen(settings.web_listen), settings.web_concurrency
    )


def run_ingester(_: argparse.Namespace) -> None:
    settings = start_logging()
    asyncio.run(prepare(settings))
    _serve("app.main:create_ingester", settings.http_listen(settings.ingester_listen), workers=1)


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
