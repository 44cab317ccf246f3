"""From the sidecar's notes of what it refused to rows and events of the tenants they concern."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import msgspec

from app.core.backoff import Backoff
from app.core.errors import PillarboxError, Unavailable
from app.core.log import get_logger
from app.eventlog.append import MAX_EVENTS_PER_APPEND, EventLog, Transaction
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.mime.addresses import normalise_address
from app.storage.refused_mail import RefusedMail, RefusedMailFolder

_log = get_logger("refused")
_LOOK_EVERY_SECONDS = 1.0
_PAUSE = Backoff(first_seconds=0.1, ceiling_seconds=5)

_INSERT = """
insert into refused_mail
    (id, tenant_id, refused_at, client_address, client_name, mail_from, recipient, code,
     enhanced_code, cause, reply, sampled_out, trace_id, handover)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (id) do nothing returning true
"""


@dataclass(frozen=True, slots=True)
class RefusedMailReader:
    """Takes in every note, at least once; one that was taken in already changes nothing."""

    folder: RefusedMailFolder
    log: EventLog

    async def run(self) -> None:
        """Until cancelled. While the database is down the notes wait."""
        failures = 0
        while True:
            try:
                await self.take_what_is_there()
                failures = 0
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
            except PillarboxError as error:
                failures += 1
                _log.warning("refused.pause", outcome="waiting", reason=str(error))
                await asyncio.sleep(_PAUSE.delay_seconds(failures))

    async def take_what_is_there(self) -> int:
        """Returns how many notes were new. A file goes when all that it holds is committed.

        Raises `Unavailable` when the database or the disk is.
        """
        taken = 0
        try:
            for file in await asyncio.to_thread(self.folder.waiting):
                taken += await self._take_file(file)
                await asyncio.to_thread(file.unlink, missing_ok=True)
        except OSError as error:
            raise Unavailable(f"Notes of refused mail cannot be read: {error}.") from error
        return taken

    async def _take_file(self, file: Path) -> int:
        notes = await asyncio.to_thread(self.folder.read, file)
        taken = 0
        for start in range(0, len(notes), MAX_EVENTS_PER_APPEND):
            async with self.log.transaction() as transaction:
                taken += await _take(transaction, notes[start : start + MAX_EVENTS_PER_APPEND])
        _log.info("refused.taken", notes=len(notes), new=taken, outcome="recorded")
        return taken


async def _take(transaction: Transaction, notes: Sequence[RefusedMail]) -> int:
    """Rows and events of those notes whose domain has a tenant and which are not there yet.

    Not those of temporary inboxes: their addresses are secrets that end with them.
    """
    addresses = [normalise_address(note.recipient) for note in notes]
    tenants = await _find_tenants(transaction, addresses)
    mailboxes = await _find_mailboxes(transaction, addresses)
    taken = 0
    for note, address in zip(notes, addresses, strict=True):
        tenant_id = tenants.get(address.rpartition("@")[2])
        if tenant_id is not None and await _keep(transaction, note, tenant_id):
            transaction.tell(_event_of(note, tenant_id, mailboxes.get(address)))
            taken += 1
    return taken


async def _find_tenants(transaction: Transaction, addresses: Sequence[str]) -> Mapping[str, UUID]:
    rows = await transaction.connection.fetch(
        """select domain.name, tenant_id from domain join tenant on tenant.id = tenant_id
        where domain.name = any($1::text[]) and status <> 'pending' and plan <> 'temporary'""",
        [address.rpartition("@")[2] for address in addresses],
    )
    return {row["name"]: row["tenant_id"] for row in rows}


async def _find_mailboxes(transaction: Transaction, addresses: Sequence[str]) -> Mapping[str, UUID]:
    rows = await transaction.connection.fetch(
        "select address, id from mailbox where address = any($1::text[]) and detached_at is null",
        addresses,
    )
    return {row["address"]: row["id"] for row in rows}


async def _keep(transaction: Transaction, note: RefusedMail, tenant_id: UUID) -> bool:
    """Whether the note was new."""
    kept = await transaction.connection.fetchval(
        _INSERT,
        note.id,
        tenant_id,
        note.refused_at,
        note.client_address[:45],
        _storable(note.client_name),
        _storable(note.mail_from),
        _storable(note.recipient),
        note.code,
        note.enhanced_code[:10],
        note.cause[:40],
        _storable(note.reply),
        note.sampled_out,
        note.trace_id,
        msgspec.json.encode(note.handover).decode() if note.handover else None,
    )
    return kept is True


def _storable(text: str) -> str:
    """Postgres takes no NUL."""
    return text.replace("\0", "")[:1000]


def _event_of(note: RefusedMail, tenant_id: UUID, mailbox_id: UUID | None) -> NewEvent:
    return NewEvent(
        EventType.MESSAGE_REJECTED,
        trace_id=note.trace_id,
        subject=("refused_mail", note.id),
        tenant_id=tenant_id,
        mailbox_id=mailbox_id,
        data={
            "code": note.code,
            "enhanced_code": note.enhanced_code,
            "cause": note.cause,
            "sampled_out": note.sampled_out,
        },
    )
