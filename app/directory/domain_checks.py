"""Checking domains: looking at their records, and doing what `domain_policy` makes of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from app.core.clock import Clock
from app.core.errors import NotFound
from app.core.ids import Ids
from app.core.log import get_logger
from app.directory.check_history import Check, CheckOutcome, keep_check, list_checks
from app.directory.domain_dns import DomainDns
from app.directory.domain_policy import (
    DomainChange,
    DomainState,
    DomainStatus,
    Finding,
    advance,
    choose_next_check,
)
from app.directory.domain_records import DnsRecord, Installation, list_records
from app.directory.domains import COLUMNS, Domain, read_domain
from app.directory.owner_notices import OwnerNews, queue_notices
from app.directory.ownership import (
    attach_mailboxes,
    check_holder_now,
    find_holder,
    may_be_released,
    release,
)
from app.directory.sightings import Sighting, observe
from app.directory.signing_keys import SigningKeys
from app.eventlog.append import EventLog, Transaction
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.storage.db.database import Database

_LEASE = timedelta(minutes=2)
_AT_ONCE = 10
_log = get_logger("domains")

_EVENTS = {
    DomainChange.VERIFIED: EventType.DOMAIN_VERIFIED,
    DomainChange.MX_LOST: EventType.DOMAIN_MX_LOST,
    DomainChange.MX_RECOVERED: EventType.DOMAIN_MX_RECOVERED,
    DomainChange.SUSPENDED: EventType.DOMAIN_SUSPENDED,
    DomainChange.RELEASED: EventType.DOMAIN_RELEASED,
}


@dataclass(frozen=True, slots=True)
class DomainChecks:
    """Checks on demand and by the clock, which may run beside each other."""

    database: Database
    log: EventLog
    dns: DomainDns
    keys: SigningKeys
    installation: Installation
    clock: Clock
    ids: Ids

    async def list_records(self, domain: Domain) -> Sequence[DnsRecord]:
        """What the domain should have in the DNS."""
        return list_records(
            domain.name,
            verification_token=domain.verification_token,
            mta_sts_mode=domain.mta_sts_mode,
            key=await self.keys.ensure(domain),
            installation=self.installation,
        )

    async def check(self, domain: Domain) -> Check:
        """Looks now, as somebody asked. A domain that is not monitored stays what it is.

        Whoever asks is at work on the records, so the next checks come soon again. Raises
        `NotFound` when the domain was removed meanwhile.
        """
        return await self._check(domain, is_asked_for=True)

    async def check_due(self) -> int:
        """Checks some of the domains whose time has come. How many there were."""
        now = self.clock.now()
        rows = await self.database.fetch(_CLAIM, now, now + _LEASE, _AT_ONCE)
        await asyncio.gather(*(self._check_leased(read_domain(row)) for row in rows))
        return len(rows)

    async def list_checks(self, domain: Domain, limit: int = 30) -> Sequence[Check]:
        """What was seen of the domain, the newest first."""
        return await list_checks(self.database, domain, limit)

    async def _check_leased(self, domain: Domain) -> None:
        """One that breaks must not keep the others from being checked; its lease runs out."""
        try:
            await self._check(domain, is_asked_for=False)
        except Exception as error:
            _log.warning(
                "domain.check", domain_id=str(domain.id), outcome="failed", reason=str(error)
            )

    async def _check(self, domain: Domain, *, is_asked_for: bool) -> Check:
        began_at = self.clock.now()
        sightings = await self.dns.look(await self.list_records(domain))
        try:
            check = await self._settle(domain.id, sightings, began_at, is_asked_for)
        except asyncpg.UniqueViolationError:  # two tenants were verified at one moment
            check = await self._settle(domain.id, sightings, began_at, is_asked_for)
        _log.info(
            "domain.check",
            domain_id=str(domain.id),
            outcome=check.outcome.value,
            status=check.status.value,
            changes=[change.value for change in check.changes],
        )
        return check

    async def _settle(
        self,
        domain_id: UUID,
        sightings: Sequence[Sighting],
        began_at: datetime,
        is_asked_for: bool,
    ) -> Check:
        async with self.log.transaction() as transaction:
            row = await transaction.connection.fetchrow(
                f"select {COLUMNS} from domain where id = $1 for update", domain_id
            )
            if row is None:
                raise NotFound("This domain was removed.")
            settlement = _Settlement(self, transaction, read_domain(row), began_at)
            return await settlement.conclude(sightings, is_asked_for=is_asked_for)


@dataclass(frozen=True, slots=True)
class _Settlement:
    """One check of one domain, whose row is locked."""

    checks: DomainChecks
    transaction: Transaction
    domain: Domain
    now: datetime

    async def conclude(self, sightings: Sequence[Sighting], *, is_asked_for: bool) -> Check:
        observation = observe(sightings)
        is_firm = Finding.UNKNOWN not in (observation.ownership, observation.mx)
        outcome = CheckOutcome.CONCLUDED if is_firm else CheckOutcome.UNKNOWN
        after: DomainState = self.domain.state
        changes: Sequence[DomainChange] = ()
        if self._may_change():
            after, changes = advance(self.domain.state, observation, self.now)
        if self.domain.status is DomainStatus.PENDING and changes and not await self._take_name():
            after, changes, outcome = self.domain.state, (), CheckOutcome.HELD_ELSEWHERE
        alike = 1 if changes or is_asked_for else self.domain.checks_alike + 1
        next_check_at = (
            choose_next_check(after.status, observation, alike, self.now)
            if self.domain.is_monitored
            else None
        )
        await self._save(after, next_check_at, alike)
        for change in changes:
            await self._tell(self.domain, change, after)
        return await self._keep(self.domain, after.status, changes, outcome, sightings)

    def _may_change(self) -> bool:
        """Not when an operator vouches for it, nor when a check that began later was quicker."""
        checked_at = self.domain.checked_at
        return self.domain.is_monitored and (checked_at is None or checked_at <= self.now)

    async def _take_name(self) -> bool:
        """Whether this tenant may have the name. Its holder loses it only without its record."""
        connection = self.transaction.connection
        holder = await find_holder(connection, self.domain)
        if holder is not None and not may_be_released(holder):
            await check_holder_now(connection, holder, self.now)
            return False
        if holder is not None:
            await release(connection, holder, self.now)
            await self._tell(holder, DomainChange.RELEASED, DomainState(DomainStatus.PENDING))
            changes = (DomainChange.RELEASED,)
            await self._keep(holder, DomainStatus.PENDING, changes, CheckOutcome.RELEASED, ())
        await attach_mailboxes(connection, self.domain.id)
        return True

    async def _save(self, after: DomainState, next_check_at: datetime | None, alike: int) -> None:
        is_new_owner = after.status is not DomainStatus.PENDING and self.domain.verified_at is None
        await self.transaction.connection.execute(
            """update domain set status = $2, mx_lost_at = $3, ownership_lost_at = $4,
                next_check_at = $5, checks_alike = $6, checked_at = $7,
                verified_at = case when $8 then $7 else verified_at end
            where id = $1""",
            self.domain.id,
            after.status,
            after.mx_lost_at,
            after.ownership_lost_at,
            next_check_at,
            alike,
            self.now,
            is_new_owner,
        )

    async def _tell(self, domain: Domain, change: DomainChange, after: DomainState) -> None:
        facts: dict[str, Any] = {}
        reason = ""
        if change is DomainChange.VERIFIED:
            receives = after.status is DomainStatus.VERIFIED
            facts, reason = {"vouched": False, "receives": receives}, "" if receives else "mx"
        elif change is DomainChange.SUSPENDED:
            reason = "mx" if after.ownership_lost_at is None else "ownership"
            facts = {"reason": reason}
        self.transaction.tell(
            NewEvent(
                _EVENTS[change],
                trace_id=self.checks.ids.new(),
                subject=("domain", domain.id),
                tenant_id=domain.tenant_id,
                data=facts,
            )
        )
        await queue_notices(
            self.transaction.connection,
            domain.tenant_id,
            OwnerNews("domain", domain.id, domain.name, change.value, reason),
            self.checks.ids,
            self.now,
        )

    async def _keep(
        self,
        domain: Domain,
        status: DomainStatus,
        changes: Sequence[DomainChange],
        outcome: CheckOutcome,
        sightings: Sequence[Sighting],
    ) -> Check:
        check = Check(status, changes, outcome, sightings, 1, self.now, self.now)
        await keep_check(self.transaction.connection, domain, check, self.checks.ids.new())
        return check


_CLAIM = f"""
update domain set next_check_at = $2 where id in (
    select id from domain where monitored and next_check_at <= $1
    order by next_check_at limit $3 for update skip locked
)
returning {COLUMNS}
"""
