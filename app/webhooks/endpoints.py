"""Webhook endpoints of a tenant: adding, changing and removing them, each noted in the audit trail.

A grant that is limited to mailboxes reaches only endpoints that are limited to some of these; of
all others it is never told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from uuid import UUID

from app.access.audit import Audit, Facts
from app.access.grants import Grant
from app.core.clock import Clock
from app.core.egress.target import Target
from app.core.encryption import Keyring
from app.core.errors import InUse, InvalidInput, NotAllowed, NotFound
from app.core.ids import Ids
from app.core.secrets import Secret
from app.eventlog.append import EventLog, Transaction
from app.eventlog.types import EventType
from app.storage.db.database import Connection, Database
from app.storage.sealed_columns import PREVIOUS_WEBHOOK_SECRET, WEBHOOK_SECRET
from app.webhooks.endpoint import (
    DisabledReason,
    Endpoint,
    disable,
    enable,
    find_endpoint,
    list_endpoints,
)
from app.webhooks.selection import check_types
from app.webhooks.signing import new_secret

MAX_ENDPOINTS = 200
MAX_OVERLAP = timedelta(days=30)
_MAX_DESCRIPTION = 200
_MAX_URL = 2000


@dataclass(frozen=True, slots=True)
class Wish:
    """What an endpoint is to be. None stays as it is, or is the default."""

    url: str | None = None
    description: str | None = None
    types: Sequence[str] | None = None
    mailbox_ids: Sequence[UUID] | None = None
    is_ordered: bool | None = None
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class MintedEndpoint:
    """An endpoint with its new secret, which is shown this once."""

    endpoint: Endpoint
    secret: Secret


@dataclass(frozen=True, slots=True)
class WebhookEndpoints:
    """Every method raises `NotFound` for an endpoint that the grant does not reach."""

    database: Database
    log: EventLog
    audit: Audit
    keyring: Keyring
    clock: Clock
    ids: Ids

    async def add(self, grant: Grant, wish: Wish) -> MintedEndpoint:
        """An enabled endpoint, which is told of what happens from now on.

        Raises `InvalidInput` for an address that cannot be called or a type that there is not,
        `NotFound` for mailboxes that are not the grant's, `NotAllowed` when a limited grant names
        none, and `InUse` past `MAX_ENDPOINTS`.
        """
        wish = _check(wish)
        if wish.url is None:
            raise InvalidInput("An address is needed.", "url")
        endpoint_id, secret = self.ids.new(), new_secret(self.ids)
        async with self.log.transaction() as transaction:
            await _require_room(transaction.connection, grant.tenant_id)
            await _require_mailboxes(transaction.connection, grant, wish.mailbox_ids or ())
            await transaction.connection.execute(
                """insert into webhook_endpoint (id, tenant_id, url, description, types,
                    mailbox_ids, is_ordered, secret_sealed, start_position, created_at)
                values ($1, $2, $3, $4, $5, $6, $7, $8,
                    (select coalesce(max(position), 0) from event), $9)""",
                *(endpoint_id, grant.tenant_id, wish.url, wish.description or ""),
                *(wish.types or [], wish.mailbox_ids or [], bool(wish.is_ordered)),
                self.keyring.encrypt(secret.reveal(), WEBHOOK_SECRET.context(endpoint_id)),
                self.clock.now(),
            )
            await self._note(
                transaction, grant, EventType.ACCESS_WEBHOOK_ADDED, endpoint_id, _host(wish.url)
            )
        return MintedEndpoint(await self.find(grant, endpoint_id), secret)

    async def list(self, grant: Grant) -> Sequence[Endpoint]:
        """All that the grant reaches, the oldest first; `MAX_ENDPOINTS` at most."""
        return await list_endpoints(self.database, grant)

    async def find(self, grant: Grant, endpoint_id: UUID) -> Endpoint:
        return await find_endpoint(self.database, grant, endpoint_id)

    async def change(self, grant: Grant, endpoint_id: UUID, wish: Wish) -> Endpoint:
        """What was queued before stays as it is. Once switched on again, what waited goes on; what
        happened meanwhile has to be replayed. Raises what `add` does."""
        wish = _check(wish)
        async with self.log.transaction() as transaction:
            connection = transaction.connection
            before = await find_endpoint(connection, grant, endpoint_id, lock=True)
            if wish.mailbox_ids is not None:
                await _require_mailboxes(connection, grant, wish.mailbox_ids)
            changed = _differences(before, wish)
            await connection.execute(
                """update webhook_endpoint set url = coalesce($2, url),
                    description = coalesce($3, description), types = coalesce($4, types),
                    mailbox_ids = coalesce($5, mailbox_ids), is_ordered = coalesce($6, is_ordered)
                where id = $1""",
                *(endpoint_id, wish.url, wish.description, wish.types),
                *(wish.mailbox_ids, wish.is_ordered),
            )
            if changed.get("is_enabled") is True:
                await enable(connection, endpoint_id)
            elif changed.get("is_enabled") is False:
                await disable(connection, endpoint_id, DisabledReason.BY_HAND, self.clock.now())
            if changed:
                await self._note(
                    transaction, grant, EventType.ACCESS_WEBHOOK_CHANGED, endpoint_id, changed
                )
        return await self.find(grant, endpoint_id)

    async def remove(self, grant: Grant, endpoint_id: UUID) -> None:
        """With all that was delivered to it."""
        async with self.log.transaction() as transaction:
            connection = transaction.connection
            endpoint = await find_endpoint(connection, grant, endpoint_id, lock=True)
            await connection.execute("delete from webhook_endpoint where id = $1", endpoint_id)
            await self._note(
                transaction,
                grant,
                EventType.ACCESS_WEBHOOK_REMOVED,
                endpoint_id,
                _host(endpoint.url),
            )

    async def rotate_secret(
        self, grant: Grant, endpoint_id: UUID, overlap: timedelta
    ) -> MintedEndpoint:
        """A new secret. The old one signs beside it for `overlap`; an even older one no more.
        Raises `InvalidInput` for an overlap that is negative or over `MAX_OVERLAP`."""
        if not timedelta() <= overlap <= MAX_OVERLAP:
            raise InvalidInput(f"The old secret may go on for at most {MAX_OVERLAP.days} days.")
        secret = new_secret(self.ids)
        async with self.log.transaction() as transaction:
            connection = transaction.connection
            endpoint = await find_endpoint(connection, grant, endpoint_id, lock=True)
            sealed = await connection.fetchval(
                "select secret_sealed from webhook_endpoint where id = $1", endpoint_id
            )
            previous = self.keyring.decrypt(sealed, WEBHOOK_SECRET.context(endpoint_id))
            await connection.execute(
                """update webhook_endpoint set secret_sealed = $2, previous_secret_sealed = $3,
                    previous_until = $4
                where id = $1""",
                endpoint_id,
                self.keyring.encrypt(secret.reveal(), WEBHOOK_SECRET.context(endpoint_id)),
                self.keyring.encrypt(previous, PREVIOUS_WEBHOOK_SECRET.context(endpoint_id)),
                self.clock.now() + overlap,
            )
            await self._note(
                transaction,
                grant,
                EventType.ACCESS_WEBHOOK_ROTATED,
                endpoint_id,
                _host(endpoint.url),
            )
        return MintedEndpoint(await self.find(grant, endpoint_id), secret)

    async def _note(
        self,
        transaction: Transaction,
        grant: Grant,
        action: EventType,
        endpoint_id: UUID,
        facts: Facts,
    ) -> None:
        await self.audit.record(
            transaction,
            grant.actor,
            action,
            tenant_id=grant.tenant_id,
            subject=("webhook_endpoint", endpoint_id),
            facts=facts,
        )


def _check(wish: Wish) -> Wish:
    """The wish with each list in order and once. Whether the address leads to a network that may
    be called is asked whenever it is called: names change."""
    if wish.url is not None:
        if len(wish.url) > _MAX_URL:
            raise InvalidInput(f"An address has at most {_MAX_URL} characters.", "url")
        Target.parse(wish.url)
    if wish.description is not None and len(wish.description) > _MAX_DESCRIPTION:
        raise InvalidInput(
            f"A description has at most {_MAX_DESCRIPTION} characters.", "description"
        )
    return replace(
        wish,
        types=None if wish.types is None else check_types(wish.types),
        mailbox_ids=None if wish.mailbox_ids is None else sorted(set(wish.mailbox_ids)),
    )


async def _require_room(connection: Connection, tenant_id: UUID) -> None:
    count = await connection.fetchval(
        "select count(*) from webhook_endpoint where tenant_id = $1", tenant_id
    )
    if count >= MAX_ENDPOINTS:
        raise InUse(f"There are {MAX_ENDPOINTS} webhooks already. Remove one first.")


async def _require_mailboxes(
    connection: Connection, grant: Grant, mailbox_ids: Sequence[UUID]
) -> None:
    if grant.mailbox_ids is not None:
        if not mailbox_ids:
            raise NotAllowed("This key is for some mailboxes: name those that are wanted.")
        if not set(mailbox_ids) <= set(grant.mailbox_ids):
            raise NotFound("There is no such mailbox.")
    found = await connection.fetchval(
        "select count(*) from mailbox where tenant_id = $1 and id = any($2::uuid[])",
        grant.tenant_id,
        list(mailbox_ids),
    )
    if found != len(mailbox_ids):
        raise NotFound("There is no such mailbox.")


def _differences(before: Endpoint, wish: Wish) -> Facts:
    """What the wish makes another, for the audit trail; of an address its host, as the rest of it
    may be a secret."""
    changed: dict[str, str | bool | Sequence[str]] = {}
    for field in fields(wish):
        value = getattr(wish, field.name)
        if value is None or value == getattr(before, field.name):
            continue
        if field.name == "url":
            changed |= _host(value)
        else:
            changed[field.name] = value if isinstance(value, str | bool) else list(map(str, value))
    return changed


def _host(url: str) -> Mapping[str, str]:
    return {"host": Target.parse(url).authority}
