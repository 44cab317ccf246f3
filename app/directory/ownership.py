"""Whose a domain is: of several tenants that have it, the first whose records are verified.

A name changes hands only when its holder's ownership record is firmly gone. The old mailboxes
then keep their mail, for their own tenant alone, and receive no more; should the name come back to
that tenant, they receive again, but for addresses that are taken meanwhile.
"""

from datetime import datetime
from uuid import UUID

from app.directory.domain_policy import DomainStatus
from app.directory.domains import COLUMNS, Domain, read_domain
from app.storage.db.database import Connection


async def find_holder(connection: Connection, domain: Domain) -> Domain | None:
    """The other tenant's domain of this name that receives, or did, locked."""
    row = await connection.fetchrow(
        f"""select {COLUMNS} from domain
        where name = $1 and id <> $2 and status <> 'pending' for update""",
        domain.name,
        domain.id,
    )
    return None if row is None else read_domain(row)


def may_be_released(holder: Domain) -> bool:
    return (
        holder.is_monitored
        and holder.status is DomainStatus.SUSPENDED
        and holder.ownership_lost_at is not None
    )


async def release(connection: Connection, holder: Domain, now: datetime) -> None:
    """The holder waits for the name from now on, like anybody."""
    await connection.execute(
        """update domain set status = 'pending', verified_at = null, ownership_lost_at = null,
            mx_lost_at = null, checks_alike = 1 where id = $1""",
        holder.id,
    )
    await connection.execute(
        "update mailbox set detached_at = $2 where domain_id = $1 and detached_at is null",
        holder.id,
        now,
    )


async def attach_mailboxes(connection: Connection, domain_id: UUID) -> None:
    """Those of a domain that has come back to its tenant."""
    await connection.execute(
        """update mailbox set detached_at = null
        where domain_id = $1 and detached_at is not null and not exists (
            select from mailbox as other
            where other.address = mailbox.address and other.detached_at is null)""",
        domain_id,
    )


async def check_holder_now(connection: Connection, holder: Domain, now: datetime) -> None:
    """Somebody has shown that the name is theirs, so the holder may have lost it."""
    await connection.execute(
        "update domain set next_check_at = $2 where id = $1 and monitored and next_check_at > $2",
        holder.id,
        now,
    )
