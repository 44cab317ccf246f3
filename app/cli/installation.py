"""Reaching the installation that a command is about."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from app.assembly import Services, assemble
from app.embedded.run_file import read_run_file
from app.settings import Settings, read_settings

T = TypeVar("T")


def find_settings(data: Path) -> Settings:
    """The settings of this environment where they name a database, else those of a running `up`.

    Raises `NotRunning` when neither is there.
    """
    if os.environ.get("DATABASE_URL"):
        return read_settings(os.environ)
    return read_settings(read_run_file(data).environment)


def with_services(data: Path, work: Callable[[Services], Awaitable[T]]) -> T:
    """Runs `work` on the installation's services."""

    async def run() -> T:
        services = assemble(find_settings(data))
        async with services.running():
            return await work(services)

    return asyncio.run(run())
