"""API keys: 64 hexadecimal characters, stored as a hash, with explicit allow-lists."""

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from app.access.audit import Audit
from app.access.grants import Actor, Grant
from app.access.permissions import DEFAULT_SCOPES, SCOPES, Permission
from app.core.clock import Clock
from app.core.errors import InvalidInput, NotFound, Unauthenticated
from app.core.ids import Ids
from app.eventlog.append import EventLog, Transaction
from app.eventlog.types import EventType
from app.storage.db.database import Connection, Database, Record
from app.storage.db.keyset import PAGE_ROWS, Page, cut_page, decode_key

MAX_OVERLAP = timedelta(days=30)
_PREFIX_LENGTH = 8
_KEY = re.compile(r"[0-9a-f]{64}\Z")
_MAX_NAME_CHARACTERS = 200
_OF_DOMAINS = frozenset({Permission.DOMAINS_READ, Permission.DOMAINS_WRITE})


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A new key. `key` is shown this once and can never be read again."""

    id: UUID
    key: str


class KeyState(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key as those see it who look after it. Empty lists of domains (names) or mailboxes
    (addresses) stand for all of the tenant's."""

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


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Minting keys, looking after them, and telling whose they are."""

    database: Database
    log: EventLog
    audit: Audit
    clock: Clock
    ids: Ids

    async def create(
        self,
        actor: Actor,
        tenant_id: UUID,
        scopes: Collection[str] | None = None,
        *,
        name: str = "",
        domain_ids: Sequence[UUID] = (),
        mailbox_ids: Sequence[UUID] = (),
        expires_at: datetime | None = None,
    ) -> MintedKey:
        """A new key of the tenant.

        An empty list of domains or mailboxes allows all of the tenant's; a mailbox has to be
        allowed by both. Without scopes it gets all but `admin`, as far as its limits let it.
        Raises `InvalidInput`, and `NotFound` for a domain or mailbox that is not the tenant's.
        """
        chosen = _choose_scopes(scopes, domain_ids, mailbox_ids)
        if expires_at is not None and expires_at <= self.clock.now():
            raise InvalidInput("A key has to expire in the future.")
        async with self.log.transaction() as transaction:
            await _require_own(transaction.connection, "domain", domain_ids, tenant_id)
            await _require_own(transaction.connection, "mailbox", mailbox_ids, tenant_id)
            minted = await self._insert(
                transaction.connection,
                tenant_id,
                _clean_name(name),
                chosen,
                domain_ids,
                mailbox_ids,
                expires_at,
            )
            await self._record(
                transaction, actor, EventType.ACCESS_KEY_CREATED, tenant_id, minted.id
            )
        return minted

    async def list(
        self,
        tenant_id: UUID,
        words: str = "",
        *,
        cursor: str | None = None,
        limit: int = PAGE_ROWS,
    ) -> Page[KeyView]:
        """Keys of the tenant whose name or first characters have `words` in them, newest first.
        Raises `InvalidInput` for a cursor that is not ours."""
        (before,) = decode_key(cursor, 1) if cursor else (None,)
        rows = await self.database.fetch(
            f"""{_VIEW} where tenant_id = $1
                and strpos(lower(name || ' ' || prefix), lower($2)) > 0
                and ($3::text is null or id::text < $3)
            order by id::text desc limit $4""",
            tenant_id,
            words.replace("\0", "").strip(),
            before,
            limit + 1,
        )
        return cut_page([self._view(row) for row in rows], limit, lambda key: [str(key.id)])

    async def find(self, tenant_id: UUID, key_id: UUID) -> KeyView:
        """Raises `NotFound`, also for another tenant's key."""
        row = await self.database.fetch_one(
            f"{_VIEW} where tenant_id = $1 and id = $2", tenant_id, key_id
        )
        if row is None:
            raise NotFound(_NO_KEY)
        return self._view(row)

    async def revoke(self, actor: Actor, tenant_id: UUID, key_id: UUID) -> None:
        """The key works no more, from now on. Raises `NotFound`; once more does nothing."""
        async with self.log.transaction() as transaction:
            row = await _lock(transaction.connection, tenant_id, key_id)
            if row["revoked_at"] is not None:
                return
            await transaction.connection.execute(
                "update api_key set revoked_at = $2 where id = $1", key_id, self.clock.now()
            )
            await self._record(transaction, actor, EventType.ACCESS_KEY_REVOKED, tenant_id, key_id)

    async def rotate(
        self, actor: Actor, tenant_id: UUID, key_id: UUID, overlap: timedelta
    ) -> MintedKey:
        """A new key that may do the same and lives as long. The old one works for `overlap` more,
        and no longer than it would have anyway.

        Raises `NotFound`, and `InvalidInput` for an overlap that is negative or over
        `MAX_OVERLAP` and for a key that no longer works or was replaced already.
        """
        if not timedelta() <= overlap <= MAX_OVERLAP:
            raise InvalidInput(f"The old key may go on for at most {MAX_OVERLAP.days} days.")
        now = self.clock.now()
        async with self.log.transaction() as transaction:
            old = await _lock(transaction.connection, tenant_id, key_id)
            if self._state(old) is not KeyState.ACTIVE or old["replaced_by"] is not None:
                raise InvalidInput("This key no longer works, or was replaced already.")
            expires_at = old["expires_at"]
            minted = await self._insert(
                transaction.connection,
                tenant_id,
                old["name"],
                old["scopes"],
                old["domain_ids"],
                old["mailbox_ids"],
                now + (expires_at - old["created_at"]) if expires_at else None,
            )
            await transaction.connection.execute(
                """update api_key set replaced_by = $2, expires_at = least(expires_at, $3)
                where id = $1""",
                key_id,
                minted.id,
                now + overlap,
            )
            await self._record(transaction, actor, EventType.ACCESS_KEY_ROTATED, tenant_id, key_id)
            await self._record(
                transaction, actor, EventType.ACCESS_KEY_CREATED, tenant_id, minted.id
            )
        return minted

    async def authenticate(self, key: str, address: str = "") -> Grant:
        """What this key grants to a client at this IP address. Raises `Unauthenticated` for an
        unknown, expired or revoked one."""
        row = None
        if _KEY.match(key):
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

    async def _insert(
        self,
        connection: Connection,
        tenant_id: UUID,
        name: str,
        scopes: Collection[str],
        domain_ids: Sequence[UUID],
        mailbox_ids: Sequence[UUID],
        expires_at: datetime | None,
    ) -> MintedKey:
        minted = MintedKey(self.ids.new(), self.ids.random_bytes(32).hex())
        await connection.execute(
            """insert into api_key (id, tenant_id, name, prefix, key_hash, scopes, domain_ids,
                mailbox_ids, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
            minted.id,
            tenant_id,
            name,
            minted.key[:_PREFIX_LENGTH],
            _hash(minted.key),
            sorted(scopes),
            list(domain_ids),
            list(mailbox_ids),
            self.clock.now(),
            expires_at,
        )
        return minted

    async def _record(
        self,
        transaction: Transaction,
        actor: Actor,
        action: EventType,
        tenant_id: UUID,
        key_id: UUID,
    ) -> None:
        row = await transaction.connection.fetchrow(f"{_VIEW} where id = $1", key_id)
        view = self._view(row)
        await self.audit.record(
            transaction,
            actor,
            action,
            tenant_id=tenant_id,
            subject=("api_key", key_id),
            facts={
                "name": view.name,
                "prefix": view.prefix,
                "domains": view.domains,
                "mailboxes": view.mailboxes,
                "expires_at": view.expires_at.isoformat() if view.expires_at else None,
            },
            told={"scopes": view.scopes},
        )

    def _view(self, row: Record) -> KeyView:
        values = dict(row)
        del values["domain_ids"], values["mailbox_ids"]
        return KeyView(**values, state=self._state(row))

    def _state(self, row: Record) -> KeyState:
        if row["revoked_at"] is not None:
            return KeyState.REVOKED
        if row["expires_at"] is not None and row["expires_at"] <= self.clock.now():
            return KeyState.EXPIRED
        return KeyState.ACTIVE


def _choose_scopes(
    given: Collection[str] | None, domain_ids: Sequence[UUID], mailbox_ids: Sequence[UUID]
) -> Collection[str]:
    """What a key so limited may have. Raises `InvalidInput`."""
    barred = frozenset({Permission.ADMIN}) if domain_ids or mailbox_ids else frozenset()
    if mailbox_ids:
        barred |= _OF_DOMAINS
    if given is None:
        return DEFAULT_SCOPES - barred
    if not given or not set(given) <= SCOPES:
        raise InvalidInput(f"A key needs at least one scope of {', '.join(sorted(SCOPES))}.")
    if refused := sorted(barred.intersection(given)):
        raise InvalidInput(f"A key with such limits cannot have {', '.join(refused)}.")
    return set(given)


def _clean_name(name: str) -> str:
    """Raises `InvalidInput`."""
    name = " ".join(name.split())
    if len(name) > _MAX_NAME_CHARACTERS or not name.isprintable():
        raise InvalidInput(f"A key's name has at most {_MAX_NAME_CHARACTERS} characters.")
    return name


async def _require_own(
    connection: Connection, table: str, ids: Sequence[UUID], tenant_id: UUID
) -> None:
    """Raises `NotFound` unless all of them are the tenant's."""
    found = await connection.fetchval(
        f"select count(*) from {table} where id = any($1::uuid[]) and tenant_id = $2",
        list(ids),
        tenant_id,
    )
    if found != len(set(ids)):
        raise NotFound(f"There is no such {table}.")


async def _lock(connection: Connection, tenant_id: UUID, key_id: UUID) -> Record:
    """Raises `NotFound`."""
    row: Record | None = await connection.fetchrow(
        "select * from api_key where id = $1 and tenant_id = $2 for no key update",
        key_id,
        tenant_id,
    )
    if row is None:
        raise NotFound(_NO_KEY)
    return row


_NO_KEY = "There is no such key."

_VIEW = """
select id, name, prefix, scopes, domain_ids, mailbox_ids, created_at, expires_at, last_used_at,
    revoked_at, replaced_by,
    array(select domain.name from domain where domain.id = any(domain_ids) order by 1) as domains,
    array(select address from mailbox where mailbox.id = any(mailbox_ids) order by 1) as mailboxes
from api_key
"""

# Mailboxes that both lists allow. Touching `last_used_at` at most once a minute keeps reads cheap.
_AUTHENTICATE = """
with used as (
    update api_key set last_used_at = $2
    where key_hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)
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
