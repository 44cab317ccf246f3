"""Leaving off when nobody waits for the answer any more."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from litestar import Request

_Answer = TypeVar("_Answer")


async def while_connected(
    request: Request[Any, Any, Any], work: Coroutine[Any, Any, _Answer]
) -> _Answer | None:
    """What `work` comes to; None when the client went away first, and then it is cancelled."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_disconnect(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


async def _disconnect(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
