"""Ingestion: the spool into the pipeline, and the directory out to the sidecar."""

import asyncio

from app.assembly import Services


async def run_ingest(services: Services) -> None:
    """Until cancelled. Rows and files are the truth, so it needs no queue."""
    drain = services.drain(await services.spool.open_reader())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(drain.run(), name="drain")
        tasks.create_task(services.snapshot_writer().run(), name="snapshot")
