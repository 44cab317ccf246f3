"""Webhooks of the tenant: adding, changing and removing them, and their secrets."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Request, Router, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Template

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.sessions import Session
from app.core.clock import Clock
from app.core.errors import InUse, InvalidInput
from app.directory.mailboxes import Mailboxes
from app.storage.db.database import Database
from app.web.admin.page import (
    REFUSED,
    AdminPages,
    Done,
    describe_done,
    redirect_done,
)
from app.web.admin.webhook_form import WebhookForm
from app.web.admin.webhook_range import AGES, NOW, RangeFields, read_range
from app.web.given import Given
from app.web.guards import allow
from app.web.standing import Standing
from app.web.webhook_wording import describe_endpoint, describe_told, name_endpoint
from app.webhooks.activity import Activity, list_activity
from app.webhooks.endpoint import Endpoint
from app.webhooks.endpoints import WebhookEndpoints, Wish
from app.webhooks.queue import Which
from app.webhooks.replays import WebhookReplays

_HERE = "/admin/webhooks"
_DONE = {"removed": "The webhook is gone."}
_OVERLAPS: Mapping[str, tuple[str, timedelta]] = {
    "day": ("For one more day", timedelta(days=1)),
    "week": ("For one more week", timedelta(days=7)),
    "none": ("Not any more", timedelta()),
}


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """An endpoint with what a list says of it."""

    endpoint: Endpoint
    name: str
    told: str
    standing: Standing
    activity: Activity


@get("/")
async def show_webhooks(
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    clock: Given[Clock],
    webhook_endpoints: Given[WebhookEndpoints],
    done: Done = "",
) -> Template:
    activity = await list_activity(database, grant.tenant_id)
    rows = [
        EndpointRow(
            endpoint,
            name_endpoint(endpoint),
            describe_told(endpoint),
            describe_endpoint(endpoint, clock.now()),
            activity.get(endpoint.id, Activity()),
        )
        for endpoint in await webhook_endpoints.list(grant)
    ]
    notice = describe_done(done, _DONE)
    return admin_pages.show(session, "webhooks/list", rows=rows, notice=notice)


@get("/new")
async def show_new_webhook(
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    mailboxes: Given[Mailboxes],
) -> Template:
    fields = await WebhookForm(database, mailboxes, grant).show_new()
    return admin_pages.show(
        session, "webhooks/new", fields=fields, ages=AGES, chosen=RangeFields(NOW)
    )


@post("/", status_code=201)
async def add_webhook(
    request: Request[Any, Any, Any],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    clock: Given[Clock],
    mailboxes: Given[Mailboxes],
    webhook_endpoints: Given[WebhookEndpoints],
    webhook_replays: Given[WebhookReplays],
) -> Template:
    """The answer shows the secret, this once; no address ever does."""
    form = await request.form()
    webhook_form = WebhookForm(database, mailboxes, grant)
    try:
        older = None if form.get("start", NOW) == NOW else read_range(form, clock.now())
        minted = await webhook_endpoints.add(grant, await webhook_form.read(form))
    except (*REFUSED, InUse) as error:
        return admin_pages.show(
            session,
            "webhooks/new",
            status_code=400,
            wrong=str(error),
            fields=await webhook_form.show_again(form),
            ages=AGES,
            chosen=RangeFields.sent(form),
        )
    if older is not None:
        with suppress(InvalidInput):  # nothing happened since
            await webhook_replays.start(grant, minted.endpoint.id, older, Which.NEW)
    return admin_pages.show(
        session,
        "webhooks/made",
        status_code=201,
        endpoint=minted.endpoint,
        name=name_endpoint(minted.endpoint),
        secret=minted.secret.reveal(),
        is_new=True,
        old_until=None,
    )


@get("/{webhook_id:uuid}/change")
async def show_webhook_form(
    webhook_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    mailboxes: Given[Mailboxes],
    webhook_endpoints: Given[WebhookEndpoints],
) -> Template:
    endpoint = await webhook_endpoints.find(grant, webhook_id)
    fields = await WebhookForm(database, mailboxes, grant).show_endpoint(endpoint)
    return admin_pages.show(
        session, "webhooks/change", endpoint=endpoint, name=name_endpoint(endpoint), fields=fields
    )


@post("/{webhook_id:uuid}/change", status_code=303)
async def change_webhook(
    request: Request[Any, Any, Any],
    webhook_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    database: Given[Database],
    mailboxes: Given[Mailboxes],
    webhook_endpoints: Given[WebhookEndpoints],
) -> Template | Redirect:
    endpoint = await webhook_endpoints.find(grant, webhook_id)
    form, webhook_form = await request.form(), WebhookForm(database, mailboxes, grant)
    try:
        await webhook_endpoints.change(grant, webhook_id, await webhook_form.read(form, endpoint))
    except REFUSED as error:
        return admin_pages.show(
            session,
            "webhooks/change",
            status_code=400,
            wrong=str(error),
            endpoint=endpoint,
            name=name_endpoint(endpoint),
            fields=await webhook_form.show_again(form),
        )
    return redirect_done(f"{_HERE}/{webhook_id}", "changed")


@post("/{webhook_id:uuid}/switch-on")
async def switch_webhook_on(
    webhook_id: FromPath[UUID], grant: Given[Grant], webhook_endpoints: Given[WebhookEndpoints]
) -> Redirect:
    await webhook_endpoints.change(grant, webhook_id, Wish(is_enabled=True))
    return redirect_done(f"{_HERE}/{webhook_id}", "on")


@post("/{webhook_id:uuid}/switch-off")
async def switch_webhook_off(
    webhook_id: FromPath[UUID], grant: Given[Grant], webhook_endpoints: Given[WebhookEndpoints]
) -> Redirect:
    await webhook_endpoints.change(grant, webhook_id, Wish(is_enabled=False))
    return redirect_done(f"{_HERE}/{webhook_id}", "off")


@get("/{webhook_id:uuid}/rotate")
async def ask_to_rotate_secret(
    webhook_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    webhook_endpoints: Given[WebhookEndpoints],
) -> Template:
    endpoint = await webhook_endpoints.find(grant, webhook_id)
    return admin_pages.show(
        session,
        "webhooks/rotate",
        endpoint=endpoint,
        name=name_endpoint(endpoint),
        overlaps=_OVERLAPS,
    )


@post("/{webhook_id:uuid}/rotate", status_code=201)
async def rotate_secret(
    request: Request[Any, Any, Any],
    webhook_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    webhook_endpoints: Given[WebhookEndpoints],
) -> Template:
    chosen = str((await request.form()).get("overlap", ""))
    endpoint = await webhook_endpoints.find(grant, webhook_id)
    if chosen not in _OVERLAPS:
        return admin_pages.show(
            session,
            "webhooks/rotate",
            status_code=400,
            endpoint=endpoint,
            name=name_endpoint(endpoint),
            overlaps=_OVERLAPS,
            wrong="Choose one of what is offered.",
        )
    _, overlap = _OVERLAPS[chosen]
    minted = await webhook_endpoints.rotate_secret(grant, webhook_id, overlap)
    return admin_pages.show(
        session,
        "webhooks/made",
        status_code=201,
        endpoint=minted.endpoint,
        name=name_endpoint(minted.endpoint),
        secret=minted.secret.reveal(),
        is_new=False,
        old_until=minted.endpoint.previous_until if overlap else None,
    )


@get("/{webhook_id:uuid}/remove")
async def ask_to_remove_webhook(
    webhook_id: FromPath[UUID],
    session: Given[Session],
    grant: Given[Grant],
    admin_pages: Given[AdminPages],
    webhook_endpoints: Given[WebhookEndpoints],
) -> Template:
    endpoint = await webhook_endpoints.find(grant, webhook_id)
    return admin_pages.show(
        session, "webhooks/remove", endpoint=endpoint, name=name_endpoint(endpoint)
    )


@post("/{webhook_id:uuid}/remove")
async def remove_webhook(
    webhook_id: FromPath[UUID], grant: Given[Grant], webhook_endpoints: Given[WebhookEndpoints]
) -> Redirect:
    await webhook_endpoints.remove(grant, webhook_id)
    return redirect_done(_HERE, "removed")


admin_webhooks_router = Router(
    _HERE,
    route_handlers=[
        *(show_webhooks, show_new_webhook, add_webhook, show_webhook_form, change_webhook),
        *(switch_webhook_on, switch_webhook_off, ask_to_rotate_secret, rotate_secret),
        *(ask_to_remove_webhook, remove_webhook),
    ],
    opt=allow(Permission.WEBHOOKS_WRITE),
)
