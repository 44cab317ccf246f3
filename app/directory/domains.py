"""Domains that we receive for, and who owns them."""

from dataclasses import dataclass
from typing import get_args
from uuid import UUID

import asyncpg

from app.core.clock import Clock
from app.core.errors import AlreadyExists, InvalidInput, NotFound
from app.core.ids import Ids
from app.core.secrets import new_token
from app.directory.snapshot import RecipientPolicy
from app.eventlog.append import EventLog
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.mime.addresses import normalise_domain
from app.storage.db.database import Database


@dataclass(frozen=True, slots=True)
class Domain:
    id: UUID
    tenant_id: UUID
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class Domains:
    """Adding and finding domains."""

    database: Database
    log: EventLog
    clock: Clock
    ids: Ids

    async def add(
        self,
        name: str,
        tenant_id: UUID,
        *,
        vouched: bool,
        recipient_policy: RecipientPolicy = "reject_unknown",
    ) -> Domain:
        """Adds a domain to a tenant.

        A vouched domain receives at once and is not monitored: an operator answers for it. Any
        other is pending until its DNS records were verified. Raises `InvalidInput` for what is
        no domain name and `AlreadyExists` when this tenant has it, or another owns it verified.
        """
        name = normalise_domain(name)
        if not name or ("." not in name and name != "localhost"):
            raise InvalidInput("That is not a domain name.")
        status = "verified" if vouched else "pending"
        domain = Domain(self.ids.new(), tenant_id, name, status)
        now = self.clock.now()
        try:
            async with self.log.transaction() as transaction:
                await transaction.connection.execute(
                    """insert into domain (id, tenant_id, name, status, monitored,
                        verification_token, verified_at, created_at, recipient_policy)
                    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
                    domain.id,
                    tenant_id,
                    name,
                    status,
                    not vouched,
                    new_token(self.ids),
                    now if vouched else None,
                    now,
                    recipient_policy,
                )
                if vouched:
                    transaction.tell(
                        NewEvent(
                            EventType.DOMAIN_VERIFIED,
                            trace_id=self.ids.new(),
                            subject=("domain", domain.id),
                            tenant_id=tenant_id,
                            data={"vouched": True},
                        )
                    )
        except asyncpg.UniqueViolationError as error:
            raise AlreadyExists(f"The domain {name} belongs to a tenant already.") from error
        return domain

    async def find_receiving(self, name: str) -> Domain:
        """The domain of this name that receives mail here. Raises `NotFound`."""
        row = await self.database.fetch_one(
            """select id, tenant_id, name, status from domain
            where name = $1 and status <> 'pending'""",
            normalise_domain(name),
        )
        if row is None:
            raise NotFound(f"{name} is not a verified domain here.")
        return Domain(**row)

    async def set_recipient_policy(self, name: str, policy: str) -> Domain:
        """Says what unknown addresses of the domain meet. The sidecar knows within seconds.

        Raises `InvalidInput` for what is no policy and `NotFound` when the domain does not receive.
        """
        if policy not in get_args(RecipientPolicy):
            raise InvalidInput(f"A policy is one of {', '.join(get_args(RecipientPolicy))}.")
        domain = await self.find_receiving(name)
        await self.database.execute(
            "update domain set recipient_policy = $2 where id = $1", domain.id, policy
        )
        return domain
