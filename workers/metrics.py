"""What the worker tells Prometheus: how much waits to be taken in, indexed or delivered, what could
not be, whether the object store answers, and what Kafka confirmed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from app.assembly import Services
from app.consumers.indexer import INDEXED_TYPES
from app.core.clock import Clock
from app.core.errors import PillarboxError
from app.core.metrics import Metrics, Reading
from app.core.metrics_server import MetricsServer
from app.eventlog.consumer_states import ConsumerState, read_consumer_states
from app.inbound.pipeline.drain import Drain
from app.search.rebuilds import INDEXER
from app.storage.blobs.counted import CountedBlobs
from app.storage.spool.port import Backlog
from app.webhooks.activity import Overdue, read_overdue

if TYPE_CHECKING:
    from app.consumers.kafka import KafkaPublisher

_MEASURE_EVERY_SECONDS = 5.0
# Each look writes an empty object, which a bucket is paid for.
_TRY_STORE_EVERY_SECONDS = 30.0


@dataclass(slots=True)
class Waiting:
    """As it was last measured; what could not be measured is None."""

    services: Services
    backlog: Backlog | None = None
    deferred: int | None = None
    quarantined: int | None = None
    unindexed: int | None = None
    oldest_unindexed_at: datetime | None = None
    _drain: Drain | None = field(default=None, repr=False)

    async def measure(self) -> None:
        """Asks the spool and the database, whichever of them answers."""
        try:
            self.backlog = await self._read_backlog()
            self.deferred = await self._count("spool_deferred")
            self.quarantined = await self._count("quarantine")
            self.unindexed, self.oldest_unindexed_at = await self._read_unindexed()
        except PillarboxError:
            self.backlog = self.deferred = self.quarantined = self.unindexed = None

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
        metrics.gauge(
            "pillarbox_indexer_lag_events",
            "Events that the search index does not reflect yet.",
            lambda: self.unindexed,
        )
        metrics.gauge(
            "pillarbox_indexer_lag_seconds",
            "How long the oldest of them has waited; 0 when none waits.",
            self._index_lag_seconds,
        )

    async def _read_unindexed(self) -> tuple[int, datetime | None]:
        row = await self.services.database.fetch_one(
            """select count(*), min(created_at) from event where type = any($2::text[])
                and position > coalesce((select position from consumer where name = $1), 0)""",
            INDEXER,
            list(INDEXED_TYPES),
        )
        return (row[0], row[1]) if row else (0, None)

    async def _read_backlog(self) -> Backlog:
        if self._drain is None:
            self._drain = self.services.drain(await self.services.spool.open_reader())
        return await self._drain.backlog()

    async def _count(self, table: str) -> int:
        return int(await self.services.database.fetch_value(f"select count(*) from {table}"))

    def _oldest_seconds(self) -> float | None:
        if self.backlog is None:
            return None
        return _age_seconds(self.services.clock, self.backlog.oldest_received_at)

    def _index_lag_seconds(self) -> float | None:
        if self.unindexed is None:
            return None
        return _age_seconds(self.services.clock, self.oldest_unindexed_at)


@dataclass(slots=True)
class Readers:
    """How far the readers of the event log are, as it was last measured; None if that failed."""

    services: Services
    states: Sequence[ConsumerState] | None = None

    async def measure(self) -> None:
        try:
            self.states = await read_consumer_states(
                self.services.database, self.services.clock.now()
            )
        except PillarboxError:
            self.states = None

    def add_to(self, metrics: Metrics) -> None:
        metrics.gauge(
            "pillarbox_consumer_lag_events",
            "Events that a reader of the event log wants and has not handled.",
            lambda: self._by_name(lambda state: state.events_behind),
            "consumer",
        )
        metrics.gauge(
            "pillarbox_consumer_lag_seconds",
            "How long ago the oldest of them was appended; 0 when there is none.",
            lambda: self._by_name(lambda state: _age_seconds(self.services.clock, state.oldest_at)),
            "consumer",
        )
        metrics.gauge(
            "pillarbox_consumer_parked_events",
            "Events that it could not handle and that wait for a person.",
            lambda: self._by_name(lambda state: state.parked_events),
            "consumer",
        )

    def _by_name(self, value: Callable[[ConsumerState], float]) -> Reading | None:
        if self.states is None:
            return None
        return {(state.name,): value(state) for state in self.states}


@dataclass(slots=True)
class Webhooks:
    """What should be under way to endpoints, as it was last measured; None if that failed."""

    services: Services
    overdue: Overdue | None = None

    async def measure(self) -> None:
        try:
            self.overdue = await read_overdue(self.services.database, self.services.clock.now())
        except PillarboxError:
            self.overdue = None

    def add_to(self, metrics: Metrics) -> None:
        metrics.gauge(
            "pillarbox_webhook_overdue_deliveries",
            "Deliveries that are due, to webhook endpoints that take what they are sent.",
            lambda: self.overdue.deliveries if self.overdue else None,
        )
        metrics.gauge(
            "pillarbox_webhook_overdue_seconds",
            "How long the first of them has been due; 0 when there is none.",
            self._overdue_seconds,
        )

    def _overdue_seconds(self) -> float | None:
        if self.overdue is None:
            return None
        return _age_seconds(self.services.clock, self.overdue.oldest_due_at)


@dataclass(slots=True)
class ObjectStore:
    """Whether it took what it was last asked to keep, and how often it did not."""

    blobs: CountedBlobs
    is_up: bool | None = None

    async def measure(self) -> None:
        try:
            await self.blobs.check()
            self.is_up = True
        except PillarboxError:
            self.is_up = False

    def add_to(self, metrics: Metrics) -> None:
        metrics.gauge(
            "pillarbox_objectstore_up",
            "1 when the object store could be written to, half a minute ago at most; else 0.",
            lambda: self.is_up,
        )
        metrics.counter(
            "pillarbox_objectstore_upload_errors_total",
            "Uploads, of one object or several at once, that the object store did not take.",
            counting=self.blobs.upload_errors,
        )


def add_kafka(publisher: "KafkaPublisher", metrics: Metrics) -> None:
    """By the delivery reports of what was published."""
    metrics.counter(
        "mail_ingest_kafka_published_total",
        "Events that Kafka confirmed; one that comes twice counts twice.",
        counting=publisher.published,
    )
    metrics.counter(
        "mail_ingest_kafka_publish_errors_total",
        "Events that Kafka did not confirm or refused; each try counts.",
        counting=publisher.publish_errors,
    )


@asynccontextmanager
async def serving_metrics(
    services: Services, kafka: "KafkaPublisher | None" = None
) -> AsyncIterator[None]:
    """While the context lasts, where `METRICS_LISTEN` is set. Raises `BadSetting` when the address
    cannot be had."""
    listen = services.settings.worker_metrics_listen
    if listen is None:
        yield
        return
    metrics, store = Metrics(), ObjectStore(services.blobs)
    measured = (Waiting(services), Readers(services), Webhooks(services))
    for each in (*measured, store):
        each.add_to(metrics)
    if kafka is not None:
        add_kafka(kafka, metrics)
    server = MetricsServer(metrics)
    await server.start(listen.host, listen.port)
    measuring = [
        *(asyncio.create_task(_repeat(each.measure, _MEASURE_EVERY_SECONDS)) for each in measured),
        asyncio.create_task(_repeat(store.measure, _TRY_STORE_EVERY_SECONDS)),
    ]
    try:
        yield
    finally:
        for task in measuring:
            task.cancel()
        server.close()


async def _repeat(measure: Callable[[], Awaitable[None]], pause_seconds: float) -> None:
    while True:
        await measure()
        await asyncio.sleep(pause_seconds)


def _age_seconds(clock: Clock, since: datetime | None) -> float:
    return 0.0 if since is None else max(0.0, (clock.now() - since).total_seconds())
