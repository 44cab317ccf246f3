"""Signing in by a one-time link."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.access.sessions import Sessions
from app.core.clock import Clock
from app.core.errors import NotFound
from app.core.ids import Ids
from app.core.secrets import hash_token, new_token
from app.eventlog.append import EventLog
from app.storage.db.database import Database

LINK_TTL = timedelta(hours=1)
_KEEP_OLD_LINKS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The token of a new session, and the path that its browser wanted; empty for none."""

    session_token: str
    next_path: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """One-time links. Only hashes of their tokens are stored."""

    database: Database
    log: EventLog
    sessions: Sessions
    clock: Clock
    ids: Ids

    async def create_link(
        self, user_id: UUID, *, ttl: timedelta = LINK_TTL, next_path: str = ""
    ) -> str:
        """A token that signs this user in once, within `ttl`."""
        token = new_token(self.ids)
        now = self.clock.now()
        await self.database.execute(
            """insert into sign_in_link
                (id, user_id, token_hash, next_path, created_at, expires_at)
            values ($1, $2, $3, $4, $5, $6)""",
            self.ids.new(),
            user_id,
            hash_token(token),
            next_path,
            now,
            now + ttl,
        )
        return token

    async def check_link(self, token: str) -> None:
        """Raises `NotFound` unless the link still works. It is not consumed."""
        found = await self.database.fetch_value(
            """select true from sign_in_link
            where token_hash = $1 and consumed_at is null and expires_at > $2""",
            hash_token(token),
            self.clock.now(),
        )
        if not found:
            raise NotFound("This sign-in link was used or has expired.")

    async def consume_link(self, token: str, user_agent: str) -> SignedIn:
        """Uses the link up and opens a session. Raises `NotFound`."""
        async with self.log.transaction() as transaction:
            link = await transaction.connection.fetchrow(
                """update sign_in_link set consumed_at = $2
                where token_hash = $1 and consumed_at is null and expires_at > $2
                returning user_id, next_path""",
                hash_token(token),
                self.clock.now(),
            )
            if link is None:
                raise NotFound("This sign-in link was used or has expired.")
            session_token = await self.sessions.open(transaction, link["user_id"], user_agent)
        return SignedIn(session_token, link["next_path"])

    async def remove_old_links(self) -> int:
        """Forgets links a day after their time. How many."""
        rows = await self.database.fetch(
            "delete from sign_in_link where expires_at <= $1 returning id",
            self.clock.now() - _KEEP_OLD_LINKS,
        )
        return len(rows)
