"""A whole sidecar for each test: uvloop in a thread of its own, a loopback socket, a real spool."""

import asyncio
import os
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from certificates import make_certificate
from prometheus_client.parser import text_string_to_metric_families

from app.core.clock import Clock
from app.core.errors import StorageFull
from app.core.ids import Ids
from app.core.metrics import Metrics
from app.directory.snapshot import (
    DirectorySnapshot,
    DomainEntry,
    MailboxEntry,
    SnapshotFile,
    save_snapshot,
)
from app.inbound.smtpd.connections import ConnectionLimits, Connections
from app.inbound.smtpd.handler import MailHandler
from app.inbound.smtpd.limits import SmtpLimits
from app.inbound.smtpd.lmtp import LmtpDialogue
from app.inbound.smtpd.metrics import SmtpMetrics
from app.inbound.smtpd.origins import Origins
from app.inbound.smtpd.rates import RateLimits, Rates
from app.inbound.smtpd.refusals import RefusalNotes
from app.inbound.smtpd.server import SmtpServer
from app.inbound.smtpd.tls import Certificate
from app.settings import LOOPBACK, Listen, Networks
from app.storage.refused_mail import RefusedMail, RefusedMailFolder
from app.storage.spool.folder_reader import FolderSpoolReader
from app.storage.spool.folder_writer import FolderLimits, FolderSpoolWriter
from app.storage.spool.metrics import SpoolMetrics
from app.storage.spool.port import Item, ItemMetadata, SpoolWriter

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SNAPSHOT = DirectorySnapshot(
    position=7,
    domains={
        "example.test": DomainEntry("reject_unknown", "verified", False),
        "all.test": DomainEntry("reject_unknown", "verified", True),
        "discard.test": DomainEntry("accept_and_discard", "verified", False),
        "after.test": DomainEntry("reply_after_data", "verified", False),
        "paused.test": DomainEntry("reject_unknown", "soft_rejected", False),
        "suspended.test": DomainEntry("reject_unknown", "suspended", False),
        "xn--bcher-kva.test": DomainEntry("reject_unknown", "verified", False),
    },
    mailboxes={
        "ann@example.test": MailboxEntry(),
        "bob@example.test": MailboxEntry(),
        "brief@example.test": MailboxEntry(NOW + timedelta(hours=1)),
        "gone@example.test": MailboxEntry(NOW - timedelta(seconds=1)),
        "known@discard.test": MailboxEntry(),
        "known@after.test": MailboxEntry(),
        "ann@paused.test": MailboxEntry(),
        "ann@suspended.test": MailboxEntry(),
        "josé@xn--bcher-kva.test": MailboxEntry(),
    },
)


@dataclass
class TestClock:
    __test__ = False

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time


class TestWriter:
    """The real writer, with faults: an error for the next puts, or a put that takes its time."""

    __test__ = False

    def __init__(self, writer: SpoolWriter) -> None:
        self._writer = writer
        self.fault: Exception | None = None
        self.body_fault: OSError | None = None
        self.put_started = threading.Event()
        self.may_put = threading.Event()
        self.may_put.set()

    @property
    def producer(self) -> str:
        return self._writer.producer

    async def put(self, metadata: ItemMetadata, raw: bytes | Path) -> None:
        self.put_started.set()
        await asyncio.to_thread(self.may_put.wait)
        if self.fault is not None:
            raise self.fault
        await self._writer.put(metadata, raw)

    def new_body_file(self) -> Path:
        if self.body_fault is not None:
            raise self.body_fault
        return self._writer.new_body_file()

    async def close(self) -> None:
        await self._writer.close()


