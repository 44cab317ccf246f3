"""The queue of those who asked for a sign-in link by mail.

A request for an unknown address waits here like any other: whoever asks learns nothing, neither
from the answer nor from the time it took.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.access.browser import Browser
from app.core.backoff import Backoff
from app.core.clock import Clock
from app.core.errors import InvalidInput
from app.core.ids import Ids
from app.mime.addresses import is_valid_address, normalise_address
from app.storage.db.database import Connection, Database
from app.storage.doorbell import Bell, Doorbell

MAILED_LINK_TTL = timedelta(minutes=15)
_LEASE = timedelta(seconds=60)
_BACKOFF = Backoff(first_seconds=5, ceiling_seconds=120)


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """One wish for a link. `attempts` counts this try, from 1.

    `secret_hash` and `browser_kind` are of the browser that asked, and of no other.
    """

    id: UUID
    email: str
    next_path: str
    secret_hash: bytes
    browser_kind: str
    attempts: int

    @property
    def is_invitation(self) -> bool:
        """Nobody asked: somebody was added to a tenant, and is to hear where to sign in."""
        return not self.secret_hash


@dataclass(frozen=True, slots=True)
class SignInRequests:
    """Rows that any number of workers may take from; each is leased to one at a time."""

    database: Database
    doorbell: Doorbell
    clock: Clock
    ids: Ids

    async def add(self, email: str, next_path: str, browser: Browser) -> None:
        """Queues a request. It does not look whether anybody has this address.

        The newest secret of the browser is the request's own. Raises `InvalidInput` for what is
        no address.
        """
        if not is_valid_address(email):
            raise InvalidInput("This is not an e-mail address.")
        now = self.clock.now()
        await self.database.execute(
            _ADD,
            self.ids.new(),
            normalise_address(email),
            next_path,
            browser.secret_hashes[0],
            browser.kind,
            now,
            now + MAILED_LINK_TTL,
        )
        await self.ring()

    async def invite(self, connection: Connection, email: str) -> None:
        """Queues word to somebody who was added to a tenant, in the caller's transaction. `ring`
        once that is committed."""
        now = self.clock.now()
        await connection.execute(
            """insert into sign_in_request
                (id, email, secret_hash, browser_kind, next_attempt_at, created_at)
            values ($1, $2, '', '', $3, $3)""",
            self.ids.new(),
            email,
            now,
        )

    async def ring(self) -> None:
        """Wakes those who send."""
        await self.doorbell.ring(Bell.SIGN_IN)

    async def claim(self, at_most: int) -> Sequence[SignInRequest]:
        """Requests that are due, leased to the caller for a minute."""
        now = self.clock.now()
        rows = await self.database.fetch(_CLAIM, now, now + _LEASE, at_most)
        return [SignInRequest(**row) for row in rows]

    async def remove(self, request: SignInRequest) -> None:
        """The request is dealt with."""
        await self.database.execute("delete from sign_in_request where id = $1", request.id)

    async def postpone(self, request: SignInRequest) -> None:
        """The request is due again later; the later, the more often it was tried."""
        delay = timedelta(seconds=_BACKOFF.delay_seconds(request.attempts))
        await self.database.execute(
            "update sign_in_request set next_attempt_at = $2 where id = $1",
            request.id,
            self.clock.now() + delay,
        )

    async def give_up(self) -> int:
        """Drops requests as old as a link may get: nobody waits for them any more. How many."""
        rows = await self.database.fetch(
            "delete from sign_in_request where created_at <= $1 returning id",
            self.clock.now() - MAILED_LINK_TTL,
        )
        return len(rows)


# The code that the mail may carry can be tried only so often; that is counted for every request.
_ADD = """
with counted as (
    insert into sign_in_tries (secret_hash, email, expires_at) values ($4, $2, $7)
)
insert into sign_in_request
    (id, email, next_path, secret_hash, browser_kind, next_attempt_at, created_at)
values ($1, $2, $3, $4, $5, $6, $6)
"""

_CLAIM = """
update sign_in_request set next_attempt_at = $2, attempts = attempts + 1
where id in (
    select id from sign_in_request where next_attempt_at <= $1
    order by next_attempt_at limit $3 for update skip locked
)
returning id, email, next_path, secret_hash, browser_kind, attempts
"""
