"""One webhook and what became of its deliveries: to read, to try out and to send again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Router, get, post
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect, Template

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.core.clock import Clock
from app.core.egress.client import USER_AGENT
from app.core.errors import InvalidInput
from app.storage.db.database import Database
from app.web.admin.page import AdminPages, Done, describe_done, redirect_done, wants_rows_only
from app.web.admin.webhook_range import AGES, MISSED, RangeFields, read_range
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor
from app.web.standing import Standing
from app.web.webhook_wording import (
    DELIVERY_STATES,
    WHICH,
    describe_answer,
    describe_delivery,
    describe_endpoint,
    describe_type,
    draw_days,
    name_endpoint,
)
from app.webhooks.activity import count_days
from app.webhooks.deliveries import KEEP_FOR, Delivery, DeliveryState, WebhookDeliveries
from app.webhooks.endpoints import WebhookEndpoints
from app.webhooks.queue import Which
from app.webhooks.replays import WebhookReplays

_HERE = "/admin/webhooks/{webhook_id:uuid}"
_DONE = {
    "changed": "The changes count from now on.",
    "on": "It is on again. What waited goes out now; what it missed can be replayed.",
    "off": "It is off. Nothing is sent to it.",
    "replaying": "The events are on their way, as fast as they are taken.",
    "test": "The test is on its way.",
    "resent": "It is sent once more.",
}
_REPLAYS_SHOWN = 5

State = Annotated[str, QueryParameter(name="state", max_length=20)]


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery with what a list says of it."""

    delivery: Delivery
    words: str
    answer: str
    standing: Standing

    @classmethod
    def of(cls, delivery: Delivery, now: datetime) -> "DeliveryRow":
        return cls(
            delivery,
            describe_type(delivery.type),
            describe_answer(delivery.last_status, delivery.last_error),
            describe_delivery(delivery, now),
        )


@get("/")
async def show_webhook(
    request: Request[Any, Any, Any],
    webhook_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    clock: Given[Clock],
    webhook_endpoints: Given[WebhookEndpoints],
    webhook_deliveries: Given[WebhookDeliveries],
    webhook_replays: Given[WebhookReplays],
    wanted_state: State = "",
    cursor: Cursor = None,
    done: Done = "",
) -> Template:
    """With the log of its deliveries, of which htmx may ask for the rest alone."""
    now, endpoint = clock.now(), await webhook_endpoints.find(grant, webhook_id)
    if wanted_state not in DELIVERY_STATES:
        raise InvalidInput("There is no such state.")
    state = DeliveryState(wanted_state) if wanted_state else None
    page = await webhook_deliveries.list(grant, webhook_id, state=state, cursor=cursor)
    context: dict[str, Any] = {
        "endpoint": endpoint,
        "rows": [DeliveryRow.of(delivery, now) for delivery in page.rows],
        "next_cursor": page.next_cursor,
        "state": wanted_state,
    }
    if wants_rows_only(request, cursor):
        return Template("admin/webhooks/_rows.html", context=context)
    days = await count_days(database, grant.tenant_id, webhook_id, until=now, days=KEEP_FOR.days)
    return admin_pages.show(
        session,
        "webhooks/show",
        **context,
        name=name_endpoint(endpoint),
        standing=describe_endpoint(endpoint, now),
        told=[describe_type(kind) for kind in endpoint.types],
        has_old_secret=endpoint.previous_until is not None and endpoint.previous_until > now,
        chart=draw_days(days),
        is_cut=any(day.is_cut for day in days),
        replays=(await webhook_replays.list(grant, webhook_id))[:_REPLAYS_SHOWN],
        states=DELIVERY_STATES,
        notice=describe_done(done, _DONE),
    )


@post("/test")
async def send_test(
    webhook_id: FromPath[UUID], grant: Given[Grant], webhook_deliveries: Given[WebhookDeliveries]
) -> Redirect:
    delivery = await webhook_deliveries.send_test(grant, webhook_id)
    return redirect_done(_path_of(delivery), "test")


@get("/deliveries/{delivery_id:uuid}")
async def show_delivery(
    webhook_id: FromPath[UUID],
    delivery_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    clock: Given[Clock],
    webhook_endpoints: Given[WebhookEndpoints],
    webhook_deliveries: Given[WebhookDeliveries],
    done: Done = "",
) -> Template:
    now, endpoint = clock.now(), await webhook_endpoints.find(grant, webhook_id)
    story = await webhook_deliveries.open(grant, webhook_id, delivery_id)
    return admin_pages.show(
        session,
        "webhooks/delivery",
        endpoint=endpoint,
        name=name_endpoint(endpoint),
        row=DeliveryRow.of(story.delivery, now),
        tries=[(each, describe_answer(each.status, each.error)) for each in story.tries],
        payload=story.payload,
        laid_out=msgspec.json.format(story.payload, indent=2),
        user_agent=USER_AGENT,
        notice=describe_done(done, _DONE),
    )


@post("/deliveries/{delivery_id:uuid}/resend")
async def resend_delivery(
    webhook_id: FromPath[UUID],
    delivery_id: FromPath[UUID],
    grant: Given[Grant],
    webhook_deliveries: Given[WebhookDeliveries],
) -> Redirect:
    delivery = await webhook_deliveries.resend(grant, webhook_id, delivery_id)
    return redirect_done(_path_of(delivery), "resent")


@get("/replay")
async def show_replay_form(
    webhook_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    webhook_endpoints: Given[WebhookEndpoints],
) -> Template:
    endpoint = await webhook_endpoints.find(grant, webhook_id)
    start = "day" if endpoint.disabled_position is None else MISSED
    return admin_pages.show(
        session,
        "webhooks/replay",
        endpoint=endpoint,
        name=name_endpoint(endpoint),
        ages=AGES,
        chosen=RangeFields(start),
        choices=WHICH,
        which=Which.UNDELIVERED,
    )


@post("/replay", status_code=303)
async def start_replay(
    request: Request[Any, Any, Any],
    webhook_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    clock: Given[Clock],
    webhook_endpoints: Given[WebhookEndpoints],
    webhook_replays: Given[WebhookReplays],
) -> Template | Redirect:
    endpoint, form = await webhook_endpoints.find(grant, webhook_id), await request.form()
    which = str(form.get("which", Which.UNDELIVERED))
    try:
        if which not in WHICH:
            raise InvalidInput("Choose one of what is offered.")
        wanted = read_range(form, clock.now(), endpoint.disabled_position)
        await webhook_replays.start(grant, webhook_id, wanted, Which(which))
    except InvalidInput as error:
        return admin_pages.show(
            session,
            "webhooks/replay",
            status_code=400,
            wrong=str(error),
            endpoint=endpoint,
            name=name_endpoint(endpoint),
            ages=AGES,
            chosen=RangeFields.sent(form),
            choices=WHICH,
            which=which,
        )
    return redirect_done(f"/admin/webhooks/{webhook_id}", "replaying")


def _path_of(delivery: Delivery) -> str:
    return f"/admin/webhooks/{delivery.endpoint_id}/deliveries/{delivery.id}"


admin_webhook_log_router = Router(
    _HERE,
    route_handlers=[
        *(show_webhook, send_test, show_delivery, resend_delivery),
        *(show_replay_form, start_replay),
    ],
    opt=allow(Permission.WEBHOOKS_WRITE),
)
