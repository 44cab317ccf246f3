"""From what happens in an installation to another system, by way of Kafka."""

import httpx
import msgspec
import pytest
from kafka_cluster import serving_kafka
from pillarbox import free_pair_of_ports, installation, wait_until

pytestmark = pytest.mark.flow


def test_worker_publishes_what_happens_and_counts_it() -> None:
    port = free_pair_of_ports()
    with serving_kafka() as kafka:
        kafka.create_topic("mail", partitions=1)
        with installation(
            METRICS_LISTEN=f"127.0.0.1:{port}",
            KAFKA_BROKERS=kafka.bootstrap_servers,
            KAFKA_TOPIC="mail",
        ) as pillarbox:
            pillarbox.start()
            pillarbox.run("tenant", "create", "Harbour", "--plan", "enterprise")
            pillarbox.run("domain", "add", "harbour.test", "--tenant", "Harbour")
            wait_until(lambda: published(port) >= 2, "the events are published")
            types = [msgspec.json.decode(record.value())["type"] for record in kafka.read("mail")]
            assert "access.domain_added" in types


def published(port: int) -> float:
    """By the worker's own count, while no event failed; 0 until it counts."""
    try:
        text = httpx.get(f"http://127.0.0.1:{port + 1}/metrics").text
    except httpx.ConnectError:
        return 0
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("mail_"))
    assert float(figures["mail_ingest_kafka_publish_errors_total"]) == 0
    return float(figures["mail_ingest_kafka_published_total"])
