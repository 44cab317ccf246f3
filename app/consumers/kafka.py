"""Publishing the event log to a topic of Kafka, for the systems that read there.

Each event is one record: the event as JSON, in the API's form with its tenant; the key is the
tenant, so that the events of one tenant keep their order. docs/kafka.md says what readers may rely
on. Only an installation with `pillarbox[kafka]` can import this module.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from app.core.errors import BadSetting, PillarboxError, Unavailable
from app.core.metrics import Counter
from app.eventlog.append import MAX_EVENTS_PER_APPEND
from app.eventlog.event import Event, NewEvent
from app.eventlog.types import EventType
from app.settings import Settings

Configuration = Mapping[str, str | int | bool]
"""Of librdkafka, by its own names."""

_ANSWER_SECONDS = 15.0
_POLL_SECONDS = 0.1
# What was taken back is reported by librdkafka's own threads, at once.
_TAKE_BACK_SECONDS = 2.0
_REFUSALS = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})
_NO_TENANT = "installation"


class RecordRefused(PillarboxError):
    """Kafka will not take an event as it stands, however often it is asked."""


@dataclass(slots=True)
class KafkaPublisher:
    """The consumer named `kafka`. A batch is done when Kafka has confirmed every record of it.

    librdkafka's buffer is bounded, and is waited for in threads, so that the loop is free. What a
    batch did not get confirmed is taken back before it comes again: the records of one tenant
    then lie in the topic in their order, some of them twice.
    """

    configuration: Configuration = field(repr=False)
    topic: str
    answer_seconds: float = _ANSWER_SECONDS
    """How long Kafka has to confirm a batch."""
    name: str = "kafka"
    types: Sequence[str] = tuple(EventType)
    batch_size: int = MAX_EVENTS_PER_APPEND
    published: Counter = field(default_factory=lambda: Counter(()))
    publish_errors: Counter = field(default_factory=lambda: Counter(()))
    _producer: Producer | None = field(default=None, init=False)
    _trouble: str = field(default="it does not answer", init=False)

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        """Publishes the events. Raises `RecordRefused` where one of them can never be, and
        `Unavailable` for whatever may pass."""
        producer = await self._connect()
        receipts = _Receipts(len(events), self.published, self.publish_errors)
        until = _now() + self.answer_seconds
        try:
            for event in events:
                await self._send(producer, event, receipts, until)
            await _collect(producer, until)
        except BaseException:
            self._take_back(producer)
            raise
        if receipts.awaited or receipts.troubles:
            self._take_back(producer)
            await _collect(producer, _now() + _TAKE_BACK_SECONDS)
            # Closing waits for threads of librdkafka, which may be looking up a name.
            await asyncio.to_thread(producer.close)
            reason = receipts.troubles[0] if receipts.troubles else self._trouble
            raise Unavailable(f"Kafka did not confirm what it was sent: {reason}")
        if receipts.refusals:
            raise RecordRefused(f"Kafka refuses an event: {receipts.refusals[0]}")
        return ()

    async def _connect(self) -> Producer:
        if self._producer is None:
            configuration = {**self.configuration, "error_cb": self._note_trouble}
            try:
                self._producer = await asyncio.to_thread(Producer, configuration)
            except KafkaException as error:
                raise Unavailable(f"Kafka's client did not start: {error.args[0].str()}") from error
        return self._producer

    async def _send(
        self, producer: Producer, event: Event, receipts: "_Receipts", until: float
    ) -> None:
        """Waits for room in the buffer; nothing is dropped for want of it."""
        while _now() < until:
            try:
                producer.produce(
                    self.topic,
                    key=str(event.tenant_id or _NO_TENANT),
                    value=msgspec.json.encode(event),
                    headers=[("trace_id", str(event.trace_id)), ("type", event.type)],
                    on_delivery=receipts.note,
                )
                return
            except BufferError:
                await asyncio.to_thread(producer.poll, _POLL_SECONDS)
            except KafkaException as error:
                receipts.note(error.args[0])
                return

    def _take_back(self, producer: Producer) -> None:
        """The next batch gets a producer that knows nothing of this one."""
        self._producer = None
        producer.purge(blocking=False)

    def _note_trouble(self, error: KafkaError) -> None:
        self._trouble = error.str()


@dataclass(slots=True)
class _Receipts:
    """The delivery reports of a batch, which come in the thread that polls."""

    awaited: int
    published: Counter
    publish_errors: Counter
    refusals: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def note(self, error: KafkaError | None, _: Message | None = None) -> None:
        self.awaited -= 1
        if error is None:
            self.published.count()
            return
        self.publish_errors.count()
        (self.refusals if error.code() in _REFUSALS else self.troubles).append(error.str())


async def _collect(producer: Producer, until: float) -> None:
    """Until every record has its report."""
    while len(producer) and _now() < until:
        await asyncio.to_thread(producer.poll, _POLL_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()


def configure_client(settings: Settings) -> Configuration:
    """Sure and in order before fast: every replica confirms, and a retry neither doubles a record
    nor lets a later one pass. Records of one key come to the partition where Java's clients would
    put them. Raises `BadSetting` where the authorities' file is missing."""
    configuration: dict[str, str | int | bool] = {
        "bootstrap.servers": str(settings.kafka_brokers),
        "client.id": "pillarbox",
        "security.protocol": settings.kafka_security_protocol,
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        # How long it tries is decided here, for a batch as a whole.
        "message.timeout.ms": 0,
        "queue.buffering.max.messages": 2 * MAX_EVENTS_PER_APPEND,
        "queue.buffering.max.kbytes": 16 * 1024,
        # What goes wrong comes with the reports; it writes no lines of its own.
        "log_level": 0,
    }
    if settings.kafka_ssl_ca is not None:
        if not settings.kafka_ssl_ca.is_file():
            raise BadSetting(f"KAFKA_SSL_CA must be a PEM file; {settings.kafka_ssl_ca} is none.")
        configuration["ssl.ca.location"] = str(settings.kafka_ssl_ca)
    if settings.kafka_sasl_password is not None:
        configuration |= {
            "sasl.mechanism": settings.kafka_sasl_mechanism,
            "sasl.username": settings.kafka_sasl_username,
            "sasl.password": settings.kafka_sasl_password.reveal(),
        }
    return configuration
