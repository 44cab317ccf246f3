"""What endpoints were told and what is still to be: to read, to send again, and to be forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from app.access.grants import Grant
from app.core.clock import Clock
from app.core.errors import InvalidInput, NotFound
from app.core.ids import Ids, derive_id
from app.storage.db.database import Database, Record
from app.storage.db.keyset import PAGE_ROWS, Page, cut_page, decode_key
from app.storage.doorbell import Bell, Doorbell
from app.webhooks.endpoint import find_endpoint
from app.webhooks.payload import TEST_TYPE, render_test
from app.webhooks.signing import message_id

KEEP_FOR = timedelta(days=30)
_REMOVED_AT_ONCE = 5000
_NO_DELIVERY = "There is no such delivery."


class DeliveryState(StrEnum):
    """`pending`: to be sent, or sent again; `failed`: given up."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event for an endpoint. `event_id` and `position` are of the log; a test has no position.
    `attempts` counts the tries since it was last asked for; of the last of all there are
    `last_status` (None: no answer came) and `last_error`. `next_attempt_at` is None when it is
    finished, and in the past while it waits for an endpoint that is switched off."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    position: int | None
    type: str
    mailbox_id: UUID | None
    trace_id: UUID
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    last_status: int | None
    last_error: str

    @property
    def webhook_id(self) -> str:
        return message_id(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try. Without `duration_ms` it is under way, or its end is not known: the process died.
    `response_head` is the beginning of what came back, up to the end of its headers."""

    id: UUID
    started_at: datetime
    duration_ms: int | None
    status: int | None
    response_head: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStory:
    """A delivery with what was sent, and every try, the first one first."""

    delivery: Delivery
    payload: str
    tries: Sequence[Attempt]


@dataclass(frozen=True, slots=True)
class WebhookDeliveries:
    """Every method raises `NotFound` for what the grant does not reach."""

    database: Database
    doorbell: Doorbell
    clock: Clock
    ids: Ids

    async def list(
        self,
        grant: Grant,
        endpoint_id: UUID,
        *,
        state: DeliveryState | None = None,
        cursor: str | None = None,
        limit: int = PAGE_ROWS,
    ) -> Page[Delivery]:
        """Those to an endpoint, the newest events first. Raises `InvalidInput` for a cursor that is
        not ours."""
        await find_endpoint(self.database, grant, endpoint_id)
        (before,) = decode_key(cursor, 1) if cursor else (None,)
        rows = await self.database.fetch(
            f"""{_SELECT} where endpoint_id = $1 and {_REACHED} and state = any($4::text[])
                and ($5::text is null or id < $5::uuid)
            order by id desc limit {limit + 1:d}""",
            *(endpoint_id, grant.tenant_id, grant.mailbox_ids),
            [state] if state else list(DeliveryState),
            _check_id(before),
        )
        return cut_page([_to_delivery(row) for row in rows], limit, lambda row: [str(row.id)])

    async def list_of_trace(self, grant: Grant, trace_id: UUID) -> Sequence[Delivery]:
        """All that one mail, or another cause, was told of, in the order they were queued."""
        rows = await self.database.fetch(
            f"""{_SELECT} where trace_id = $1 and {_REACHED} and exists (
                select from webhook_endpoint where webhook_endpoint.id = endpoint_id
                    and ($3::uuid[] is null or (mailbox_ids <> '{{}}' and mailbox_ids <@ $3)))
            order by created_at, id limit 500""",
            *(trace_id, grant.tenant_id, grant.mailbox_ids),
        )
        return [_to_delivery(row) for row in rows]

    async def open(self, grant: Grant, endpoint_id: UUID, delivery_id: UUID) -> DeliveryStory:
        """One with what was sent and all its tries."""
        await find_endpoint(self.database, grant, endpoint_id)
        row = await self.database.fetch_one(
            f"{_SELECT} where id = $1 and endpoint_id = $4 and {_REACHED}",
            *(delivery_id, grant.tenant_id, grant.mailbox_ids, endpoint_id),
        )
        if row is None:
            raise NotFound(_NO_DELIVERY)
        attempts = await self.database.fetch(
            """select id, started_at, duration_ms, status, response_head, error
            from webhook_attempt where delivery_id = $1 order by id""",
            delivery_id,
        )
        return DeliveryStory(
            delivery=_to_delivery(row),
            payload=row["payload"],
            tries=[Attempt(**attempt) for attempt in attempts],
        )

    async def resend(self, grant: Grant, endpoint_id: UUID, delivery_id: UUID) -> Delivery:
        """Sends it now, whatever became of it, with as many tries as a new one. Its webhook-id
        stays the same. Raises `InvalidInput` while its endpoint is switched off."""
        await self._require_enabled(grant, endpoint_id)
        await self.open(grant, endpoint_id, delivery_id)
        now = self.clock.now()
        await self.database.execute(
            """update webhook_delivery set state = 'pending', attempts = 0, finished_at = null,
                next_attempt_at = greatest($2, lease_until)
            where id = $1""",
            delivery_id,
            now,
        )
        await self.doorbell.ring(Bell.WEBHOOKS)
        return (await self.open(grant, endpoint_id, delivery_id)).delivery

    async def send_test(self, grant: Grant, endpoint_id: UUID) -> Delivery:
        """Queues a delivery of the type `webhook.test`, which is tried once. Raises `InvalidInput`
        while the endpoint is switched off."""
        await self._require_enabled(grant, endpoint_id)
        event_id, now = self.ids.new(), self.clock.now()
        delivery_id = derive_id(event_id, endpoint_id.bytes)
        await self.database.execute(
            """insert into webhook_delivery (id, tenant_id, endpoint_id, event_id, type, trace_id,
                payload, next_attempt_at, created_at)
            values ($1, $2, $3, $4, $5, $4, $6, $7, $7)""",
            *(delivery_id, grant.tenant_id, endpoint_id, event_id, TEST_TYPE),
            *(render_test(event_id, now), now),
        )
        await self.doorbell.ring(Bell.WEBHOOKS)
        return (await self.open(grant, endpoint_id, delivery_id)).delivery

    async def remove_old(self) -> int:
        """Forgets what was finished longer than `KEEP_FOR` ago, and what has waited as long for an
        endpoint that is switched off. How many went."""
        rows = await self.database.fetch(_REMOVE_OLD, self.clock.now() - KEEP_FOR, _REMOVED_AT_ONCE)
        return len(rows)

    async def _require_enabled(self, grant: Grant, endpoint_id: UUID) -> None:
        if not (await find_endpoint(self.database, grant, endpoint_id)).is_enabled:
            raise InvalidInput("This webhook is switched off. Switch it on first.")


def _check_id(text: str | None) -> str | None:
    try:
        return None if text is None else str(UUID(text))
    except ValueError as error:
        raise InvalidInput("This cursor is not one of ours.") from error


def _to_delivery(row: Record) -> Delivery:
    values = {name: row[name] for name in Delivery.__slots__}
    return Delivery(**{**values, "state": DeliveryState(row["state"])})


# An endpoint may have had other mailboxes when this was queued.
_REACHED = "tenant_id = $2 and ($3::uuid[] is null or mailbox_id is null or mailbox_id = any($3))"
_SELECT = """
select id, endpoint_id, event_id, position, type, mailbox_id, trace_id, state, attempts,
    case when state = 'pending' then next_attempt_at end as next_attempt_at, created_at,
    finished_at, payload, last.status as last_status, coalesce(last.error, '') as last_error
from webhook_delivery left join lateral (
    select status, error from webhook_attempt where delivery_id = webhook_delivery.id
    order by id desc limit 1
) as last on true"""
_REMOVE_OLD = """
delete from webhook_delivery where id = any(array(
    (select id from webhook_delivery where finished_at <= $1 order by finished_at limit $2)
    union all
    (select id from webhook_delivery where state = 'pending' and endpoint_id in (
        select id from webhook_endpoint where disabled_at <= $1) limit $2)
)) returning id
"""
