"""What the worker tells Prometheus: how much waits to be taken in, and what could not be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.assembly import Services
from app.core.errors import PillarboxError
from app.core.metrics import Metrics
from app.core.metrics_server import MetricsServer
from app.storage.spool.port import Backlog

_MEASURE_EVERY_SECONDS = 5.0


@dataclass(slots=True)
class Waiting:
    """As it was last measured; what could not be measured is None."""

    services: Services
    backlog: Backlog | None = None
    deferred: int | None = None
    quarantined: int | None = None

    async def measure(self) -> None:
        """Asks the spool and the database, whichever of them answers."""
        try:
            self.backlog = await self._read_backlog()
            self.deferred = await self._count("spool_deferred")
            self.quarantined = await self._count("quarantine")
        except PillarboxError:
            self.backlog = self.deferred = self.quarantined = None

    def add_to(self, metrics: Metrics) -> None:
        """What is left out of the text could not be measured just then."""
        metrics.gauge(
            "pillarbox_spool_backlog_items",
            "Items that wait to be taken in; only a folder spool knows how many.",
            lambda: self.backlog.items if self.backlog else None,
        )
        metrics.gauge(
            "pillarbox_spool_backlog_bytes",
            "Bytes of the spool that wait to be taken in.",
            lambda: self.backlog.size_bytes if self.backlog else None,
        )
        metrics.gauge(
            "pillarbox_spool_oldest_item_seconds",
            "How long the oldest item has waited to be taken in; 0 when none waits.",
            self._oldest_seconds,
        )
        metrics.gauge(
            "pillarbox_spool_deferred_items",
            "Items that met a passing fault and wait for another try.",
            lambda: self.deferred,
        )
        metrics.gauge(
            "pillarbox_spool_quarantined_items",
            "Items that could not be taken in and wait for a person.",
            lambda: self.quarantined,
        )

    async def _read_backlog(self) -> Backlog:
        reader = await self.services.spool.open_reader()
        positions = await self.services.drain(reader).load_positions()
        return await reader.backlog(list(positions.values()))

    async def _count(self, table: str) -> int:
        return int(await self.services.database.fetch_value(f"select count(*) from {table}"))

    def _oldest_seconds(self) -> float | None:
        if self.backlog is None:
            return None
        oldest = self.backlog.oldest_received_at
        if oldest is None:
            return 0.0
        return max(0.0, (self.services.clock.now() - oldest).total_seconds())


@asynccontextmanager
async def serving_metrics(services: Services) -> AsyncIterator[None]:
    """While the context lasts, where `METRICS_LISTEN` is set. Raises `BadSetting` when the address
    cannot be had."""
    listen = services.settings.worker_metrics_listen
    if listen is None:
        yield
        return
    metrics, waiting = Metrics(), Waiting(services)
    waiting.add_to(metrics)
    server = MetricsServer(metrics)
    await server.start(listen.host, listen.port)
    measuring = asyncio.create_task(_measure(waiting))
    try:
        yield
    finally:
        measuring.cancel()
        server.close()


async def _measure(waiting: Waiting) -> None:
    while True:
        await waiting.measure()
        await asyncio.sleep(_MEASURE_EVERY_SECONDS)
