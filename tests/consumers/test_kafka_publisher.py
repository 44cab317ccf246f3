"""Every event reaches the topic, in the order of its tenant, whoever is away meanwhile."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest
from conditions import eventually
from confluent_kafka import KafkaError, Message
from kafka_cluster import KafkaCluster, serving_kafka

from app.assembly import Services
from app.consumers.kafka import KafkaPublisher, RecordRefused, configure_client
from app.core.errors import BadSetting, Unavailable
from app.eventlog.consumer import ConsumerRunner
from app.eventlog.event import Event, NewEvent
from app.eventlog.read import EventFilter, read_events
from app.eventlog.types import EventType
from app.settings import Brokers, Settings, read_settings
from app.web.api.events import EventSummary

REFUSING = "refusing"
TENANTS = [uuid4() for _ in range(5)]


@pytest.fixture(scope="module")
def brokers() -> Iterator[KafkaCluster]:
    with serving_kafka(brokers=2) as cluster:
        yield cluster


@pytest.fixture
def cluster(brokers: KafkaCluster) -> Iterator[KafkaCluster]:
    yield brokers
    brokers.come_back()
    brokers.refuse_topic(REFUSING, KafkaError.NO_ERROR)


@pytest.fixture
def topic(cluster: KafkaCluster) -> str:
    name = f"events-{uuid4()}"
    cluster.create_topic(name, partitions=3)
    return name


@pytest.fixture
def publisher(services: Services, cluster: KafkaCluster, topic: str) -> KafkaPublisher:
    return make_publisher(services, cluster, topic)


def make_publisher(
    services: Services, cluster: KafkaCluster, topic: str, **client: str | int
) -> KafkaPublisher:
    """As the worker runs it, save that it does not wait long for what will not come."""
    servers = Brokers.parse(cluster.bootstrap_servers)
    settings = replace(services.settings, kafka_brokers=servers, kafka_topic=topic)
    publisher = replace(services, settings=settings).kafka()
    assert publisher is not None
    publisher.answer_seconds = 3
    publisher.configuration = {**publisher.configuration, **client}
    return publisher


async def tell(services: Services, count: int, tenants: Sequence[UUID | None] = TENANTS) -> None:
    for start in range(0, count, 500):
        async with services.log.transaction() as transaction:
            for number in range(start, min(start + 500, count)):
                transaction.tell(
                    NewEvent(
                        EventType.INGEST_RECEIVED,
                        trace_id=uuid4(),
                        subject=("message", uuid4()),
                        tenant_id=tenants[number % len(tenants)],
                        mailbox_id=uuid4(),
                        data={"source": "smtp", "size_bytes": number},
                    )
                )


async def read_log(services: Services) -> Sequence[Event]:
    found: list[Event] = []
    while events := await read_events(
        services.database,
        after=found[-1].position if found else 0,
        wanted=EventFilter(),
        limit=500,
    ):
        found += events
    return found


@asynccontextmanager
async def running(services: Services, publisher: KafkaPublisher) -> AsyncIterator[None]:
    task = asyncio.create_task(ConsumerRunner(publisher, services.log, uuid4()).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def wait_until_read(services: Services) -> None:
    """Everything in the log counts as published."""

    async def is_read() -> bool:
        return await position(services) == (await read_log(services))[-1].position

    await eventually(is_read)


async def position(services: Services) -> int:
    found = await services.database.fetch_value("select position from consumer where name='kafka'")
    return found or 0


def positions(records: Sequence[Message]) -> list[int]:
    return [msgspec.json.decode(record.value())["position"] for record in records]


def by_key(records: Sequence[Message]) -> dict[bytes, list[Message]]:
    keys = {record.key() for record in records}
    return {key: [record for record in records if record.key() == key] for key in keys}


async def test_event_is_a_record_in_the_form_of_the_api_with_its_tenant(
    services: Services, cluster: KafkaCluster, topic: str, publisher: KafkaPublisher
) -> None:
    await tell(services, 1)
    (event,) = await read_log(services)
    assert await publisher.handle([event]) == ()
    (record,) = cluster.read(topic)
    value = msgspec.json.decode(record.value())
    assert UUID(value.pop("tenant_id")) == event.tenant_id == TENANTS[0]
    assert msgspec.convert(value, EventSummary, strict=False) == EventSummary(
        **{name: getattr(event, name) for name in value}
    )
    assert value.keys() == set(EventSummary.__struct_fields__)
    assert record.key() == str(event.tenant_id).encode()
    headers = {"trace_id": str(event.trace_id).encode(), "type": b"ingest.received"}
    assert dict(record.headers()) == headers


async def test_tenant_has_one_partition_and_its_events_keep_their_order(
    services: Services, cluster: KafkaCluster, topic: str, publisher: KafkaPublisher
) -> None:
    publisher.answer_seconds = 30
    await tell(services, 1200, [*TENANTS, None])
    async with running(services, publisher):
        await wait_until_read(services)
    records = by_key(cluster.read(topic))
    assert records.keys() == {b"installation", *(str(tenant).encode() for tenant in TENANTS)}
    for found in records.values():
        assert len({record.partition() for record in found}) == 1
        assert positions(found) == sorted(positions(found))
        assert len(found) == 200
    assert publisher.published.values() == {(): 1200}
    assert publisher.publish_errors.values() == {(): 0}


async def test_nothing_is_dropped_when_the_buffer_is_full(
    services: Services, cluster: KafkaCluster, topic: str
) -> None:
    publisher = make_publisher(
        services, cluster, topic, **{"queue.buffering.max.messages": 3, "linger.ms": 0}
    )
    await tell(services, 100, TENANTS[:1])
    log = await read_log(services)
    publisher.answer_seconds = 30
    await publisher.handle(log)
    assert positions(cluster.read(topic)) == [event.position for event in log]


async def test_restart_goes_on_without_a_loss(
    services: Services, cluster: KafkaCluster, topic: str
) -> None:
    for kill in (True, True, False):
        publisher = make_publisher(services, cluster, topic)
        await tell(services, 700, TENANTS[:1])
        async with running(services, publisher):
            if kill:

                async def some_came(publisher: KafkaPublisher = publisher) -> bool:
                    return publisher.published.values()[()] > 0

                await eventually(some_came)
            else:
                await wait_until_read(services)
    records = cluster.read(topic)
    assert without_repetition(records) == [event.position for event in await read_log(services)]


def without_repetition(records: Sequence[Message]) -> list[int]:
    """What is left for a reader who skips what is not above the position that it has."""
    kept = [0]
    for found in positions(records):
        if found > kept[-1]:
            kept.append(found)
    return kept[1:]


async def test_log_keeps_what_comes_while_brokers_are_away(
    services: Services, cluster: KafkaCluster, topic: str, publisher: KafkaPublisher
) -> None:
    publisher.answer_seconds = 10

    async def errors_rose() -> bool:
        return publisher.publish_errors.values()[()] > 600

    async with running(services, publisher):
        await tell(services, 10, TENANTS[:1])
        await wait_until_read(services)
        before = await position(services)
        cluster.go_away()
        publisher.answer_seconds = 0.3
        await tell(services, 600, TENANTS[:1])
        await eventually(errors_rose)
        assert await position(services) == before
        cluster.come_back()
        publisher.answer_seconds = 10
        await wait_until_read(services)
    log = await read_log(services)
    assert without_repetition(cluster.read(topic)) == [event.position for event in log]


async def test_loop_is_free_while_kafka_does_not_answer(
    services: Services, cluster: KafkaCluster, publisher: KafkaPublisher
) -> None:
    cluster.go_away()
    publisher.answer_seconds = 1
    await tell(services, 10)
    handling = asyncio.create_task(publisher.handle(await read_log(services)))
    for _ in range(20):
        await services.database.fetch_value("select 1")
        assert not handling.done()
    with pytest.raises(Unavailable, match="Kafka did not confirm"):
        await handling
    assert publisher.publish_errors.values() == {(): 10}


async def test_trouble_with_the_topic_is_waited_out(
    services: Services, cluster: KafkaCluster, publisher: KafkaPublisher
) -> None:
    publisher.topic = REFUSING
    cluster.refuse_topic(REFUSING, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    await tell(services, 5)
    log = await read_log(services)
    with pytest.raises(Unavailable, match=r"(?i)authorization"):
        await publisher.handle(log)
    cluster.refuse_topic(REFUSING, KafkaError.NO_ERROR)
    await publisher.handle(log)
    assert publisher.published.values() == {(): 5}


@pytest.mark.parametrize("reason", [KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD])
async def test_event_that_a_broker_refuses_is_an_error_for_good(
    services: Services, cluster: KafkaCluster, publisher: KafkaPublisher, reason: int
) -> None:
    await tell(services, 1)
    log = await read_log(services)
    cluster.refuse_next_records(reason)
    with pytest.raises(RecordRefused) as refused:
        await publisher.handle(log)
    assert not refused.value.retryable
    assert publisher.publish_errors.values() == {(): 1}
    await publisher.handle(log)
    assert publisher.published.values() == {(): 1}


async def test_event_that_is_too_large_holds_up_none_that_came_with_it(
    services: Services, cluster: KafkaCluster, topic: str, publisher: KafkaPublisher
) -> None:
    await tell(services, 3, TENANTS[:1])
    first, large, last = await read_log(services)
    log = [first, replace(large, data={"large": "x" * 2_000_000}), last]
    with pytest.raises(RecordRefused):
        await publisher.handle(log)
    assert positions(cluster.read(topic)) == [first.position, last.position]
    assert publisher.published.values() == {(): 2}
    assert publisher.publish_errors.values() == {(): 1}


async def test_brokers_without_their_client_are_refused_in_one_line(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert services.kafka() is None
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.delitem(sys.modules, "app.consumers.kafka")
    settings = replace(services.settings, kafka_brokers=Brokers.parse("kafka.example:9092"))
    with pytest.raises(BadSetting, match=r"^KAFKA_BROKERS .* pip install 'pillarbox\[kafka\]'\.$"):
        replace(services, settings=settings).kafka()


def read_kafka_settings(ca: Path) -> Settings:
    return read_settings(
        {
            "SECRET_KEY": "s" * 32,
            "ENCRYPTION_KEY": "e" * 32,
            "KAFKA_BROKERS": "kafka-1.test:9093, [::1]:9094",
            "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
            "KAFKA_SSL_CA": str(ca),
            "KAFKA_SASL_USERNAME": "pillarbox",
            "KAFKA_SASL_PASSWORD": "hunter2",
        }
    )


def test_client_gets_what_is_set_and_shows_no_password(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    client = configure_client(read_kafka_settings(ca))
    assert client["bootstrap.servers"] == "kafka-1.test:9093,[::1]:9094"
    assert client["security.protocol"] == "sasl_ssl"
    assert client["ssl.ca.location"] == str(ca)
    assert client["sasl.mechanism"] == "SCRAM-SHA-512"
    assert (client["sasl.username"], client["sasl.password"]) == ("pillarbox", "hunter2")
    assert "hunter2" not in repr(KafkaPublisher(client, "events"))


def test_start_is_refused_without_the_file_of_the_authorities(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"^KAFKA_SSL_CA .* is none\.$"):
        configure_client(read_kafka_settings(tmp_path / "ca.pem"))


async def test_nothing_is_refused_for_good_because_the_client_does_not_start(
    services: Services, cluster: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("no certificate")
    publisher = make_publisher(
        services, cluster, topic, **{"security.protocol": "ssl", "ssl.ca.location": str(ca)}
    )
    await tell(services, 1)
    with pytest.raises(Unavailable, match="did not start"):
        await publisher.handle(await read_log(services))


async def test_event_that_can_never_be_published_is_parked_and_the_others_go_on(
    services: Services, cluster: KafkaCluster, topic: str
) -> None:
    publisher = make_publisher(services, cluster, topic, **{"message.max.bytes": 1000})
    await tell(services, 5, TENANTS[:1])
    async with services.log.transaction() as transaction:
        transaction.tell(
            NewEvent(
                EventType.INGEST_RECEIVED,
                trace_id=uuid4(),
                subject=("message", uuid4()),
                tenant_id=TENANTS[0],
                data={"large": "x" * 2000},
            )
        )
    await tell(services, 5, TENANTS[:1])
    async with running(services, publisher):
        await wait_until_read(services)
    found = [event.position for event in await read_log(services)]
    assert without_repetition(cluster.read(topic)) == found[:5] + found[6:]
    parked = await services.database.fetch("select position from parked_event")
    assert [row["position"] for row in parked] == found[5:6]
