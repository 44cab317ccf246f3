"""Keeping the sidecar's snapshot true: written on every change of the directory, touched between.

It follows the event log; the position it has reached stands in the snapshot itself. Domains are few
and are read at every look, since what changes their policy is no event.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from app.core.backoff import Backoff
from app.core.errors import PillarboxError
from app.core.log import get_logger
from app.directory.route_patterns import is_wildcard
from app.directory.snapshot import (
    DirectorySnapshot,
    DomainEntry,
    MailboxEntry,
    PatternEntry,
    save_snapshot,
    touch_snapshot,
)
from app.eventlog.read import EventFilter, last_position, read_events
from app.eventlog.types import EventType
from app.storage.db.database import Database
from app.storage.doorbell import Bell, Doorbell

_log = get_logger("directory")
_TOUCH_SECONDS = 2.0
# Changes come in bursts; together with this wait a change is out within 100 ms.
_COALESCE_SECONDS = 0.03
_EVENTS_PER_READ = 1000
_PAUSE = Backoff(first_seconds=0.1, ceiling_seconds=2)
_OF_DIRECTORY = EventFilter(
    types=[
        EventType.DOMAIN_VERIFIED,
        EventType.DOMAIN_MX_LOST,
        EventType.DOMAIN_MX_RECOVERED,
        EventType.DOMAIN_SUSPENDED,
        EventType.DOMAIN_RELEASED,
        EventType.DOMAIN_REMOVED,
        EventType.MAILBOX_CREATED,
        EventType.MAILBOX_EXTENDED,
        EventType.MAILBOX_CLOSED,
        EventType.MAILBOX_EXPIRED,
        EventType.ACCESS_ROUTE_ADDED,
        EventType.ACCESS_ROUTE_CHANGED,
        EventType.ACCESS_ROUTE_REMOVED,
    ]
)


@dataclass(slots=True)
class SnapshotWriter:
    """Writes the snapshot at `path` for as long as it runs."""

    database: Database
    doorbell: Doorbell
    path: Path
    temporary_max_message_bytes: int
    """Of mail for domains of the temporary plan; 0 for no limit of their own."""
    _domains: dict[str, DomainEntry] = field(default_factory=dict)
    _mailboxes: dict[str, MailboxEntry] = field(default_factory=dict)
    _addresses: dict[UUID, str] = field(default_factory=dict)
    _aliases: dict[str, MailboxEntry] = field(default_factory=dict)
    _patterns: dict[str, list[PatternEntry]] = field(default_factory=dict)
    _targets: frozenset[UUID] = frozenset()

    async def run(self) -> None:
        """Until cancelled. While the database is down the snapshot grows old, which says so."""
        failures = 0
        ear = self.doorbell.listen_for(Bell.EVENTS)
        while True:
            try:
                position = await self._write_whole()
                while True:
                    failures = 0
                    await ear.wait(_TOUCH_SECONDS)
                    await asyncio.sleep(_COALESCE_SECONDS)
                    position = await self._follow(position)
            except PillarboxError as error:
                failures += 1
                _log.warning("directory.snapshot", outcome="waiting", reason=str(error))
                await asyncio.sleep(_PAUSE.delay_seconds(failures))

    async def _write_whole(self) -> int:
        """The position is read first: a change after it is read again, which does no harm."""
        position = await last_position(self.database)
        await self._read_domains()
        self._mailboxes.clear()
        self._addresses.clear()
        await self._read_mailboxes(None)
        await self._read_routes()
        await self._save(position)
        return position

    async def _follow(self, position: int) -> int:
        newest = await last_position(self.database)
        changed: set[UUID] = set()
        routes_changed = False
        while events := await read_events(
            self.database, after=position, wanted=_OF_DIRECTORY, limit=_EVENTS_PER_READ
        ):
            position = events[-1].position
            changed |= {event.subject_id for event in events}
            routes_changed |= any(event.subject_type == "route" for event in events)
        domains = self._domains
        await self._read_domains()
        if changed:
            await self._read_mailboxes(changed)
        if routes_changed or changed & self._targets or self._domains != domains:
            await self._read_routes()
        if changed or self._domains != domains:
            await self._save(position)
        else:
            await asyncio.to_thread(touch_snapshot, self.path)
        return max(position, newest)

    async def _read_domains(self) -> None:
        rows = await self.database.fetch(
            """select domain.name, recipient_policy, status, exists (
                select from mailbox
                where mailbox.address = '@' || domain.name and detached_at is null) as catch_all,
                case when tenant.plan = 'temporary' then $1 else 0 end as max_message_bytes
            from domain join tenant on tenant.id = tenant_id where status <> 'pending'""",
            self.temporary_max_message_bytes,
        )
        self._domains = {
            row["name"]: DomainEntry(
                row["recipient_policy"],
                row["status"],
                row["catch_all"],
                row["max_message_bytes"],
            )
            for row in rows
        }

    async def _read_mailboxes(self, only: Collection[UUID] | None) -> None:
        """All mailboxes, or these again and those of these domains; what is no longer there, or
        receives no more, is taken out."""
        rows = await self.database.fetch(
            """select id, address, expires_at, detached_at from mailbox
            where $1::uuid[] is null or id = any($1) or domain_id = any($1)""",
            None if only is None else list(only),
        )
        for mailbox_id in {*(only or ()), *(row["id"] for row in rows)}:
            self._mailboxes.pop(self._addresses.pop(mailbox_id, ""), None)
        for row in rows:
            if row["detached_at"] is not None:
                continue
            self._addresses[row["id"]] = row["address"]
            self._mailboxes[row["address"]] = MailboxEntry(row["expires_at"])

    async def _read_routes(self) -> None:
        """All of them, each until the last mailbox that it leads to is gone. They are few, and
        their changes seldom."""
        rows = await self.database.fetch(
            """select domain.name, pattern, array_agg(mailbox.id) as mailbox_ids,
                nullif(max(coalesce(expires_at, 'infinity')), 'infinity') as expires_at
            from route
            join domain on domain.id = domain_id and domain.status <> 'pending'
            join route_target on route_id = route.id
            join mailbox on mailbox.id = mailbox_id and mailbox.tenant_id = route.tenant_id
            group by domain.name, pattern"""
        )
        self._aliases, self._patterns = {}, {}
        for row in rows:
            if is_wildcard(row["pattern"]):
                entry = PatternEntry(row["pattern"], row["expires_at"])
                self._patterns.setdefault(row["name"], []).append(entry)
            else:
                address = f"{row['pattern']}@{row['name']}"
                self._aliases[address] = MailboxEntry(row["expires_at"])
        self._targets = frozenset(each for row in rows for each in row["mailbox_ids"])

    async def _save(self, position: int) -> None:
        snapshot = DirectorySnapshot(
            position, self._domains, self._mailboxes, self._aliases, self._patterns
        )
        await asyncio.to_thread(save_snapshot, self.path, snapshot)
        _log.info(
            "directory.snapshot",
            domains=len(self._domains),
            mailboxes=len(self._mailboxes),
            outcome="written",
        )
