"""Taking deliveries that are due: each is leased to one process, and its try is on record before
the call is made.

Each endpoint has a few places of its own, so that one that hangs fills no others'; one that fails
has a single place until it takes something again. Of an ordered one only the first is ever taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.core.ids import Ids
from app.storage.db.database import Database

LEASE = timedelta(seconds=30)
"""Longer than a call can take, with the time to note what came of it."""
PLACES_PER_ENDPOINT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A try that is on record. `attempts` counts it, from 1."""

    attempt_id: UUID
    delivery_id: UUID
    tenant_id: UUID
    endpoint_id: UUID
    event_id: UUID
    position: int | None
    mailbox_id: UUID | None
    trace_id: UUID
    payload: str
    attempts: int
    lease_until: datetime
    url: str
    secret_sealed: bytes
    previous_secret_sealed: bytes | None
    previous_until: datetime | None


async def claim_due(database: Database, ids: Ids, now: datetime, at_most: int) -> Sequence[Claim]:
    """Those that have waited longest first. Raises `Unavailable`."""
    async with database.transaction() as connection:
        rows = await connection.fetch(_CLAIM, now, now + LEASE, at_most)
        claims = [Claim(attempt_id=ids.new(), **row) for row in rows]
        await connection.executemany(
            """insert into webhook_attempt (id, tenant_id, delivery_id, started_at)
            values ($1, $2, $3, $4)""",
            [(claim.attempt_id, claim.tenant_id, claim.delivery_id, now) for claim in claims],
        )
    return claims


# `told` steps from one endpoint to the next along the index, however much waits for each.
_CLAIM = f"""
with recursive told as (
    (select endpoint_id from webhook_delivery where state = 'pending'
        order by endpoint_id limit 1)
    union all
    select (select endpoint_id from webhook_delivery
        where state = 'pending' and endpoint_id > told.endpoint_id order by endpoint_id limit 1)
    from told where endpoint_id is not null
),
candidate as (
    select candidate.id
    from told join webhook_endpoint as endpoint on endpoint.id = told.endpoint_id
    cross join lateral (
        (select id, next_attempt_at from webhook_delivery
            where not is_ordered and endpoint_id = endpoint.id and state = 'pending'
                and next_attempt_at <= $1
            order by next_attempt_at
            limit greatest(0, case when failing_since is null then {PLACES_PER_ENDPOINT} else 1 end
                - (select count(*) from webhook_delivery where endpoint_id = endpoint.id
                    and state = 'pending' and lease_until > $1)))
        union all
        (select id, next_attempt_at from webhook_delivery
            where is_ordered and endpoint_id = endpoint.id and state = 'pending'
            order by position nulls first limit 1)
    ) as candidate
    where endpoint.state = 'enabled' and next_attempt_at <= $1
        and (resting_until is null or resting_until <= $1)
    order by next_attempt_at limit $3
),
due as (
    select id from webhook_delivery
    where id in (select id from candidate) and state = 'pending' and next_attempt_at <= $1
    for update skip locked
)
update webhook_delivery as delivery
set lease_until = $2, next_attempt_at = $2, attempts = attempts + 1
from due, webhook_endpoint as endpoint
where delivery.id = due.id and endpoint.id = endpoint_id
returning delivery.id as delivery_id, delivery.tenant_id, endpoint_id, event_id, position,
    mailbox_id, trace_id, payload, attempts, lease_until, url, secret_sealed,
    previous_secret_sealed, previous_until
"""
