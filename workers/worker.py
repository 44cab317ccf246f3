"""`pillarbox worker`: all background work in one process."""

import asyncio
import signal

import uvloop

from app.assembly import assemble
from app.core.log import configure_logging, get_logger
from app.settings import Settings
from workers.ingest import run_ingest
from workers.schedule import run_schedule

_log = get_logger("worker")


def run_worker(settings: Settings) -> None:
    """Until SIGINT or SIGTERM. What was under way is rolled back and taken up at the next start."""
    configure_logging(human=not settings.production)
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    services = assemble(settings)
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)  # type: ignore[union-attr]
    try:
        async with services.running(), asyncio.TaskGroup() as tasks:
            tasks.create_task(run_ingest(services), name="ingest")
            tasks.create_task(run_schedule(services), name="schedule")
    except asyncio.CancelledError:
        _log.info("worker.stop", outcome="stopped")
