"""Brokers of Kafka on loopback, played by the mock cluster inside librdkafka.

They speak the protocol over sockets, fail as they are told to, and keep their records in memory.
"""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

_PRODUCER = 0
_PRODUCE = 0  # the API key of the request
_HEAD_SIZE = 512


def _load() -> Any:
    (path,) = Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka*")
    library = ctypes.CDLL(str(path))
    library.rd_kafka_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return library


@dataclass(frozen=True)
class KafkaCluster:
    library: Any
    cluster: ctypes.c_void_p
    brokers: Sequence[int]

    @property
    def bootstrap_servers(self) -> str:
        servers: bytes = self.library.rd_kafka_mock_cluster_bootstraps(self.cluster)
        return servers.decode()

    def create_topic(self, name: str, partitions: int) -> None:
        self._call("topic_create", name.encode(), partitions, len(self.brokers))

    def refuse_topic(self, name: str, error: int = KafkaError.NO_ERROR) -> None:
        """Answers so whenever somebody asks about the topic."""
        self.library.rd_kafka_mock_topic_set_error(self.cluster, name.encode(), error)

    def refuse_next_records(self, *errors: int) -> None:
        """Answers one request to keep records with each of them."""
        self._call(
            "push_request_errors_array",
            ctypes.c_int16(_PRODUCE),
            ctypes.c_size_t(len(errors)),
            (ctypes.c_int * len(errors))(*errors),
        )

    def go_away(self) -> None:
        for broker in self.brokers:
            self._call("broker_set_down", broker)

    def come_back(self) -> None:
        for broker in self.brokers:
            self._call("broker_set_up", broker)

    def read(self, topic: str) -> Sequence[Message]:
        """All records of the topic, by partition and offset, as another client sees them."""
        reader = Consumer({"bootstrap.servers": self.bootstrap_servers, "group.id": "reader"})
        try:
            partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
            found: list[Message] = []
            for number in sorted(partitions):
                partition = TopicPartition(topic, number, 0)
                _, end = reader.get_watermark_offsets(partition, timeout=10)
                reader.assign([partition])
                found += _read_until(reader, end)
            return found
        finally:
            reader.close()

    def _call(self, name: str, *arguments: Any) -> None:
        failed = getattr(self.library, f"rd_kafka_mock_{name}")(self.cluster, *arguments)
        assert not failed, f"{name}: {failed}"


def _read_until(reader: Consumer, end: int) -> Iterator[Message]:
    offset = -1 if end else end
    while offset + 1 < end:
        message = reader.poll(10)
        assert message is not None
        assert message.error() is None
        offset = message.offset()
        yield message


@contextmanager
def serving_kafka(brokers: int = 1) -> Iterator[KafkaCluster]:
    library = _load()
    head = ctypes.create_string_buffer(_HEAD_SIZE)
    handle = ctypes.c_void_p(library.rd_kafka_new(_PRODUCER, None, head, len(head)))
    assert handle, head.value
    cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(handle, brokers))
    try:
        yield KafkaCluster(library, cluster, range(1, brokers + 1))
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(handle)
