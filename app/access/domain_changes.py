"""Changes of domains that people and programs make, each noted in the audit trail."""

from dataclasses import dataclass
from uuid import UUID

from app.access.audit import Audit, Facts
from app.access.grants import Actor
from app.directory.domains import ChangeRecorder, Domain, Domains
from app.eventlog.append import Transaction
from app.eventlog.types import EventType


@dataclass(frozen=True, slots=True)
class DomainChanges:
    """What the actor may change is for the caller to have asked. Raises what `Domains` does."""

    domains: Domains
    audit: Audit

    async def add(
        self, actor: Actor, tenant_id: UUID, name: str, *, vouched: bool = False
    ) -> Domain:
        """A domain of the tenant, pending unless an operator vouches for it."""
        record = self._recorder(actor, EventType.ACCESS_DOMAIN_ADDED, {"vouched": vouched})
        return await self.domains.add(name, tenant_id, vouched=vouched, record=record)

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
        record = self._recorder(actor, EventType.ACCESS_DOMAIN_CHANGED, facts)
        await self.domains.change(
            domain,
            recipient_policy=recipient_policy,
            mta_sts_mode=mta_sts_mode,
            record=record,
        )

    async def remove(self, actor: Actor, domain: Domain) -> None:
        """See `Domains.remove`."""
        record = self._recorder(actor, EventType.ACCESS_DOMAIN_REMOVED, {})
        await self.domains.remove(domain, record=record)

    def _recorder(self, actor: Actor, action: EventType, facts: Facts) -> ChangeRecorder:
        async def record(transaction: Transaction, domain: Domain) -> None:
            await self.audit.record(
                transaction,
                actor,
                action,
                tenant_id=domain.tenant_id,
                subject=("domain", domain.id),
                facts={"name": domain.name, **facts},
                told=facts,
            )

        return record
