"""What was delivered to webhooks over the API, and sending it again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import Body, FromPath, QueryParameter

from app.access.grants import Grant
from app.access.permissions import Permission
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor, Limit
from app.web.problems import NOT_FOUND
from app.webhooks.deliveries import Attempt, Delivery, DeliveryState, WebhookDeliveries
from app.webhooks.queue import Which
from app.webhooks.replays import Range, Replay, WebhookReplays

State = Annotated[
    DeliveryState | None,
    QueryParameter(name="state", description="Only those that are `pending` or the like."),
]
Position = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class DeliverySummary(msgspec.Struct, frozen=True, kw_only=True):
    """An event for an endpoint: `pending` while it is to be sent or sent again, then `delivered`,
    or `failed` once it was given up. `webhook_id` is the header that each try carries. A test has
    no `position` in the event log. `last_status` is null where no answer came."""

    id: UUID
    webhook_id: str
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


class DeliveryList(msgspec.Struct, frozen=True):
    """The newest events first. `next_cursor` asks for the page after this one; null at the end."""

    items: Sequence[DeliverySummary]
    next_cursor: str | None


class DeliveryAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try. Without `duration_ms` it is under way, or the process died meanwhile. What came back
    is shown up to the end of its headers."""

    started_at: datetime
    duration_ms: int | None
    status: int | None
    response_head: str
    error: str


class DeliveryDetails(DeliverySummary, frozen=True, kw_only=True):
    """With the `payload` as it is sent, and all tries, the first one first."""

    payload: Mapping[str, Any]
    tries: Sequence[DeliveryAttempt]


