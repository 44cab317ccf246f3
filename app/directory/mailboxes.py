"""Mailboxes: which addresses we host, and which of them a recipient means."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from app.core.clock import Clock
from app.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from app.core.ids import Ids
from app.directory.domains import Domains
from app.eventlog.append import EventLog
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.mime.addresses import (
    is_valid_address,
    normalise_address,
    normalise_domain,
    split_address,
    strip_subaddress,
)
from app.storage.db.database import Connection, Database


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A hosted address; `address` is `@domain` for a catch-all."""

    id: UUID
    tenant_id: UUID
    address: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """Adding mailboxes and routing to them."""

    database: Database
    log: EventLog
    domains: Domains
    clock: Clock
    ids: Ids

    async def add(self, address: str, tenant_id: UUID) -> Mailbox:
        """Adds a mailbox for an address, or a catch-all for `*@domain`, on the tenant's domain.

        Raises `InvalidInput`, `AlreadyExists`, `NotFound` when the domain does not receive here,
        and `NotAllowed` when it is another tenant's.
        """
        given = address.strip()
        local_part, domain_name = split_address(given)
        is_catch_all = local_part in ("", "*")
        if not is_catch_all and not is_valid_address(given):
            raise InvalidInput(f"{given!r} is not an e-mail address.")
        address = f"@{normalise_domain(domain_name)}" if is_catch_all else normalise_address(given)
        domain = await self.domains.find_receiving(domain_name)
        if domain.tenant_id != tenant_id:
            raise NotAllowed(f"The domain {domain.name} belongs to another tenant.")
        mailbox = Mailbox(self.ids.new(), tenant_id, address, None)
        async with self.log.transaction() as transaction:
            await insert_mailbox(
                transaction.connection, mailbox, domain_id=domain.id, now=self.clock.now()
            )
            transaction.tell(mailbox_created(mailbox, trace_id=self.ids.new()))
        return mailbox

    async def find(self, address: str, tenant_id: UUID) -> Mailbox:
        """The tenant's mailbox of exactly this address. Raises `NotFound`."""
        row = await self.database.fetch_one(
            """select id, tenant_id, address, expires_at from mailbox
            where address = $1 and tenant_id = $2""",
            normalise_address(address),
            tenant_id,
        )
        if row is None:
            raise NotFound(f"There is no mailbox {address} here.")
        return Mailbox(**row)

    async def find_by_id(self, mailbox_id: UUID, tenant_id: UUID) -> Mailbox:
        """Raises `NotFound`, also for another tenant's mailbox."""
        row = await self.database.fetch_one(
            """select id, tenant_id, address, expires_at from mailbox
            where id = $1 and tenant_id = $2""",
            mailbox_id,
            tenant_id,
        )
        if row is None:
            raise NotFound("There is no such mailbox.")
        return Mailbox(**row)

    async def route(self, recipients: Collection[str]) -> Mapping[str, Mailbox]:
        """The mailbox that each recipient means: its own address, else without the part after
        `+`, else the catch-all of its domain. Recipients with none are left out."""
        candidates = {recipient: _candidates(recipient) for recipient in recipients}
        rows = await self.database.fetch(
            """select id, tenant_id, address, expires_at from mailbox
            where address = any($1::text[]) and (expires_at is null or expires_at > $2)""",
            sorted({address for found in candidates.values() for address in found}),
            self.clock.now(),
        )
        by_address = {row["address"]: Mailbox(**row) for row in rows}
        return {
            recipient: by_address[match]
            for recipient, addresses in candidates.items()
            if (match := next((a for a in addresses if a in by_address), None)) is not None
        }

    async def find_discarding_domains(self, names: Collection[str]) -> frozenset[str]:
        """Those of these domains whose mail for nobody is not kept: they hold temporary inboxes,
        or accept everything so as not to tell who exists. Normalised."""
        if not names:
            return frozenset()
        rows = await self.database.fetch(
            """select domain.name from domain join tenant on tenant.id = domain.tenant_id
            where domain.name = any($1::text[])
                and (tenant.plan = 'temporary' or recipient_policy = 'accept_and_discard')""",
            [normalise_domain(name) for name in names],
        )
        return frozenset(row["name"] for row in rows)


async def insert_mailbox(
    connection: Connection,
    mailbox: Mailbox,
    *,
    domain_id: UUID,
    now: datetime,
    token_hash: bytes | None = None,
) -> None:
    """Raises `AlreadyExists` when the address is taken."""
    try:
        await connection.execute(
            """insert into mailbox
                (id, tenant_id, domain_id, address, token_hash, expires_at, created_at)
            values ($1, $2, $3, $4, $5, $6, $7)""",
            mailbox.id,
            mailbox.tenant_id,
            domain_id,
            mailbox.address,
            token_hash,
            mailbox.expires_at,
            now,
        )
    except asyncpg.UniqueViolationError as error:
        raise AlreadyExists(f"There is a mailbox {mailbox.address} already.") from error


def mailbox_created(mailbox: Mailbox, *, trace_id: UUID) -> NewEvent:
    return NewEvent(
        EventType.MAILBOX_CREATED,
        trace_id=trace_id,
        subject=("mailbox", mailbox.id),
        tenant_id=mailbox.tenant_id,
        mailbox_id=mailbox.id,
        data={"temporary": mailbox.expires_at is not None},
    )


def _candidates(recipient: str) -> list[str]:
    address = normalise_address(recipient)
    return [address, strip_subaddress(address), f"@{split_address(address)[1]}"]
