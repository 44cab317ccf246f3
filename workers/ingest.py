"""Ingestion: the spool into the pipeline, and the directory out to the sidecar."""

import asyncio
from pathlib import Path

from app.assembly import Services
from app.core.errors import Unavailable
from app.core.log import get_logger
from app.inbound.pipeline.drain import Drain
from app.storage.spool.progress import save_progress

_SAVED_EVERY_SECONDS = 1.0

_log = get_logger("drain")


async def run_ingest(services: Services) -> None:
    """Until cancelled. Rows and files are the truth, so it needs no queue."""
    drain = services.drain(await services.spool.open_reader())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(drain.run(), name="drain")
        tasks.create_task(services.snapshot_writer().run(), name="snapshot")
        tasks.create_task(services.refused_mail_reader().run(), name="refused mail")
        if services.settings.spool_s3_prefix is None:
            tell = _tell_progress(drain, services.settings.spool_folder)
            tasks.create_task(tell, name="progress")


async def _tell_progress(drain: Drain, spool_folder: Path) -> None:
    """To the sidecars, which take no more mail when too much waits."""
    told: object = None
    while True:
        positions = tuple(drain.positions.values())
        if positions and positions != told:
            try:
                await asyncio.to_thread(save_progress, spool_folder, positions)
                told = positions
            except Unavailable as error:
                _log.warning("drain.progress", reason=str(error), outcome="not told")
        await asyncio.sleep(_SAVED_EVERY_SECONDS)
