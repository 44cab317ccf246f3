"""API keys over the API, for those who look after a tenant."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import Body, FromPath

from app.access.grants import Grant
from app.access.keys import MAX_OVERLAP, ApiKeys, KeyState, KeyView, MintedKey
from app.access.permissions import Permission
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor, Limit, SearchWords
from app.web.problems import NOT_FOUND

_MAX_LIMITS = 1000
_DAY_SECONDS = 86_400

Ids = Annotated[Sequence[UUID], msgspec.Meta(max_length=_MAX_LIMITS)]
OverlapSeconds = Annotated[int, msgspec.Meta(ge=0, le=int(MAX_OVERLAP.total_seconds()))]


class KeySummary(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its text, of which `prefix` is the first 8 characters. Empty lists of domains
    (names) or mailboxes (addresses) stand for all of the tenant's. `state` is `active`, `expired`
    or `revoked`; `replaced_by` is the key that it was rotated to."""

    id: UUID
    name: str
    prefix: str
    scopes: Sequence[str]
    domains: Sequence[str]
    mailboxes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    replaced_by: UUID | None
    state: KeyState


class KeyList(msgspec.Struct, frozen=True):
    """Newest first. `next_cursor` asks for the page after this one; null at the end."""

    items: Sequence[KeySummary]
    next_cursor: str | None


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key to be. With a name alone it may do everything in the tenant but administer it. Limits
    to domains and mailboxes hold together; a limited key cannot have the scope `admin`."""

    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    scopes: Sequence[Permission] | None = None
    domain_ids: Ids = ()
    mailbox_ids: Ids = ()
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many seconds the old key goes on working, at most 30 days."""

    overlap_seconds: OverlapSeconds = _DAY_SECONDS


class ShownKey(KeySummary, frozen=True, kw_only=True):
    """A new key with its text, `key`: 64 hexadecimal characters, shown this once."""

    key: str


_FACTS = {
    "id": UUID("0198c5ee-9d20-7f14-a3b8-6e5d4c3b2a19"),
    "name": "Invoice importer",
    "prefix": "3f9ac2d1",
    "scopes": ["messages:read"],
    "domains": [],
    "mailboxes": ["invoices@acme.example"],
    "created_at": datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
    "expires_at": None,
    "last_used_at": datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
    "revoked_at": None,
    "replaced_by": None,
    "state": KeyState.ACTIVE,
}
_EXAMPLE = KeySummary(**_FACTS)  # type: ignore[arg-type]
_SHOWN = ShownKey(**_FACTS, key="3f9ac2d1" + "0123456789abcdef" * 3 + "01234567")  # type: ignore[arg-type]
_NEW = NewKey(name="Invoice importer", scopes=[Permission.MESSAGES_READ], mailbox_ids=[UUID(int=7)])


@get(
    "/",
    operation_id="list_keys",
    summary="List API keys",
    opt=shown(answer=KeyList([_EXAMPLE], None)),
)
async def list_all(
    grant: Given[Grant],
    keys: Given[ApiKeys],
    q: SearchWords = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> KeyList:
    """All keys of the tenant, those that no longer work too. No key is shown, only its first 8
    characters."""
    page = await keys.list(grant.tenant_id, q, cursor=cursor, limit=limit)
    return KeyList([_summarise(key) for key in page.rows], page.next_cursor)


@get("/{key_id:uuid}", operation_id="get_key", summary="Get an API key", opt=shown(answer=_EXAMPLE))
async def show(grant: Given[Grant], keys: Given[ApiKeys], key_id: FromPath[UUID]) -> KeySummary:
    """What a key may do, when it was last used, and whether it still works."""
    return _summarise(await keys.find(grant.tenant_id, key_id))


@post(
    "/",
    operation_id="create_key",
    summary="Create an API key",
    opt=shown(answer=_SHOWN, body=_NEW, problems=[NOT_FOUND]),
)
async def create(
    grant: Given[Grant], keys: Given[ApiKeys], data: Annotated[NewKey, Body(title="The new key")]
) -> ShownKey:
    """The answer holds the key, and nothing else ever will: keep it now. Only a request that is
    repeated with the same `Idempotency-Key` by the same API key is shown it again, within a day."""
    minted = await keys.create(
        grant.actor,
        grant.tenant_id,
        data.scopes,
        name=data.name,
        domain_ids=data.domain_ids,
        mailbox_ids=data.mailbox_ids,
        expires_at=data.expires_at,
    )
    return await _show(keys, grant, minted)


@post(
    "/{key_id:uuid}/revoke",
    status_code=200,
    operation_id="revoke_key",
    summary="Revoke an API key",
    opt=shown(answer=_EXAMPLE),
)
async def revoke(grant: Given[Grant], keys: Given[ApiKeys], key_id: FromPath[UUID]) -> KeySummary:
    """The key works no more, from now on, and cannot be brought back. Revoking it once more changes
    nothing. A key may revoke itself."""
    await keys.revoke(grant.actor, grant.tenant_id, key_id)
    return _summarise(await keys.find(grant.tenant_id, key_id))


@post(
    "/{key_id:uuid}/rotate",
    operation_id="rotate_key",
    summary="Rotate an API key",
    opt=shown(answer=_SHOWN, body=Rotation(_DAY_SECONDS)),
)
async def rotate(
    grant: Given[Grant],
    keys: Given[ApiKeys],
    key_id: FromPath[UUID],
    data: Annotated[Rotation, Body(title="How long both work")],
) -> ShownKey:
    """Makes a key that may do the same. The old one goes on working for `overlap_seconds`, so that
    whoever uses it has time to change over, and can be rotated only once."""
    overlap = timedelta(seconds=data.overlap_seconds)
    return await _show(
        keys, grant, await keys.rotate(grant.actor, grant.tenant_id, key_id, overlap)
    )


async def _show(keys: ApiKeys, grant: Grant, minted: MintedKey) -> ShownKey:
    view = await keys.find(grant.tenant_id, minted.id)
    return ShownKey(**msgspec.structs.asdict(_summarise(view)), key=minted.key)


def _summarise(key: KeyView) -> KeySummary:
    return KeySummary(**{name: getattr(key, name) for name in KeySummary.__struct_fields__})


keys_router = Router(
    "/admin/keys",
    route_handlers=[list_all, show, create, revoke, rotate],
    opt=allow(Permission.ADMIN),
    tags=["admin"],
)
