"""How long a background process works: until it is told to stop."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

from app.assembly import Services
from app.core.collector import collect_seldom


async def work_until_told(services: Services, work: Callable[[Services], Awaitable[None]]) -> None:
    """Runs `work` with the services' connections open, until SIGINT or SIGTERM cancels it or it
    ends by itself."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    async with services.running():
        collect_seldom()
        working = asyncio.ensure_future(work(services))
        stopping = asyncio.create_task(told_to_stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
