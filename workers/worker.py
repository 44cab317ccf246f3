"""`pillarbox worker`: all background work in one process."""

import asyncio
import signal
from contextlib import suppress

import uvloop

from app.assembly import Services, assemble
from app.core.log import configure_logging, get_logger
from app.settings import Settings
from workers.auth_mail import run_auth_mail
from workers.ingest import run_ingest
from workers.schedule import run_schedule

_log = get_logger("worker")


def run_worker(settings: Settings) -> None:
    """Until SIGINT or SIGTERM. What was under way is rolled back and taken up at the next start."""
    configure_logging(human=not settings.production)
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    services = assemble(settings)
    told_to_stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    async with services.running():
        work = asyncio.create_task(_work(services))
        stopping = asyncio.create_task(told_to_stop.wait())
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    _log.info("worker.stop", outcome="stopped")


async def _work(services: Services) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_ingest(services), name="ingest")
        tasks.create_task(run_auth_mail(services), name="auth mail")
        tasks.create_task(run_schedule(services), name="schedule")
