"""Changes of domains that people and programs make, each noted in the audit trail."""

from dataclasses import dataclass
from uuid import UUID

from app.access.audit import Audit, Facts
from app.access.grants import Actor
from app.directory.domains import Domain, Domains
from app.eventlog.append import EventLog, Transaction
from app.eventlog.types import EventType


@dataclass(frozen=True, slots=True)
class DomainChanges:
    """Each is one transaction with its entry. What the actor may change is for the caller to have
    asked. Raises what `Domains` does."""

    log: EventLog
    domains: Domains
    audit: Audit

    async def add(
        self, actor: Actor, tenant_id: UUID, name: str, *, vouched: bool = False
    ) -> Domain:
        """A domain of the tenant, pending unless an operator vouches for it."""
        async with self.log.unit() as unit:
            domain = await self.domains.add(name, tenant_id, vouched=vouched)
            await self._note(
                unit, actor, EventType.ACCESS_DOMAIN_ADDED, domain, {"vouched": vouched}
            )
        return domain

    async def change(
        self,
        actor: Actor,
        domain: Domain,
        *,
        recipient_policy: str | None = None,
        mta_sts_mode: str | None = None,
    ) -> None:
        """See `Domains.change`. What stays as it is, is not noted."""
        chosen = {"recipient_policy": recipient_policy, "mta_sts_mode": mta_sts_mode}
        facts: Facts = {
            name: value
            for name, value in chosen.items()
            if value is not None and value != getattr(domain, name)
        }
        async with self.log.unit() as unit:
            await self.domains.change(
                domain, recipient_policy=recipient_policy, mta_sts_mode=mta_sts_mode
            )
            if facts:
                await self._note(unit, actor, EventType.ACCESS_DOMAIN_CHANGED, domain, facts)

    async def remove(self, actor: Actor, domain: Domain) -> None:
        """See `Domains.remove`."""
        async with self.log.unit() as unit:
            await self.domains.remove(domain)
            await self._note(unit, actor, EventType.ACCESS_DOMAIN_REMOVED, domain, {})

    async def _note(
        self, unit: Transaction, actor: Actor, action: EventType, domain: Domain, facts: Facts
    ) -> None:
        await self.audit.record(
            unit,
            actor,
            action,
            tenant_id=domain.tenant_id,
            subject=("domain", domain.id),
            facts={"name": domain.name, **facts},
            told=facts,
        )