class RawClient:
    """A client that sends the very bytes it is told to."""

    def __init__(
        self, address: Listen, hello: bytes = b"EHLO", own_address: str = "127.0.0.1"
    ) -> None:
        self._hello = hello + b" client.test"
        self.socket = socket.create_connection(
            (address.host, address.port), timeout=10, source_address=(own_address, 0)
        )
        # What is sent in pieces must arrive in pieces.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> str:
        """The next reply, its lines joined; empty when the server has closed the connection."""
        lines = []
        while line := self._file.readline().decode():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                break
        return "\n".join(lines)

    def reply_or_reset(self) -> str:
        with suppress(ConnectionResetError):
            return self.reply()
        return ""

    def say(self, line: bytes) -> str:
        self.send(line + b"\r\n")
        return self.reply()

    def start_tls(self) -> None:
        """STARTTLS up to the end of the handshake, whoever the certificate says it is."""
        assert self.say(self._hello).startswith("250")
        assert self.say(b"STARTTLS").startswith("220 ")
        self.shake_hands()

    def shake_hands(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)
        self._file = self.socket.makefile("rb")

    def open_data(self, *recipients: bytes) -> None:
        """Goes as far as the 354 of a mail from s@sender.test."""
        assert self.reply().startswith("220")
        self.go_to_data(*recipients)

    def go_to_data(self, *recipients: bytes) -> None:
        """The same, after the greeting."""
        assert self.say(self._hello).startswith("250")
        assert self.say(b"MAIL FROM:<s@sender.test>").startswith("250")
        for recipient in recipients or (b"ann@example.test",):
            assert self.say(b"RCPT TO:<" + recipient + b">").startswith("250")
        assert self.say(b"DATA").startswith("354")

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@dataclass
class Sidecar:
    """A running sidecar and what it stored."""

    clock: TestClock
    writer: TestWriter
    snapshot_path: Path
    spool_folder: Path
    loop: asyncio.AbstractEventLoop
    metrics: Metrics
    address: Listen = field(init=False)
    lmtp_address: Listen = field(init=False)
    server: SmtpServer = field(init=False)
    refusals: RefusalNotes = field(init=False)
    space_fault: Exception | None = None
    snapshot: DirectorySnapshot = SNAPSHOT
    clients: list[RawClient] = field(default_factory=list)

    def connect(self, own_address: str = "127.0.0.1", *, lmtp: bool = False) -> RawClient:
        address, hello = (self.lmtp_address, b"LHLO") if lmtp else (self.address, b"EHLO")
        client = RawClient(address, hello, own_address)
        self.clients.append(client)
        return client

    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP(self.address.host, self.address.port, "client.test", timeout=10)

    def age_snapshot(self, seconds: float) -> None:
        written_at = self.clock.now().timestamp() - seconds
        os.utime(self.snapshot_path, (written_at, written_at))

    def save_snapshot(self, snapshot: DirectorySnapshot) -> None:
        save_snapshot(self.snapshot_path, snapshot)
        self.age_snapshot(0)

    def run(self, coroutine: Coroutine[object, object, object]) -> object:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def settle(self) -> None:
        """Until the server has received what was sent to it so far."""
        for _ in range(3):
            self.run(asyncio.sleep(0))

    def stored(self) -> list[Item]:
        """Everything in the spool, as its reader finds it."""
        return asyncio.run(_read_all(self.spool_folder))

    def notes(self) -> list[RefusedMail]:
        """Every note of refused mail, after all were written."""
        self.run(self.refusals.write(ending=True))
        folder = RefusedMailFolder(self.spool_folder / "refused")
        return [note for file in folder.waiting() for note in folder.read(file)]

    def counted(self) -> dict[str, float]:
        """Every metric, as Prometheus's own parser understands the text: `name` or `name{cause}`
        with the values of its labels."""
        return {
            "".join(
                (sample.name, *(f"{{{value}}}" for _, value in sorted(sample.labels.items())))
            ): (sample.value)
            for family in text_string_to_metric_families(self.metrics.expose().decode())
            for sample in family.samples
        }

    def body_files(self) -> list[Path]:
        return list(self.spool_folder.glob("*/bodies/*"))

    def stop(self) -> None:
        self.begin_stop(10).result(20)

    def begin_stop(self, grace_seconds: float) -> "Future[None]":
        return asyncio.run_coroutine_threadsafe(self.server.stop(grace_seconds), self.loop)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        wait_until(condition)

    def wait_until_idle(self) -> None:
        """Until no connection is served any more."""
        wait_until(lambda: not self.server.connections)

    def wait_until_reset(self) -> None:
        """Until the server has noticed that all its clients have broken off."""
        wait_until(lambda: all(each._transport.is_closing() for each in self.server._connections))

    def fill_disk(self) -> None:
        self.space_fault = StorageFull("The disk is full.")

    def require_space(self) -> None:
        if self.space_fault is not None:
            raise self.space_fault


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


async def _read_all(spool_folder: Path) -> list[Item]:
    reader = await FolderSpoolReader.open(spool_folder, ids=Ids())
    items: list[Item] = []
    for producer in await reader.producers():
        position = await reader.start(producer)
        while True:
            batch = await reader.read(position, max_items=100, max_bytes=1 << 30)
            assert not batch.gaps
            items += batch.items
            if batch.next_position == position:
                break
            position = batch.next_position
    return items