class NewReplay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Events after the position `after` up to `until_position`, and from `since` on before `until`;
    what is left out is the beginning, or now. `all` sends again what was delivered too,
    `undelivered` only what was missed or given up, `new` only what was never tried."""

    after: Position | None = None
    until_position: Position | None = None
    since: Moment | None = None
    until: Moment | None = None
    which: Which = Which.ALL


class ReplaySummary(msgspec.Struct, frozen=True, kw_only=True):
    """All up to `position` was queued, `deliveries` of it, and the end is `to_position`."""

    id: UUID
    which: Which
    position: int
    to_position: int
    deliveries: int
    created_at: datetime
    finished_at: datetime | None


class ReplayList(msgspec.Struct, frozen=True):
    """The newest 50, the newest first; there is never a next page."""

    items: Sequence[ReplaySummary]
    next_cursor: str | None = None


_FACTS = {
    "id": UUID("0198c5f2-7802-7aa1-9c52-1b6c8e0f1d77"),
    "webhook_id": "msg_0198c5f278027aa19c521b6c8e0f1d77",
    "event_id": UUID("0198c5f2-7802-7d11-9a52-2b6c8e0f1d34"),
    "position": 4711,
    "type": "ingest.received",
    "mailbox_id": UUID("0198c5ef-02d1-7a60-b6aa-93c1f6e4d208"),
    "trace_id": UUID("0198c5f2-7700-7000-8000-4b1d3a5c7e90"),
    "state": DeliveryState.DELIVERED,
    "attempts": 1,
    "next_attempt_at": None,
    "created_at": datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    "finished_at": datetime(2026, 11, 22, 9, 30, 1, tzinfo=UTC),
    "last_status": 204,
    "last_error": "",
}
_EXAMPLE = DeliverySummary(**_FACTS)  # type: ignore[arg-type]
_DETAILS = DeliveryDetails(
    **_FACTS,  # type: ignore[arg-type]
    payload={"type": "ingest.received", "timestamp": "2026-11-22T09:30:00Z", "data": {}},
    tries=[
        DeliveryAttempt(
            started_at=datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
            duration_ms=85,
            status=204,
            response_head="HTTP 204\r\ncontent-length: 0",
            error="",
        )
    ],
)
_REPLAY = ReplaySummary(
    id=UUID("0198c5f9-0102-7304-8506-0708090a0b0c"),
    which=Which.UNDELIVERED,
    position=4000,
    to_position=4711,
    deliveries=12,
    created_at=datetime(2026, 11, 22, 10, 0, tzinfo=UTC),
    finished_at=None,
)


@get(
    "/deliveries",
    operation_id="list_webhook_deliveries",
    summary="List a webhook's deliveries",
    opt=shown(answer=DeliveryList([_EXAMPLE], None)),
)
async def list_all(
    grant: Given[Grant],
    webhook_deliveries: Given[WebhookDeliveries],
    webhook_id: FromPath[UUID],
    state_: State = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DeliveryList:
    """What was finished is kept for 30 days."""
    page = await webhook_deliveries.list(
        grant, webhook_id, state=state_, cursor=cursor, limit=limit
    )
    return DeliveryList([_summarise(row) for row in page.rows], page.next_cursor)


@get(
    "/deliveries/{delivery_id:uuid}",
    operation_id="get_webhook_delivery",
    summary="Get a delivery",
    opt=shown(answer=_DETAILS),
)
async def show(
    grant: Given[Grant],
    webhook_deliveries: Given[WebhookDeliveries],
    webhook_id: FromPath[UUID],
    delivery_id: FromPath[UUID],
) -> DeliveryDetails:
    """What is sent, and what came of each try."""
    story = await webhook_deliveries.open(grant, webhook_id, delivery_id)
    return DeliveryDetails(
        **msgspec.structs.asdict(_summarise(story.delivery)),
        payload=msgspec.json.decode(story.payload),
        tries=[_describe(attempt) for attempt in story.tries],
    )


@post(
    "/deliveries/{delivery_id:uuid}/resend",
    status_code=202,
    operation_id="resend_webhook_delivery",
    summary="Send a delivery again",
    opt={**allow(Permission.WEBHOOKS_WRITE), **shown(answer=_EXAMPLE)},
)
async def resend(
    grant: Given[Grant],
    webhook_deliveries: Given[WebhookDeliveries],
    webhook_id: FromPath[UUID],
    delivery_id: FromPath[UUID],
) -> DeliverySummary:
    """Now, whatever became of it, with the same webhook-id."""
    return _summarise(await webhook_deliveries.resend(grant, webhook_id, delivery_id))


@post(
    "/test",
    status_code=202,
    operation_id="test_webhook",
    summary="Send a test",
    opt={**allow(Permission.WEBHOOKS_WRITE), **shown(answer=_EXAMPLE)},
)
async def send_test(
    grant: Given[Grant],
    webhook_deliveries: Given[WebhookDeliveries],
    webhook_id: FromPath[UUID],
) -> DeliverySummary:
    """A delivery of the type `webhook.test`, tried once. Ask for the delivery to see what came of
    it."""
    return _summarise(await webhook_deliveries.send_test(grant, webhook_id))


@post(
    "/replay",
    status_code=202,
    operation_id="replay_webhook",
    summary="Replay events",
    opt={
        **allow(Permission.WEBHOOKS_WRITE),
        **shown(answer=_REPLAY, body=NewReplay(which=Which.UNDELIVERED), problems=[NOT_FOUND]),
    },
)
async def start_replay(
    grant: Given[Grant],
    webhook_replays: Given[WebhookReplays],
    webhook_id: FromPath[UUID],
    data: Annotated[NewReplay, Body(title="Which events")],
) -> ReplaySummary:
    """Of the range, what the webhook is told of now is sent to it, in the order it happened. Each
    event keeps the webhook-id that it had."""
    wanted = Range(data.after, data.until_position, data.since, data.until)
    return _summarise_replay(await webhook_replays.start(grant, webhook_id, wanted, data.which))


@get(
    "/replays",
    operation_id="list_webhook_replays",
    summary="List a webhook's replays",
    opt=shown(answer=ReplayList([_REPLAY])),
)
async def list_replays(
    grant: Given[Grant], webhook_replays: Given[WebhookReplays], webhook_id: FromPath[UUID]
) -> ReplayList:
    """How far each has come."""
    return ReplayList(
        [_summarise_replay(each) for each in await webhook_replays.list(grant, webhook_id)]
    )


def _summarise(delivery: Delivery) -> DeliverySummary:
    return DeliverySummary(
        **{name: getattr(delivery, name) for name in DeliverySummary.__struct_fields__}
    )


def _describe(attempt: Attempt) -> DeliveryAttempt:
    return DeliveryAttempt(
        **{name: getattr(attempt, name) for name in DeliveryAttempt.__struct_fields__}
    )


def _summarise_replay(replay: Replay) -> ReplaySummary:
    return ReplaySummary(
        **{name: getattr(replay, name) for name in ReplaySummary.__struct_fields__}
    )


webhook_deliveries_router = Router(
    "/webhooks/{webhook_id:uuid}",
    route_handlers=[list_all, show, resend, send_test, start_replay, list_replays],
    opt=allow(Permission.WEBHOOKS_READ),
    tags=["webhooks"],
)
