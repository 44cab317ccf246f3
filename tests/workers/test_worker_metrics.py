"""What the worker says of the spool's reading side."""

import asyncio
import shutil
from dataclasses import replace
from typing import Any

import pytest
from conditions import eventually
from mailroom import Mailroom
from prometheus_client.parser import text_string_to_metric_families

from app.core.errors import BadSetting, Unavailable
from app.core.metrics import Metrics
from app.core.metrics_server import MetricsServer
from app.eventlog.consumer import ConsumerRunner
from app.eventlog.read import last_position
from app.settings import LoopbackListen
from workers.metrics import ObjectStore, Readers, Waiting, serving_metrics

GAUGES = {
    "pillarbox_spool_backlog_items",
    "pillarbox_spool_backlog_bytes",
    "pillarbox_spool_oldest_item_seconds",
    "pillarbox_spool_deferred_items",
    "pillarbox_spool_quarantined_items",
}


async def read(mailroom: Mailroom) -> dict[str, float]:
    metrics, waiting = Metrics(), Waiting(mailroom.services)
    waiting.add_to(metrics)
    await waiting.measure()
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics.expose().decode())
        for sample in family.samples
        if sample.name in GAUGES
    }


async def test_what_waits_is_told_with_its_age_until_it_is_taken_in(
    mailroom: Mailroom, clock: Any
) -> None:
    assert await read(mailroom) == dict.fromkeys(GAUGES, 0)
    for number in range(3):
        await mailroom.spool(b"Subject: %d\r\n\r\n" % number)
    clock.moved_seconds = 60
    waiting = await read(mailroom)
    assert waiting["pillarbox_spool_backlog_items"] == 3
    assert waiting["pillarbox_spool_backlog_bytes"] > 300
    assert waiting["pillarbox_spool_oldest_item_seconds"] >= 60
    await mailroom.take_in()
    assert await read(mailroom) == dict.fromkeys(GAUGES, 0)


async def test_nothing_is_told_while_the_database_is_away(mailroom: Mailroom) -> None:
    await mailroom.services.database.close()
    assert await read(mailroom) == {}
    await mailroom.services.database.open()


async def test_start_is_refused_in_one_line_when_the_port_is_taken(mailroom: Mailroom) -> None:
    server = MetricsServer(Metrics())
    ((host, port),) = await server.start("127.0.0.1", 0)
    settings = replace(mailroom.services.settings, metrics_listen=LoopbackListen(host, port - 1))
    with pytest.raises(BadSetting, match="METRICS_LISTEN"):
        async with serving_metrics(replace(mailroom.services, settings=settings)):
            pass
    server.close()


async def test_nothing_listens_when_nothing_is_set(mailroom: Mailroom) -> None:
    async with serving_metrics(mailroom.services):
        pass


async def test_lag_of_the_index_is_told_until_it_has_caught_up(
    mailroom: Mailroom, clock: Any
) -> None:
    services = mailroom.services
    metrics, waiting = Metrics(), Waiting(services)
    waiting.add_to(metrics)
    await mailroom.spool(b"Subject: s\r\n\r\n")
    await mailroom.take_in()
    clock.moved_seconds = 60
    await waiting.measure()
    assert waiting.unindexed == 1
    assert 60 <= value(metrics, "pillarbox_indexer_lag_seconds") < 120
    indexer = ConsumerRunner(services.indexer(), services.log, services.ids.new())
    running = asyncio.create_task(indexer.run())

    async def has_caught_up() -> bool:
        await waiting.measure()
        return waiting.unindexed == 0

    await eventually(has_caught_up)
    running.cancel()
    assert value(metrics, "pillarbox_indexer_lag_seconds") == 0


async def test_every_reader_is_told_with_its_lag_and_what_is_parked(
    mailroom: Mailroom, clock: Any
) -> None:
    services = mailroom.services
    metrics, readers = Metrics(), Readers(services)
    readers.add_to(metrics)
    await readers.measure()
    assert "pillarbox_consumer_lag_events{" not in metrics.expose().decode()
    position = await last_position(services.database)
    await services.database.execute(
        """insert into consumer
        values ('slow', $1, gen_random_uuid(), now(), now(), '{ingest.received}'),
            ('idle', $1, gen_random_uuid(), now(), now(), '{message.deleted}')""",
        position,
    )
    await services.database.execute(
        """insert into parked_event values (gen_random_uuid(), 'idle', 1, gen_random_uuid(), null,
            'message.deleted', 'why', 1, now())"""
    )
    await mailroom.spool(b"Subject: s\r\n\r\n")
    await mailroom.take_in()
    clock.moved_seconds = 60
    await readers.measure()
    told = metrics.expose().decode()
    assert 'pillarbox_consumer_lag_events{consumer="slow"} 1.0' in told
    assert 'pillarbox_consumer_lag_events{consumer="idle"} 0.0' in told
    assert 'pillarbox_consumer_lag_seconds{consumer="idle"} 0.0' in told
    assert 'pillarbox_consumer_parked_events{consumer="idle"} 1.0' in told
    assert readers.states is not None
    assert all(state.oldest_at is None for state in readers.states if state.name == "idle")
    await services.database.close()
    await readers.measure()
    assert "pillarbox_consumer_lag_events{" not in metrics.expose().decode()
    await services.database.open()


async def test_store_that_takes_nothing_is_told_and_each_upload_counted(
    mailroom: Mailroom,
) -> None:
    blobs = mailroom.services.blobs
    metrics, store = Metrics(), ObjectStore(blobs)
    store.add_to(metrics)
    await store.measure()
    assert value(metrics, "pillarbox_objectstore_up") == 1
    folder = mailroom.services.settings.blob_folder
    shutil.rmtree(folder)
    folder.write_text("a file where the folder should be")
    await store.measure()
    assert value(metrics, "pillarbox_objectstore_up") == 0
    for number in range(2):
        with pytest.raises(Unavailable):
            await blobs.put(f"raw/{number}", b"x", {})
    assert value(metrics, "pillarbox_objectstore_upload_errors_total") == 2


def value(metrics: Metrics, name: str) -> float:
    (found,) = [
        sample.value
        for family in text_string_to_metric_families(metrics.expose().decode())
        for sample in family.samples
        if sample.name == name
    ]
    return found