@pytest.fixture
def connect() -> Iterator[Callable[..., RawClient]]:
    """Connects to an address, until the test ends; a second argument is the hello to say."""
    with ExitStack() as stack:
        yield lambda *address: stack.enter_context(closing(RawClient(*address)))


@pytest.fixture
def read_spool() -> Callable[[Path], list[Item]]:
    """Everything in the spool of a folder, as its reader finds it."""
    return lambda folder: asyncio.run(_read_all(folder))


@pytest.fixture
def start_sidecar(tmp_path: Path) -> Iterator[Callable[..., Sidecar]]:
    """Starts a sidecar on free ports. Keyword arguments are those of `SmtpLimits`, and
    `certificate`, `proxies`, `trusted`, `connections` and `rates`."""
    with ExitStack() as stack:

        def start(certificate: Certificate | None = None, **options: object) -> Sidecar:
            options["certificate"] = certificate
            return stack.enter_context(_running(tmp_path / "spool", options))

        yield start


@pytest.fixture
def certificate_files(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Writes a new certificate and its key, always to the same two files."""

    def write(name: str = "mx.example.test") -> tuple[Path, Path]:
        chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
        made = make_certificate(name)
        chain.write_bytes(made[0])
        key.write_bytes(made[1])
        return chain, key

    return write


@pytest.fixture
def certificate(certificate_files: Callable[..., tuple[Path, Path]], clock: Clock) -> Certificate:
    return Certificate(*certificate_files(), clock)


@pytest.fixture
def tls_sidecar(start_sidecar: Callable[..., Sidecar], certificate: Certificate) -> Sidecar:
    return start_sidecar(certificate)


@pytest.fixture
def sidecar(start_sidecar: Callable[..., Sidecar]) -> Sidecar:
    return start_sidecar()


@contextmanager
def _running(spool_folder: Path, options: dict[str, Any]) -> Iterator[Sidecar]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        ready: Future[Sidecar] = Future()
        ended = asyncio.Event()
        thread = threading.Thread(
            target=runner.run, args=(_serve(spool_folder, options, ready, ended),)
        )
        thread.start()
        sidecar = ready.result(10)
        try:
            yield sidecar
        finally:
            for client in sidecar.clients:
                client.close()
            sidecar.writer.may_put.set()
            loop.call_soon_threadsafe(ended.set)
            thread.join(20)


async def _serve(
    spool_folder: Path, options: dict[str, Any], ready: "Future[Sidecar]", ended: asyncio.Event
) -> None:
    clock, ids = TestClock(), Ids()
    metrics = Metrics()
    writer = TestWriter(
        await FolderSpoolWriter.open(
            spool_folder,
            "smtp",
            clock=clock,
            ids=ids,
            limits=FolderLimits(min_free_bytes=0),
            metrics=SpoolMetrics(metrics),
        )
    )
    path = spool_folder / "directory.snapshot"
    sidecar = Sidecar(clock, writer, path, spool_folder, asyncio.get_running_loop(), metrics)
    sidecar.save_snapshot(SNAPSHOT)
    certificate: Certificate | None = options.pop("certificate")
    proxies: str = options.pop("proxies", "")
    trusted = options.pop("trusted", LOOPBACK)
    connection_limits = options.pop("connections", ConnectionLimits())
    rates = Rates(options.pop("rates", RateLimits()))
    directory = SnapshotFile(path, clock)
    sidecar.refusals = RefusalNotes(
        RefusedMailFolder(spool_folder / "refused"), directory, metrics, clock, ids
    )
    handler = MailHandler(
        writer=writer,
        directory=directory,
        require_space=sidecar.require_space,
        limits=SmtpLimits(**{"max_message_bytes": 4_000_000, **options}),
        metrics=SmtpMetrics(sidecar.metrics),
        rates=rates,
        refusals=sidecar.refusals,
        hostname="mx.example.test",
        clock=clock,
        ids=ids,
    )
    connections = Connections(connection_limits, rates, Origins(trusted))
    sidecar.server = SmtpServer(handler, connections, certificate, Networks.parse(proxies))
    (sidecar.address,) = await sidecar.server.start(Listen("127.0.0.1", 0))
    (sidecar.lmtp_address,) = await sidecar.server.start(Listen("127.0.0.1", 0), LmtpDialogue)
    ready.set_result(sidecar)
    await ended.wait()
    await sidecar.server.stop(1)
    await writer.close()
