"""How busy endpoints are: what a person sees of all their deliveries at a glance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.storage.db.database import Database

MAX_COUNTED = 10_000
"""Of each day and state; so what is read is bounded, however much was delivered."""
MAX_WAITING = 1000


@dataclass(frozen=True, slots=True)
class Activity:
    """`last_delivered_at` is of the newest event that was delivered. `waiting` counts deliveries
    that are still to be sent, or sent again, up to `MAX_WAITING`."""

    last_delivered_at: datetime | None = None
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Day:
    """The events of a day in UTC, by what became of their deliveries, up to `MAX_COUNTED` each."""

    start: datetime
    delivered: int
    pending: int
    failed: int

    @property
    def is_cut(self) -> bool:
        return MAX_COUNTED in (self.delivered, self.pending, self.failed)


@dataclass(frozen=True, slots=True)
class Overdue:
    """Deliveries that should be under way, to endpoints that take what they are sent: how many, up
    to `MAX_WAITING` for each endpoint, and when the first of them was due."""

    deliveries: int
    oldest_due_at: datetime | None


async def read_overdue(database: Database, now: datetime) -> Overdue:
    """Of all tenants. What waits for an endpoint that fails is not late but held back."""
    row = await database.fetch_one(_OVERDUE, now, MAX_WAITING)
    return Overdue(row["deliveries"], row["oldest_due_at"]) if row else Overdue(0, None)


async def list_activity(database: Database, tenant_id: UUID) -> Mapping[UUID, Activity]:
    """Of every endpoint of the tenant, by its id."""
    rows = await database.fetch(_ACTIVITY, tenant_id, MAX_WAITING)
    return {row["id"]: Activity(row["last_delivered_at"], row["waiting"]) for row in rows}


async def count_days(
    database: Database, tenant_id: UUID, endpoint_id: UUID, *, until: datetime, days: int
) -> Sequence[Day]:
    """The last `days` days, that of `until` included, the earliest first."""
    last = until.replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [last - timedelta(days=days - 1 - number) for number in range(days)]
    rows = await database.fetch(
        _DAYS,
        tenant_id,
        endpoint_id,
        [_first_id(start) for start in starts],
        [_first_id(start + timedelta(days=1)) for start in starts],
        MAX_COUNTED,
    )
    return [
        Day(start, row["delivered"], row["pending"], row["failed"])
        for start, row in zip(starts, rows, strict=True)
    ]


def _first_id(moment: datetime) -> UUID:
    """Sorts before all ids that were made from `moment` on (RFC 9562, section 5.7). A delivery has
    the time of its event's id."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


_OVERDUE = """
select coalesce(sum(due.deliveries), 0)::bigint as deliveries, min(oldest_due_at) as oldest_due_at
from webhook_endpoint as endpoint cross join lateral (
    select count(*) as deliveries, min(next_attempt_at) as oldest_due_at from (
        select next_attempt_at from webhook_delivery
        where endpoint_id = endpoint.id and state = 'pending' and next_attempt_at <= $1
        order by next_attempt_at limit $2
    ) as first
) as due
where endpoint.state = 'enabled' and failing_since is null
    and (resting_until is null or resting_until <= $1)
"""
_ACTIVITY = """
select endpoint.id,
    (select finished_at from webhook_delivery
        where endpoint_id = endpoint.id and state = 'delivered' order by webhook_delivery.id desc
        limit 1) as last_delivered_at,
    (select count(*) from (
        select from webhook_delivery where endpoint_id = endpoint.id and state = 'pending' limit $2
    ) as waiting) as waiting
from webhook_endpoint as endpoint where tenant_id = $1
"""


def _count(state: str) -> str:
    return f"""(select count(*) from (
        select from webhook_delivery as delivery
        where delivery.endpoint_id = endpoint.id and delivery.state = '{state}'
            and delivery.id >= day.low and delivery.id < day.high
        limit $5
    ) as counted) as {state}"""


_DAYS = f"""
select {_count("delivered")}, {_count("pending")}, {_count("failed")}
from webhook_endpoint as endpoint
cross join unnest($3::uuid[], $4::uuid[]) with ordinality as day (low, high, number)
where endpoint.tenant_id = $1 and endpoint.id = $2
order by day.number
"""
