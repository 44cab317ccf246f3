"""Checking who sent each message, beside its way to the inbox, and again where the DNS failed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from app.core.backoff import Backoff
from app.core.clock import Clock
from app.core.errors import Unavailable
from app.core.log import get_logger
from app.eventlog.append import EventLog
from app.eventlog.event import Event, NewEvent
from app.eventlog.types import EventType
from app.inbound.authentication.authenticator import Arrived, Authenticator
from app.inbound.authentication.results import Finding, Findings, Result
from app.storage.blobs.keys import raw_key
from app.storage.blobs.port import BlobStore
from app.storage.db.database import Connection, Database

_log = get_logger("authentication")
_AT_ONCE = 16
_RETRIES_AT_ONCE = 50
# Seven tries: at once, and then within about five hours.
_MAX_ATTEMPTS = 7
_BACKOFF = Backoff(first_seconds=300, ceiling_seconds=14_400)

_BROKEN = Finding(Result.PERMERROR, reason="check-failed")
_UNCHECKED = Findings(_BROKEN, _BROKEN, _BROKEN, policy="", is_aligned=False)

_SELECT = """
select message.id, message.tenant_id, mailbox_id, trace_id, sha256, envelope_from, client_address,
    client_name, received_at, coalesce(attempts, 0) as attempts, spf, dkim, dmarc
from message left join message_authentication as checked on checked.message_id = message.id
"""

_UPSERT = """
insert into message_authentication
select new.* from json_populate_recordset(null::message_authentication, $1::json) as new
join message on message.id = new.message_id
for key share of message
on conflict (message_id) do update set
    spf = excluded.spf, spf_domain = excluded.spf_domain, spf_reason = excluded.spf_reason,
    dkim = excluded.dkim, dkim_domain = excluded.dkim_domain, dkim_reason = excluded.dkim_reason,
    dmarc = excluded.dmarc, dmarc_reason = excluded.dmarc_reason,
    dmarc_policy = excluded.dmarc_policy, from_domain = excluded.from_domain,
    is_aligned = excluded.is_aligned, attempts = excluded.attempts,
    next_attempt_at = excluded.next_attempt_at, checked_at = excluded.checked_at
"""


@dataclass(frozen=True, slots=True)
class _Subject:
    """A message to check. The results are those of an earlier try, if there was one."""

    id: UUID
    tenant_id: UUID
    mailbox_id: UUID
    trace_id: UUID
    sha256: bytes
    envelope_from: str
    client_address: str
    client_name: str
    received_at: datetime
    attempts: int
    spf: str | None
    dkim: str | None
    dmarc: str | None


@dataclass(frozen=True, slots=True)
class Authentication:
    """The consumer named `authentication`. Checking a message twice does no harm."""

    database: Database
    log: EventLog
    blobs: BlobStore
    authenticator: Authenticator
    clock: Clock
    name: str = "authentication"
    types: Sequence[str] = (EventType.INGEST_RECEIVED,)
    batch_size: int = 50
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def handle(self, events: Sequence[Event]) -> Sequence[NewEvent]:
        """Checks the messages that arrived; those that are gone meanwhile are passed over."""
        subjects = await self._load(
            "where message.id = any($1::uuid[])", [event.subject_id for event in events]
        )
        found = await self._check_all(subjects)
        async with self.database.transaction() as connection:
            await self._store(connection, found)
        return [_updated(subject, findings) for subject, findings in found]

    async def check_again(self) -> int:
        """Checks messages to which the DNS owed an answer and whose time has come. Returns how
        many there were. Safe to run twice at once."""
        subjects = await self._load(
            "where next_attempt_at <= $1 order by next_attempt_at limit $2",
            self.clock.now(),
            _RETRIES_AT_ONCE,
        )
        found = await self._check_all(subjects)
        async with self.log.transaction() as transaction:
            await self._store(transaction.connection, found)
            transaction.tell(*(_updated(*pair) for pair in found if _is_changed(*pair)))
        return len(found)

    async def _load(self, condition: str, *arguments: Any) -> Sequence[_Subject]:
        rows = await self.database.fetch(_SELECT + condition, *arguments)
        return [_Subject(**row) for row in rows]

    async def _check_all(self, subjects: Sequence[_Subject]) -> Sequence[tuple[_Subject, Findings]]:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._check(subject)) for subject in subjects]
        return [(subject, task.result()) for subject, task in zip(subjects, running, strict=True)]

    async def _check(self, subject: _Subject) -> Findings:
        """Whatever is wrong with one message, those behind it must not wait for a new release."""
        key = raw_key(subject.tenant_id, subject.sha256)
        async with self._places:
            try:
                about = await self.blobs.metadata(key)
                arrived = Arrived(
                    client_address=subject.client_address,
                    client_name=subject.client_name,
                    mail_from=subject.envelope_from,
                    received_at=subject.received_at,
                    prefix_size_bytes=int(about.get("prefix-size-bytes", "0")),
                )
                findings = await self.authenticator.check(arrived, self.blobs.stream(key))
            except Unavailable:
                raise
            except Exception:
                _log.exception("message.checked", message_id=str(subject.id), outcome="failed")
                return _UNCHECKED
        _log.info(
            "message.checked",
            message_id=str(subject.id),
            **_results(findings),
            outcome="final" if findings.is_final else "to be checked again",
        )
        return findings

    async def _store(
        self, connection: Connection, found: Sequence[tuple[_Subject, Findings]]
    ) -> None:
        rows = [_row(subject, findings, self.clock.now()) for subject, findings in found]
        if rows:
            await connection.execute(_UPSERT, msgspec.json.encode(rows).decode())


def _row(subject: _Subject, findings: Findings, now: datetime) -> dict[str, Any]:
    attempts = subject.attempts + 1
    next_attempt_at = None
    if not findings.is_final and attempts < _MAX_ATTEMPTS:
        next_attempt_at = now + timedelta(seconds=_BACKOFF.delay_seconds(attempts))
    return {
        "message_id": subject.id,
        "tenant_id": subject.tenant_id,
        "spf": findings.spf.result,
        "spf_domain": findings.spf.domain,
        "spf_reason": findings.spf.reason,
        "dkim": findings.dkim.result,
        "dkim_domain": findings.dkim.domain,
        "dkim_reason": findings.dkim.reason,
        "dmarc": findings.dmarc.result,
        "dmarc_reason": findings.dmarc.reason,
        "dmarc_policy": findings.policy,
        "from_domain": findings.dmarc.domain,
        "is_aligned": findings.is_aligned,
        "attempts": attempts,
        "next_attempt_at": next_attempt_at,
        "checked_at": now,
    }


def _is_changed(subject: _Subject, findings: Findings) -> bool:
    before = {"spf": subject.spf, "dkim": subject.dkim, "dmarc": subject.dmarc}
    return before != _results(findings)


def _results(findings: Findings) -> dict[str, str]:
    return {
        "spf": findings.spf.result.value,
        "dkim": findings.dkim.result.value,
        "dmarc": findings.dmarc.result.value,
    }


def _updated(subject: _Subject, findings: Findings) -> NewEvent:
    return NewEvent(
        EventType.MESSAGE_UPDATED,
        trace_id=subject.trace_id,
        subject=("message", subject.id),
        tenant_id=subject.tenant_id,
        mailbox_id=subject.mailbox_id,
        data={"authentication": _results(findings)},
    )
