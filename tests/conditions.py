"""Waiting for what becomes true, without guessing how long it takes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

SCRIPTS_RAN = "#theme[aria-label]"
"""Selects what a page has only after its scripts, which come when all else is painted."""


async def eventually(condition: Callable[[], Awaitable[Any]], timeout_seconds: float = 30) -> Any:
    """The first true value of `condition`, which is asked again until it gives one."""
    async with asyncio.timeout(timeout_seconds):
        while True:
            if value := await condition():
                return value
            await asyncio.sleep(0.01)
