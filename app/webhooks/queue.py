"""Queueing events for endpoints: a row for each pair, made once however often it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.core.ids import derive_id
from app.eventlog.event import Event
from app.storage.db.database import Connection
from app.webhooks.payload import render_payload


class Which(StrEnum):
    """Which events are queued of those that an endpoint wants."""

    NEW = "new"
    """Those it was never told of."""
    UNDELIVERED = "undelivered"
    """And those that were given up."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Told:
    """An event and the endpoint that wants it."""

    endpoint_id: UUID
    event: Event


async def queue_deliveries(
    connection: Connection, told: Sequence[Told], which: Which, public_url: str, now: datetime
) -> int:
    """Returns how many are to be sent by it. Endpoints that are gone are passed over.

    The id of a delivery is made of the event's and the endpoint's, so that one that was forgotten
    and is replayed has the webhook-id that it had.
    """
    payloads = {each.event.id: render_payload(each.event, public_url) for each in told}
    rows = await connection.fetch(
        _QUEUE.format(conflict=_CONFLICT[which]),
        [derive_id(each.event.id, each.endpoint_id.bytes) for each in told],
        [each.endpoint_id for each in told],
        [each.event.id for each in told],
        [each.event.position for each in told],
        [each.event.mailbox_id for each in told],
        [each.event.type for each in told],
        [each.event.trace_id for each in told],
        [payloads[each.event.id] for each in told],
        now,
    )
    return len(rows)


_AGAIN = """update set state = 'pending', attempts = 0, next_attempt_at = $9, finished_at = null
    where webhook_delivery.state """
_CONFLICT = {
    Which.NEW: "nothing",
    Which.UNDELIVERED: f"{_AGAIN} = 'failed'",
    Which.ALL: f"{_AGAIN} <> 'pending'",
}
_QUEUE = """
insert into webhook_delivery (id, tenant_id, endpoint_id, event_id, position, mailbox_id, type,
    trace_id, payload, next_attempt_at, created_at)
select new.id, tenant_id, endpoint_id, event_id, position, mailbox_id, type, trace_id, payload, $9,
    $9
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::uuid[],
    $8::text[]) as new (id, endpoint_id, event_id, position, mailbox_id, type, trace_id, payload)
join webhook_endpoint on webhook_endpoint.id = endpoint_id
order by position
on conflict (endpoint_id, event_id) do {conflict}
returning id
"""
