"""API keys: 64 hexadecimal characters, stored as a hash, with explicit allow-lists."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from app.access.grants import Actor, Grant
from app.access.permissions import SCOPES, Permission
from app.core.clock import Clock
from app.core.errors import InvalidInput, Unauthenticated
from app.core.ids import Ids
from app.eventlog.append import EventLog
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.storage.db.database import Database

_PREFIX_LENGTH = 8


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Minting keys and telling whose they are."""

    database: Database
    log: EventLog
    clock: Clock
    ids: Ids

    async def create(
        self,
        tenant_id: UUID,
        scopes: Collection[str],
        *,
        domain_ids: Sequence[UUID] = (),
        mailbox_ids: Sequence[UUID] = (),
        name: str = "",
    ) -> str:
        """A new key, to be shown once. An empty list of domains or mailboxes allows all of the
        tenant's. Raises `InvalidInput` for an unknown scope or none."""
        if not scopes or not set(scopes) <= set(SCOPES):
            raise InvalidInput(f"A key needs at least one scope of {', '.join(sorted(SCOPES))}.")
        key = self.ids.random_bytes(32).hex()
        key_id = self.ids.new()
        async with self.log.transaction() as transaction:
            await transaction.connection.execute(
                """insert into api_key (id, tenant_id, name, prefix, key_hash, scopes, domain_ids,
                    mailbox_ids, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
                key_id,
                tenant_id,
                name,
                key[:_PREFIX_LENGTH],
                _hash(key),
                sorted(scopes),
                list(domain_ids),
                list(mailbox_ids),
                self.clock.now(),
            )
            transaction.tell(
                NewEvent(
                    EventType.ACCESS_KEY_CREATED,
                    trace_id=self.ids.new(),
                    subject=("api_key", key_id),
                    tenant_id=tenant_id,
                    data={"scopes": sorted(scopes)},
                )
            )
        return key

    async def authenticate(self, key: str, address: str = "") -> Grant:
        """What this key grants to a client at this IP address. Raises `Unauthenticated` for an
        unknown, expired or revoked one."""
        row = await self.database.fetch_one(_AUTHENTICATE, _hash(key), self.clock.now())
        if row is None:
            raise Unauthenticated("The API key is not valid.")
        limited = bool(row["domain_ids"] or row["mailbox_ids"])
        return Grant(
            actor=Actor("key", row["id"], row["prefix"], address),
            tenant_id=row["tenant_id"],
            permissions=frozenset(map(Permission, row["scopes"])),
            domain_ids=row["domain_ids"] or None,
            mailbox_ids=row["allowed"] if limited else None,
        )


# Mailboxes that both lists allow. Touching `last_used_at` at most once a minute keeps reads cheap.
_AUTHENTICATE = """
with used as (
    update api_key set last_used_at = $2
    where key_hash = $1
        and (last_used_at is null or last_used_at < $2::timestamptz - interval '1 minute')
)
select id, prefix, tenant_id, scopes, domain_ids, mailbox_ids, array(
    select mailbox.id from mailbox
    where mailbox.tenant_id = api_key.tenant_id
        and (api_key.domain_ids <> '{}' or api_key.mailbox_ids <> '{}')
        and (api_key.domain_ids = '{}' or mailbox.domain_id = any(api_key.domain_ids))
        and (api_key.mailbox_ids = '{}' or mailbox.id = any(api_key.mailbox_ids))
) as allowed
from api_key
where key_hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)
"""


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
