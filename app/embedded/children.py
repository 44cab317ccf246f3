"""The processes that `pillarbox up` runs beside the engines, and how each shows it is ready."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from app.settings import Listen

Readiness = Callable[[], Awaitable[bool]]
_ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """`is_ready` is asked again until it says yes; without it, running is being ready."""

    name: str
    argv: tuple[str, ...]
    is_ready: Readiness | None = None
    stop_seconds: float = 10.0
    """What it gets from SIGTERM to SIGKILL."""


def pillarbox_children(web: Listen, smtp: Listen) -> Sequence[ChildProcess]:
    """In the order of starting: the doors open last, and are closed first."""
    command = (sys.executable, "-m", "app.cli")
    return (
        ChildProcess("worker", (*command, "worker")),
        ChildProcess("web", (*command, "web"), answers_http(web, "/api/v1/ready")),
        ChildProcess("smtp", (*command, "smtp"), accepts_tcp(smtp)),
    )


def accepts_tcp(listen: Listen) -> Readiness:
    async def is_ready() -> bool:
        _, writer = await asyncio.open_connection(listen.host, listen.port)
        writer.close()
        return True

    return _within_time(is_ready)


def answers_http(listen: Listen, path: str) -> Readiness:
    """Ready when `path` is answered with a status of 200 to 299."""

    async def is_ready() -> bool:
        reader, writer = await asyncio.open_connection(listen.host, listen.port)
        try:
            request = f"GET {path} HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\n\r\n"
            writer.write(request.encode())
            status_line = await reader.readline()
        finally:
            writer.close()
        return status_line.startswith(b"HTTP/1.1 2")

    return _within_time(is_ready)


def _within_time(ask: Readiness) -> Readiness:
    async def is_ready() -> bool:
        try:
            return await asyncio.wait_for(ask(), _ANSWER_SECONDS)
        except (OSError, TimeoutError):
            return False

    return is_ready
