"""Domains that we receive for, and who owns them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from uuid import UUID

import asyncpg

from app.core.clock import Clock
from app.core.errors import AlreadyExists, InUse, InvalidInput, NotFound
from app.core.ids import Ids
from app.core.secrets import new_token
from app.directory.domain_policy import DomainState, DomainStatus
from app.directory.mta_sts import MtaStsMode
from app.directory.snapshot import RecipientPolicy
from app.eventlog.append import EventLog
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.mime.addresses import normalise_domain
from app.storage.db.database import Connection, Database, Record

MAX_PENDING = 100
"""Domains of one tenant that nobody has shown to be theirs, each of which we ask the DNS about."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of a tenant. One that is not monitored is received for on an operator's word;
    of any other `next_check_at` says when the DNS is looked at again."""

    id: UUID
    tenant_id: UUID
    name: str
    status: DomainStatus
    recipient_policy: RecipientPolicy
    mta_sts_mode: MtaStsMode
    is_monitored: bool
    verification_token: str
    created_at: datetime
    verified_at: datetime | None
    ownership_lost_at: datetime | None
    mx_lost_at: datetime | None
    checked_at: datetime | None
    next_check_at: datetime | None
    checks_alike: int

    @property
    def state(self) -> DomainState:
        """What its policy goes on from."""
        return DomainState(self.status, self.mx_lost_at, self.ownership_lost_at)


COLUMNS = """id, tenant_id, name, status, recipient_policy, mta_sts_mode,
    monitored as is_monitored, verification_token, created_at, verified_at, ownership_lost_at,
    mx_lost_at, checked_at, next_check_at, checks_alike"""


def read_domain(row: Record) -> Domain:
    """From a row of `COLUMNS`, in their order."""
    values = dict(row)
    return Domain(**{**values, "status": DomainStatus(values["status"])})


@dataclass(frozen=True, slots=True)
class Domains:
    """Adding, finding, changing and removing domains."""

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
        no domain name or one too many, and `AlreadyExists` when this tenant has it, or another
        owns it verified.
        """
        name = normalise_domain(name)
        if not name or ("." not in name and name != "localhost"):
            raise InvalidInput("That is not a domain name.")
        domain_id = self.ids.new()
        try:
            async with self.log.transaction() as transaction:
                if not vouched:
                    await _require_room(transaction.connection, tenant_id)
                domain = await self._insert(
                    transaction.connection,
                    (domain_id, tenant_id, name, recipient_policy),
                    vouched=vouched,
                )
                if vouched:
                    transaction.tell(
                        NewEvent(
                            EventType.DOMAIN_VERIFIED,
                            trace_id=self.ids.new(),
                            subject=("domain", domain_id),
                            tenant_id=tenant_id,
                            data={"vouched": True},
                        )
                    )
        except asyncpg.UniqueViolationError as error:
            raise AlreadyExists(f"The domain {name} belongs to a tenant already.") from error
        return domain

    async def list(
        self, tenant_id: UUID, domain_ids: Sequence[UUID] | None = None
    ) -> Sequence[Domain]:
        """The tenant's domains by name; of those only `domain_ids` unless it is None."""
        rows = await self.database.fetch(
            f"""select {COLUMNS} from domain
            where tenant_id = $1 and ($2::uuid[] is null or id = any($2)) order by name""",
            tenant_id,
            domain_ids,
        )
        return [read_domain(row) for row in rows]

    async def find_by_id(self, domain_id: UUID, tenant_id: UUID) -> Domain:
        """Raises `NotFound`, also for another tenant's domain."""
        row = await self.database.fetch_one(
            f"select {COLUMNS} from domain where id = $1 and tenant_id = $2", domain_id, tenant_id
        )
        if row is None:
            raise NotFound("There is no such domain.")
        return read_domain(row)

    async def find_named(self, name: str, tenant_id: UUID | None = None) -> Domain:
        """The domain of this name: of this tenant, or else the one that receives, or else the only
        one. Raises `NotFound`, and `InvalidInput` when several tenants wait for it."""
        rows = await self.database.fetch(
            f"""select {COLUMNS} from domain
            where name = $1 and ($2::uuid is null or tenant_id = $2)
            order by status = 'pending' limit 2""",
            normalise_domain(name),
            tenant_id,
        )
        if not rows:
            raise NotFound(f"There is no domain {name} here.")
        if len(rows) > 1 and rows[0]["status"] == DomainStatus.PENDING:
            raise InvalidInput(f"Several tenants have {name}. Say which with --tenant.")
        return read_domain(rows[0])

    async def find_receiving(self, name: str) -> Domain:
        """The domain of this name that receives mail here, or did until its records were lost.
        Raises `NotFound`."""
        row = await self.database.fetch_one(
            f"select {COLUMNS} from domain where name = $1 and status <> 'pending'",
            normalise_domain(name),
        )
        if row is None:
            raise NotFound(f"{name} is not a verified domain here.")
        return read_domain(row)

    async def change(
        self,
        domain: Domain,
        *,
        recipient_policy: str | None = None,
        mta_sts_mode: str | None = None,
    ) -> None:
        """Says what unknown addresses of the domain meet, which the sidecar knows within seconds,
        and how the policy is meant that we serve for it; None leaves either as it is.

        Raises `InvalidInput` for what is no policy and no mode.
        """
        policy = recipient_policy or domain.recipient_policy
        mode = mta_sts_mode or domain.mta_sts_mode
        _require_one_of(policy, get_args(RecipientPolicy))
        _require_one_of(mode, get_args(MtaStsMode))
        if (policy, mode) == (domain.recipient_policy, domain.mta_sts_mode):
            return
        await self.database.execute(
            "update domain set recipient_policy = $2, mta_sts_mode = $3 where id = $1",
            domain.id,
            policy,
            mode,
        )

    async def count_mailboxes(self, domain: Domain) -> int:
        """Those that receive, and those that only keep their mail."""
        return int(
            await self.database.fetch_value(
                "select count(*) from mailbox where domain_id = $1", domain.id
            )
        )

    async def remove(self, domain: Domain) -> None:
        """Forgets the domain, what was seen of it, and its key. Mail for it is refused at once.

        Raises `InUse` while it has mailboxes: their mail is not to go with it unasked.
        """
        try:
            async with self.log.transaction() as transaction:
                await transaction.connection.execute("delete from domain where id = $1", domain.id)
                transaction.tell(
                    NewEvent(
                        EventType.DOMAIN_REMOVED,
                        trace_id=self.ids.new(),
                        subject=("domain", domain.id),
                        tenant_id=domain.tenant_id,
                    )
                )
        except asyncpg.ForeignKeyViolationError as error:
            raise InUse(
                f"{domain.name} still has mailboxes. Remove them first, with their mail."
            ) from error

    async def _insert(
        self,
        connection: Connection,
        values: tuple[UUID, UUID, str, RecipientPolicy],
        *,
        vouched: bool,
    ) -> Domain:
        now = self.clock.now()
        row = await connection.fetchrow(
            f"""insert into domain (id, tenant_id, name, recipient_policy, status, monitored,
                verification_token, verified_at, next_check_at, created_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning {COLUMNS}""",
            *values,
            DomainStatus.VERIFIED if vouched else DomainStatus.PENDING,
            not vouched,
            new_token(self.ids),
            now if vouched else None,
            None if vouched else now,
            now,
        )
        return read_domain(row)


async def _require_room(connection: Connection, tenant_id: UUID) -> None:
    pending = await connection.fetchval(
        "select count(*) from domain where tenant_id = $1 and status = 'pending'", tenant_id
    )
    if pending >= MAX_PENDING:
        raise InvalidInput(
            f"{MAX_PENDING} of your domains wait to be verified. Verify or remove some first."
        )


def _require_one_of(choice: str, choices: Sequence[str]) -> None:
    if choice not in choices:
        raise InvalidInput(f"{choice!r} is none of {', '.join(choices)}.")
