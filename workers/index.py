"""`pillarbox indexer`: the search index, in a process of its own that lets all others go first."""

import asyncio
import os
from uuid import UUID

import uvloop

from app.assembly import Services, assemble
from app.consumers.indexer import take_care_while_leading
from app.core.log import configure_logging, get_logger
from app.eventlog.consumer import ConsumerRunner
from app.settings import Settings
from workers.lifetime import work_until_told

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
    leader = leader or services.ids.new()
    await work_until_told(services, lambda services: _work(services, leader))
    _log.info("indexer.stop", outcome="stopped")


async def _work(services: Services, leader: UUID) -> None:
    indexer = services.indexer()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ConsumerRunner(indexer, services.log, leader).run(), name="indexer")
        tasks.create_task(take_care_while_leading(indexer, leader), name="rebuilds")
