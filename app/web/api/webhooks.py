"""Webhooks over the API."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.params import Body, FromPath

from app.access.grants import Grant
from app.access.permissions import Permission
from app.core.errors import InvalidInput
from app.directory.mailboxes import Mailboxes
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.problems import IN_USE, NOT_FOUND
from app.webhooks.endpoint import DisabledReason, Endpoint
from app.webhooks.endpoints import MAX_OVERLAP, MintedEndpoint, WebhookEndpoints, Wish
from app.webhooks.queue import Which
from app.webhooks.replays import Range, WebhookReplays

_DAY_SECONDS = 86_400
_MAX_NAMED = 1000

Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Description = Annotated[str, msgspec.Meta(max_length=200)]
Types = Annotated[
    Sequence[Annotated[str, msgspec.Meta(max_length=40)]], msgspec.Meta(max_length=200)
]
Names = Annotated[
    Sequence[Annotated[str, msgspec.Meta(max_length=320)]], msgspec.Meta(max_length=_MAX_NAMED)
]
Position = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class WebhookSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint without its secret. `types` are types of events, or groups as `message.*`; none
    stands for all but `access.*`. `mailboxes` are addresses; none stands for all, and for events of
    no mailbox. It is switched off `by_hand`, when it is `gone` (it answered 410), or `failing` for
    five days; `failing_since` is the first failure after the last success. Until
    `previous_secret_until` the secret before signs too. Events after the position `missed_after`
    may have been missed while it was last off."""

    id: UUID
    url: str
    description: str
    types: Sequence[str]
    mailboxes: Sequence[str]
    ordered: bool
    enabled: bool
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    missed_after: int | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime


class WebhookList(msgspec.Struct, frozen=True):
    """All of them, the oldest first; there is never a next page."""

    items: Sequence[WebhookSummary]
    next_cursor: str | None = None


class NewWebhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An endpoint to be. `mailboxes` are addresses or ids. `ordered`: an event is sent only once
    the one before it was taken or given up. With `after`, it begins with the events after this
    position, and else with what happens from now on."""

    url: Url
    description: Description = ""
    types: Types = ()
    mailboxes: Names = ()
    ordered: bool = False
    after: Position | None = None


class WebhookChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is left out or null stays as it is. `mailboxes` are addresses or ids."""

    url: Url | None = None
    description: Description | None = None
    types: Types | None = None
    mailboxes: Names | None = None
    ordered: bool | None = None
    enabled: bool | None = None


class SecretRotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many seconds the old secret signs too, at most 30 days."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=int(MAX_OVERLAP.total_seconds()))] = (
        _DAY_SECONDS
    )


class ShownWebhook(WebhookSummary, frozen=True, kw_only=True):
    """An endpoint with its new `secret`, shown this once."""

    secret: str


_FACTS = {
    "id": UUID("0198c5f8-1a2b-7c3d-8e4f-5a6b7c8d9e0f"),
    "url": "https://hooks.acme.example/pillarbox",
    "description": "Invoices",
    "types": ["ingest.received"],
    "mailboxes": ["invoices@acme.example"],
    "ordered": False,
    "enabled": True,
    "disabled_reason": None,
    "disabled_at": None,
    "missed_after": None,
    "failing_since": None,
    "previous_secret_until": None,
    "created_at": datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
}
_EXAMPLE = WebhookSummary(**_FACTS)  # type: ignore[arg-type]
_SHOWN = ShownWebhook(**_FACTS, secret="whsec_" + "Q2FsbSBhbmQgc2hvcnQg" * 2 + "MTI=")  # type: ignore[arg-type]


@get(
    "/",
    operation_id="list_webhooks",
    summary="List webhooks",
    opt=shown(answer=WebhookList([_EXAMPLE])),
)
async def list_all(grant: Given[Grant], webhook_endpoints: Given[WebhookEndpoints]) -> WebhookList:
    """All endpoints of the tenant, or those that are limited to mailboxes of the key. No secret is
    shown."""
    return WebhookList([_summarise(each) for each in await webhook_endpoints.list(grant)])


@get(
    "/{webhook_id:uuid}",
    operation_id="get_webhook",
    summary="Get a webhook",
    opt=shown(answer=_EXAMPLE),
)
async def show(
    grant: Given[Grant], webhook_endpoints: Given[WebhookEndpoints], webhook_id: FromPath[UUID]
) -> WebhookSummary:
    """What it is told of, and how it stands."""
    return _summarise(await webhook_endpoints.find(grant, webhook_id))


