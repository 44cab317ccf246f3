"""Mailboxes: which addresses we host. `recipients` tells which of them a recipient means."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from app.core.clock import Clock
from app.core.errors import AlreadyExists, InvalidInput, NotFound
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
)
from app.storage.db.database import Connection, Database


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A hosted address; `address` is `@domain` for a catch-all."""

    id: UUID
    tenant_id: UUID
    address: str
    expires_at: datetime | None


_MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """Adding mailboxes and finding them."""

    database: Database
    log: EventLog
    domains: Domains
    clock: Clock
    ids: Ids

    async def add(self, address: str, tenant_id: UUID, *, display_name: str = "") -> Mailbox:
        """Adds a mailbox for an address, or a catch-all for `*@domain`, on the tenant's domain.

        Raises `InvalidInput`, `AlreadyExists` also where a route has the address, and `NotFound`
        when the domain does not receive here, in the same words when it is another tenant's.
        """
        given = address.strip()
        local_part, domain_name = split_address(given)
        is_catch_all = local_part in ("", "*")
        if not is_catch_all and not is_valid_address(given):
            raise InvalidInput(f"{given!r} is not an e-mail address.")
        address = f"@{normalise_domain(domain_name)}" if is_catch_all else normalise_address(given)
        domain = await self.domains.find_receiving(domain_name)
        if domain.tenant_id != tenant_id:
            raise NotFound(f"{domain.name} is not a verified domain here.")
        display_name = _check_name(display_name)
        mailbox = Mailbox(self.ids.new(), tenant_id, address, None)
        async with self.log.transaction() as transaction:
            await _refuse_routed(transaction.connection, local_part or "*", domain.id)
            await insert_mailbox(
                transaction.connection,
                mailbox,
                domain_id=domain.id,
                now=self.clock.now(),
                display_name=display_name,
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

    async def find_addresses(
        self, mailbox_ids: Collection[UUID], tenant_id: UUID
    ) -> Mapping[UUID, str]:
        """The addresses of these mailboxes, as far as they are there and the tenant's."""
        rows = await self.database.fetch(
            "select id, address from mailbox where tenant_id = $1 and id = any($2::uuid[])",
            tenant_id,
            list(mailbox_ids),
        )
        return {row["id"]: row["address"] for row in rows}

    async def rename(self, mailbox_id: UUID, tenant_id: UUID, display_name: str) -> None:
        """Gives it another name for people. Raises `InvalidInput` and `NotFound`."""
        renamed = await self.database.fetch_value(
            """update mailbox set display_name = $3
            where id = $1 and tenant_id = $2 and expires_at is null returning true""",
            mailbox_id,
            tenant_id,
            _check_name(display_name),
        )
        if not renamed:
            raise NotFound("There is no such mailbox.")

    async def close(self, mailbox_id: UUID, tenant_id: UUID) -> Mailbox:
        """Mail for it is refused from now on, and within seconds it is removed with everything in
        it. Raises `NotFound`, also for another tenant's mailbox."""
        async with self.log.transaction() as transaction:
            row = await transaction.connection.fetchrow(
                """update mailbox set expires_at = $3, token_hash = null
                where id = $1 and tenant_id = $2 and (expires_at is null or expires_at > $3)
                returning id, tenant_id, address, expires_at""",
                mailbox_id,
                tenant_id,
                self.clock.now(),
            )
            if row is None:
                raise NotFound("There is no such mailbox.")
            transaction.tell(
                NewEvent(
                    EventType.MAILBOX_CLOSED,
                    trace_id=self.ids.new(),
                    subject=("mailbox", mailbox_id),
                    tenant_id=tenant_id,
                    mailbox_id=mailbox_id,
                )
            )
        return Mailbox(**row)

    async def find_discarding_domains(self, names: Collection[str]) -> frozenset[str]:
        """Those of these domains whose mail for nobody is not kept: they hold temporary inboxes,
        or accept everything so as not to tell who exists. Normalised."""
        if not names:
            return frozenset()
        rows = await self.database.fetch(
            """select domain.name from domain join tenant on tenant.id = domain.tenant_id
            where domain.name = any($1::text[]) and domain.status <> 'pending'
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
    display_name: str = "",
) -> None:
    """Raises `AlreadyExists` when the address is taken."""
    try:
        await connection.execute(
            """insert into mailbox
                (id, tenant_id, domain_id, address, token_hash, expires_at, created_at,
                 display_name)
            values ($1, $2, $3, $4, $5, $6, $7, $8)""",
            mailbox.id,
            mailbox.tenant_id,
            domain_id,
            mailbox.address,
            token_hash,
            mailbox.expires_at,
            now,
            display_name,
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


async def _refuse_routed(connection: Connection, local_part: str, domain_id: UUID) -> None:
    """Mail for an address goes to its mailbox or by its route, never by chance."""
    if await connection.fetchval(
        "select true from route where domain_id = $1 and pattern = $2",
        domain_id,
        normalise_address(local_part),
    ):
        raise AlreadyExists("A route leads this address to other mailboxes. Remove it first.")


def _check_name(name: str) -> str:
    """Raises `InvalidInput`."""
    name = " ".join(name.replace("\0", " ").split())
    if len(name) > _MAX_NAME_CHARS:
        raise InvalidInput(f"A mailbox's name has {_MAX_NAME_CHARS} characters at most.")
    return name
