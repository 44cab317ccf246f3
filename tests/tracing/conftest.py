"""Everything that a mail passes, in one process: a sidecar on a socket, the pipeline, consumers."""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from certificates import make_certificate
from clocks import MovableClock
from conditions import eventually
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE, Grant
from app.access.permissions import DEFAULT_SCOPES, Permission
from app.core.metrics import Metrics
from app.directory.snapshot import SnapshotFile, snapshot_path
from app.eventlog.event import Event
from app.inbound.smtpd.connections import ConnectionLimits, Connections
from app.inbound.smtpd.handler import MailHandler
from app.inbound.smtpd.limits import SmtpLimits
from app.inbound.smtpd.metrics import SmtpMetrics
from app.inbound.smtpd.origins import Origins
from app.inbound.smtpd.rates import RateLimits, Rates
from app.inbound.smtpd.refusals import RefusalNotes
from app.inbound.smtpd.server import SmtpServer
from app.inbound.smtpd.tls import Certificate
from app.settings import LOOPBACK, Listen
from app.storage.refused_mail import RefusedMailFolder
from app.storage.spool.port import ItemMetadata, SpoolWriter
from app.tracing.traces import Trace

MAIL = b"From: ada@example.org\r\nMessage-ID: <1@example.org>\r\nSubject: Hello\r\n\r\nHi\r\n"


class FaultyWriter:
    """The mailroom's writer, with an error for the next puts."""

    def __init__(self, writer: SpoolWriter) -> None:
        self._writer = writer
        self.fault: Exception | None = None

    async def put(self, metadata: ItemMetadata, raw: bytes | Path) -> None:
        if self.fault is not None:
            raise self.fault
        await self._writer.put(metadata, raw)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)


@dataclass
class Gate:
    """A listening sidecar, and all that is behind it."""

    mailroom: Mailroom
    writer: FaultyWriter
    refusals: RefusalNotes
    address: Listen

    async def send(
        self, *recipients: str, data: bytes = MAIL, tls: bool = False
    ) -> dict[str, tuple[int, bytes]] | Exception:
        """What smtplib says: the recipients that were refused, or the error that it raises."""
        return await asyncio.to_thread(self._send, recipients, data, tls)

    def _send(self, recipients: Sequence[str], data: bytes, tls: bool) -> Any:
        host, port = self.address.host, self.address.port
        with smtplib.SMTP(host, port, "client.example.org", timeout=20) as client:
            if tls:
                client.starttls()
            try:
                return client.sendmail("ada@example.org", recipients, data)
            except smtplib.SMTPException as error:
                return error

    async def take_in(self) -> None:
        await self.mailroom.take_in()
        await self.refusals.write(ending=True)
        await self.mailroom.services.refused_mail_reader().take_what_is_there()

    async def last_event(self, kind: str) -> Event:
        return (await self.mailroom.events(kind))[-1]

    async def explain(self, trace_id: UUID, **changes: Any) -> Trace:
        return await self.mailroom.services.traces.explain(self.grant(**changes), trace_id)

    def grant(self, **changes: Any) -> Grant:
        """Of a key that reaches the whole tenant."""
        values: dict[str, Any] = {
            "actor": COMMAND_LINE,
            "tenant_id": self.mailroom.mailbox.tenant_id,
            "permissions": frozenset(DEFAULT_SCOPES | {Permission.ADMIN}),
        }
        return Grant(**(values | changes))


@pytest.fixture
async def gate(mailroom: Mailroom, clock: MovableClock, tmp_path: Path) -> AsyncIterator[Gate]:
    services = mailroom.services
    settings, ids, metrics = services.settings, services.ids, Metrics()
    writing = asyncio.create_task(services.snapshot_writer().run())
    directory = SnapshotFile(snapshot_path(settings), clock)

    async def is_written() -> bool:
        snapshot = directory.current()
        return snapshot is not None and mailroom.mailbox.address in snapshot.mailboxes

    await eventually(is_written)
    refusals = RefusalNotes(RefusedMailFolder.of(settings), directory, metrics, clock, ids)
    rates = Rates(RateLimits())
    writer = FaultyWriter(mailroom.writer)
    handler = MailHandler(
        writer=writer,
        directory=directory,
        require_space=lambda: None,
        limits=SmtpLimits(max_message_bytes=1_000_000),
        metrics=SmtpMetrics(metrics),
        rates=rates,
        refusals=refusals,
        hostname="mx.example.test",
        clock=clock,
        ids=ids,
    )
    files = tmp_path / "chain.pem", tmp_path / "key.pem"
    for file, content in zip(files, make_certificate("mx.example.test"), strict=True):
        file.write_bytes(content)
    server = SmtpServer(
        handler,
        Connections(ConnectionLimits(), rates, Origins(LOOPBACK)),
        Certificate(*files, clock),
    )
    (address,) = await server.start(Listen("127.0.0.1", 0))
    yield Gate(mailroom, writer, refusals, address)
    await server.stop(1)
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
