"""`pillarbox indexer`: the search index, in a process of its own that lets all others go first."""

import asyncio
import os
import signal
from contextlib import suppress
from uuid import UUID

import uvloop

from app.assembly import Services, assemble
from app.consumers.indexer import take_care_while_leading
from app.core.log import configure_logging, get_logger
from app.eventlog.consumer import ConsumerRunner
from app.settings import Settings

_log = get_logger("indexer")
_NICENESS = 10


def run_indexer(settings: Settings, leader: UUID | None = None) -> None:
    """Until SIGINT or SIGTERM. Of several one leads. One that is given the `leader` that its
    predecessor had, which must be gone, need not wait for that one's lease to run out."""
    configure_logging(human=not settings.production)
    os.nice(_NICENESS)
    uvloop.run(_run(settings, leader))


async def _run(settings: Settings, leader: UUID | None) -> None:
    services = assemble(settings)
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    async with services.running():
        work = asyncio.create_task(_work(services, leader or services.ids.new()))
        stopping = asyncio.create_task(told_to_stop.wait())
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    _log.info("indexer.stop", outcome="stopped")


async def _work(services: Services, leader: UUID) -> None:
    indexer = services.indexer()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ConsumerRunner(indexer, services.log, leader).run(), name="indexer")
        tasks.create_task(take_care_while_leading(indexer, leader), name="rebuilds")
