"""A spool, the pipeline behind it, and a mailbox to deliver to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import msgspec

from app.assembly import Services
from app.directory.mailboxes import Mailbox
from app.eventlog.event import Event
from app.eventlog.read import EventFilter, read_events
from app.inbound.pipeline.drain import Drain
from app.inbox.listing import Access, MessageRow, list_messages
from app.storage.spool.port import Envelope, ItemMetadata, SpoolWriter

PREFIX = b"Return-Path: <>\r\nReceived: from test by pillarbox; Sun, 22 Nov 2026 06:00:00 +0000\r\n"


@dataclass
class Mailroom:
    services: Services
    writer: SpoolWriter
    drain: Drain
    mailbox: Mailbox

    async def spool(self, data: bytes, *recipients: str, **changes: Any) -> ItemMetadata:
        """Puts DATA into the spool as the sidecar does, for the mailbox unless told otherwise.
        `changes` are of the metadata."""
        metadata = ItemMetadata(
            item_id=self.services.ids.new(),
            trace_id=uuid4(),
            received_at=self.services.clock.now(),
            envelope=Envelope("sender@example.org", recipients or (self.mailbox.address,)),
            source="smtp",
            source_id="",
            client_address="192.0.2.1",
            client_name="client.example.org",
            prefix_size_bytes=len(PREFIX),
        )
        metadata = msgspec.structs.replace(metadata, **changes)
        await self.writer.put(metadata, PREFIX + data)
        return metadata

    async def take_in(self) -> None:
        while await self.drain.take_what_is_there():
            pass

    async def rows(self, mailbox: Mailbox | None = None) -> Sequence[MessageRow]:
        mailbox = mailbox or self.mailbox
        access = Access(mailbox.tenant_id, [mailbox.id])
        return (await list_messages(self.services.database, access, limit=200)).rows

    async def events(self, *types: str) -> Sequence[Event]:
        wanted = EventFilter(types=types or None)
        return await read_events(self.services.database, after=0, wanted=wanted, limit=1000)

    async def quarantined(self) -> Sequence[tuple[UUID, str, str]]:
        items = await self.services.quarantine.list()
        return [(item.item_id, item.stage, item.reason) for item in items]

    async def add_mailbox(self, address: str) -> Mailbox:
        return await self.services.mailboxes.add(address, self.mailbox.tenant_id)
