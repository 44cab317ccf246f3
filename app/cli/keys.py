"""`pillarbox key`: making API keys, and looking after them."""

import argparse
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from app.access.grants import COMMAND_LINE
from app.access.keys import KeyView, MintedKey
from app.assembly import Services
from app.cli.installation import with_services
from app.core.errors import InvalidInput, NotFound


def create_key(options: argparse.Namespace) -> None:
    """Prints the key alone: it is shown this once."""

    async def work(services: Services) -> None:
        tenant = await services.tenants.find(options.tenant)
        domains = [await services.domains.find_receiving(name) for name in options.domain]
        if any(domain.tenant_id != tenant.id for domain in domains):
            raise NotFound("One of these domains is not this tenant's.")
        mailboxes = [await services.mailboxes.find(name, tenant.id) for name in options.mailbox]
        expires_at = None
        if options.days is not None:
            expires_at = services.clock.now() + timedelta(days=options.days)
        minted = await services.keys.create(
            COMMAND_LINE,
            tenant.id,
            options.scope,
            name=options.name,
            domain_ids=[domain.id for domain in domains],
            mailbox_ids=[mailbox.id for mailbox in mailboxes],
            expires_at=expires_at,
        )
        _say(options, minted)

    with_services(options.data, work)


def list_keys(options: argparse.Namespace) -> None:
    """The newest first."""

    async def work(services: Services) -> Sequence[KeyView]:
        tenant = await services.tenants.find(options.tenant)
        keys: list[KeyView] = []
        cursor = None
        while True:
            page = await services.keys.list(tenant.id, cursor=cursor)
            keys += page.rows
            cursor = page.next_cursor
            if cursor is None:
                return keys

    keys = with_services(options.data, work)
    if options.json:
        print(json.dumps([_facts(key) for key in keys]))
        return
    for key in keys:
        print(_describe(key))
    if not keys:
        print("There are no keys.")


def revoke_key(options: argparse.Namespace) -> None:
    async def work(services: Services) -> None:
        tenant = await services.tenants.find(options.tenant)
        key = await _find(services, tenant.id, options.key)
        await services.keys.revoke(COMMAND_LINE, tenant.id, key.id)
        print(json.dumps({"id": str(key.id)}) if options.json else f"Key {key.prefix}… is revoked.")

    with_services(options.data, work)


def rotate_key(options: argparse.Namespace) -> None:
    """Prints the new key alone, as `create_key` does."""

    async def work(services: Services) -> None:
        tenant = await services.tenants.find(options.tenant)
        key = await _find(services, tenant.id, options.key)
        overlap = timedelta(hours=options.overlap_hours)
        _say(options, await services.keys.rotate(COMMAND_LINE, tenant.id, key.id, overlap))

    with_services(options.data, work)


def _say(options: argparse.Namespace, minted: MintedKey) -> None:
    facts = {"key": minted.key, "id": str(minted.id)}
    print(json.dumps(facts) if options.json else minted.key)


async def _find(services: Services, tenant_id: UUID, text: str) -> KeyView:
    """The key of this id, or the one that begins like this. Raises `NotFound`, and
    `InvalidInput` where several do."""
    with suppress(ValueError):
        return await services.keys.find(tenant_id, UUID(text))
    page = await services.keys.list(tenant_id, text)
    found = [key for key in page.rows if key.prefix == text]
    if not found:
        raise NotFound("There is no such key.")
    if len(found) > 1:
        raise InvalidInput("Several keys begin like this. Give the id, which `key list` shows.")
    return found[0]


def _describe(key: KeyView) -> str:
    used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
    expiry = f"until {key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else ""
    limits = " ".join([*key.domains, *key.mailboxes])
    parts = (str(key.id), key.prefix, key.state.value, used, expiry, limits, ",".join(key.scopes))
    return "  ".join(part for part in (*parts, key.name) if part)


def _facts(key: KeyView) -> dict[str, object]:
    return {
        "id": str(key.id),
        "name": key.name,
        "prefix": key.prefix,
        "state": key.state.value,
        "scopes": list(key.scopes),
        "domains": list(key.domains),
        "mailboxes": list(key.mailboxes),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "last_used_at": key.last_used_at.isoformat() if key.last_used_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        "replaced_by": str(key.replaced_by) if key.replaced_by else None,
    }
