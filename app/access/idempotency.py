"""A write that is sent twice is carried out once (draft-ietf-httpapi-idempotency-key-header).

A key counts for one tenant, method and path, for a day. What was answered is stored in the
transaction of the write itself, so there is never one without the other. It may hold secrets, such
as a new API key: it is encrypted with a key made from the API key of whoever wrote, of which we
keep but a hash, so only the same caller can be told it again.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.core.clock import Clock
from app.core.errors import PillarboxError
from app.core.ids import Ids
from app.core.secrets import Secret
from app.eventlog.append import EventLog
from app.storage.db.database import Connection

TTL = timedelta(days=1)
_NONCE_BYTES = 12


class StillRunning(PillarboxError):
    """The same write is being carried out right now."""

    retryable = True


class KeyTaken(PillarboxError):
    """The write was carried out for another API key, which alone is told the answer."""


class KeyReused(PillarboxError):
    """The key stands for another request already."""


class Answer(msgspec.Struct, frozen=True):
    """An answer over HTTP, as it was sent."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """A write by an API key, whose text is `secret`. `key` is what the caller named it by,
    `content` what it says: its query and body."""

    tenant_id: UUID
    api_key_id: UUID
    secret: Secret
    method: str
    path: str
    key: str
    content: bytes

    @property
    def call_hash(self) -> bytes:
        return _hash(self.tenant_id.bytes, self.method.encode(), self.path.encode(), self.key)

    @property
    def request_hash(self) -> bytes:
        return hashlib.sha256(self.content).digest()

    @property
    def lock(self) -> int:
        """The number of the advisory lock that is held while it runs."""
        return int.from_bytes(self.call_hash[:8], "big", signed=True)

    def cipher(self) -> AESGCM:
        """Of this call alone: made from its API key, so not from anything we keep."""
        return AESGCM(hmac.digest(self.secret.reveal().encode(), self.call_hash, "sha256"))


class _Refused(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Writes:
    """Carrying writes out whole, and once."""

    log: EventLog
    clock: Clock
    ids: Ids

    async def run(self, work: Callable[[], Awaitable[Answer]], call: Call | None) -> Answer:
        """Runs `work` as one transaction and returns its answer once that is committed. An answer
        of 400 or above undoes everything and is not kept, so the caller may try again.

        With a `call` that was carried out before, its answer comes again and `work` is not run.
        Raises `StillRunning`, `KeyTaken` or `KeyReused`.
        """
        try:
            async with self.log.unit() as transaction:
                if call and (known := await self._begin(transaction.connection, call)):
                    return known
                answer = await work()
                if answer.status >= 400:
                    raise _Refused(answer)
                if call:
                    await self._keep(transaction.connection, call, answer)
        except _Refused as refused:
            return refused.answer
        return answer

    async def forget_old(self) -> int:
        """Returns how many."""
        gone = await self.log.database.fetch(
            "delete from idempotency_key where created_at <= $1 returning call_hash",
            self.clock.now() - TTL,
        )
        return len(gone)

    async def _begin(self, connection: Connection, call: Call) -> Answer | None:
        """Holds the call until the transaction ends. What was answered, if it was carried out."""
        if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", call.lock):
            raise StillRunning("A request with this Idempotency-Key is still running.")
        row = await connection.fetchrow(
            """select api_key_id, request_hash, answer from idempotency_key
            where call_hash = $1 and tenant_id = $2 and created_at > $3""",
            call.call_hash,
            call.tenant_id,
            self.clock.now() - TTL,
        )
        if row is None:
            return None
        if row["request_hash"] != call.request_hash:
            raise KeyReused("This Idempotency-Key was used for another request.")
        if row["api_key_id"] != call.api_key_id:
            raise KeyTaken("This request was carried out already, for another API key.")
        sealed: bytes = row["answer"]
        plain = call.cipher().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        return msgspec.json.decode(plain, type=Answer)

    async def _keep(self, connection: Connection, call: Call, answer: Answer) -> None:
        nonce = self.ids.random_bytes(_NONCE_BYTES)
        sealed = nonce + call.cipher().encrypt(nonce, msgspec.json.encode(answer), None)
        await connection.execute(
            """insert into idempotency_key
                (call_hash, tenant_id, api_key_id, request_hash, answer, created_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (call_hash) do update set api_key_id = excluded.api_key_id,
                request_hash = excluded.request_hash, answer = excluded.answer,
                created_at = excluded.created_at""",
            call.call_hash,
            call.tenant_id,
            call.api_key_id,
            call.request_hash,
            sealed,
            self.clock.now(),
        )


def _hash(*parts: bytes | str) -> bytes:
    """Of all parts, so that no two lists of them run together."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()