@post(
    "/",
    operation_id="create_webhook",
    summary="Add a webhook",
    opt={
        **allow(Permission.WEBHOOKS_WRITE),
        **shown(
            answer=_SHOWN,
            body=NewWebhook(url="https://hooks.acme.example/pillarbox", types=["ingest.received"]),
            problems=[NOT_FOUND, IN_USE],
        ),
    },
)
async def create(
    grant: Given[Grant],
    webhook_endpoints: Given[WebhookEndpoints],
    webhook_replays: Given[WebhookReplays],
    mailboxes: Given[Mailboxes],
    data: Annotated[NewWebhook, Body(title="The new webhook")],
) -> ShownWebhook:
    """Events are sent to it from now on, signed with `secret`: keep it, nothing else will ever show
    it. A key that is limited to mailboxes has to name those that are wanted."""
    minted = await webhook_endpoints.add(
        grant,
        Wish(
            url=data.url,
            description=data.description,
            types=data.types,
            mailbox_ids=await _find_mailboxes(mailboxes, grant, data.mailboxes),
            is_ordered=data.ordered,
        ),
    )
    if data.after is not None:
        await webhook_replays.start(grant, minted.endpoint.id, Range(after=data.after), Which.NEW)
    return _show(minted)


@patch(
    "/{webhook_id:uuid}",
    operation_id="change_webhook",
    summary="Change a webhook",
    opt={
        **allow(Permission.WEBHOOKS_WRITE),
        **shown(answer=_EXAMPLE, body=WebhookChange(enabled=True), problems=[NOT_FOUND]),
    },
)
async def change(
    grant: Given[Grant],
    webhook_endpoints: Given[WebhookEndpoints],
    mailboxes: Given[Mailboxes],
    webhook_id: FromPath[UUID],
    data: Annotated[WebhookChange, Body(title="What to change")],
) -> WebhookSummary:
    """While it is not `enabled` nothing is sent, and no events are kept for it. What waited then
    goes on once it is; what happened meanwhile can be replayed, from `missed_after` on."""
    await webhook_endpoints.find(grant, webhook_id)
    named = data.mailboxes
    wish = Wish(
        url=data.url,
        description=data.description,
        types=data.types,
        mailbox_ids=None if named is None else await _find_mailboxes(mailboxes, grant, named),
        is_ordered=data.ordered,
        is_enabled=data.enabled,
    )
    return _summarise(await webhook_endpoints.change(grant, webhook_id, wish))


@delete(
    "/{webhook_id:uuid}",
    operation_id="delete_webhook",
    summary="Remove a webhook",
    opt=allow(Permission.WEBHOOKS_WRITE),
    response_description="Nothing more is sent to it, and what was sent is forgotten.",
)
async def remove(
    grant: Given[Grant], webhook_endpoints: Given[WebhookEndpoints], webhook_id: FromPath[UUID]
) -> None:
    """With the log of its deliveries. A call that is under way is not taken back."""
    await webhook_endpoints.remove(grant, webhook_id)


@post(
    "/{webhook_id:uuid}/rotate-secret",
    operation_id="rotate_webhook_secret",
    summary="Rotate a webhook's secret",
    opt={
        **allow(Permission.WEBHOOKS_WRITE),
        **shown(answer=_SHOWN, body=SecretRotation(_DAY_SECONDS)),
    },
)
async def rotate_secret(
    grant: Given[Grant],
    webhook_endpoints: Given[WebhookEndpoints],
    webhook_id: FromPath[UUID],
    data: Annotated[SecretRotation, Body(title="How long both sign")],
) -> ShownWebhook:
    """For `overlap_seconds` each call carries two signatures, of the new secret and of the old one,
    so that nothing is refused while the receiver changes over."""
    overlap = timedelta(seconds=data.overlap_seconds)
    return _show(await webhook_endpoints.rotate_secret(grant, webhook_id, overlap))


async def _find_mailboxes(
    mailboxes: Mailboxes, grant: Grant, named: Sequence[str]
) -> Sequence[UUID]:
    """By address, or by an id, which is checked where it is used. Raises `NotFound`."""
    return [
        (await mailboxes.find(name, grant.tenant_id)).id if "@" in name else _read_id(name)
        for name in named
    ]


def _read_id(name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError as error:
        raise InvalidInput(f"{name} is neither an address nor an id.", "mailboxes") from error


def _show(minted: MintedEndpoint) -> ShownWebhook:
    shown_once = minted.secret.reveal()
    return ShownWebhook(**msgspec.structs.asdict(_summarise(minted.endpoint)), secret=shown_once)


def _summarise(endpoint: Endpoint) -> WebhookSummary:
    return WebhookSummary(
        id=endpoint.id,
        url=endpoint.url,
        description=endpoint.description,
        types=endpoint.types,
        mailboxes=endpoint.mailboxes,
        ordered=endpoint.is_ordered,
        enabled=endpoint.is_enabled,
        disabled_reason=endpoint.disabled_reason,
        disabled_at=endpoint.disabled_at,
        missed_after=endpoint.disabled_position,
        failing_since=endpoint.failing_since,
        previous_secret_until=endpoint.previous_until,
        created_at=endpoint.created_at,
    )


webhooks_router = Router(
    "/webhooks",
    route_handlers=[list_all, show, create, change, remove, rotate_secret],
    opt=allow(Permission.WEBHOOKS_READ),
    tags=["webhooks"],
)
