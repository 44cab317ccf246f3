"""Signing in by a one-time link, and the sessions that follow."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.core.clock import Clock
from app.core.errors import NotFound, Unauthenticated
from app.core.ids import Ids
from app.core.secrets import hash_token, new_token
from app.eventlog.append import EventLog
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.storage.db.database import Database

LINK_TTL = timedelta(hours=1)
SESSION_TTL = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser: who, and the tenant whose mail is shown."""

    id: UUID
    user_id: UUID
    email: str
    tenant_id: UUID
    role: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """One-time links and sessions. Only hashes of their tokens are stored."""

    database: Database
    log: EventLog
    clock: Clock
    ids: Ids

    async def create_link(self, user_id: UUID) -> str:
        """A token that signs this user in once, within an hour."""
        token = new_token(self.ids)
        now = self.clock.now()
        await self.database.execute(
            """insert into sign_in_link (id, user_id, token_hash, created_at, expires_at)
            values ($1, $2, $3, $4, $5)""",
            self.ids.new(),
            user_id,
            hash_token(token),
            now,
            now + LINK_TTL,
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

    async def consume_link(self, token: str, user_agent: str) -> str:
        """Uses the link up and returns the token of a new session. Raises `NotFound`."""
        now = self.clock.now()
        session_id, session_token = self.ids.new(), new_token(self.ids)
        async with self.log.transaction() as transaction:
            user_id = await transaction.connection.fetchval(
                """update sign_in_link set consumed_at = $2
                where token_hash = $1 and consumed_at is null and expires_at > $2
                returning user_id""",
                hash_token(token),
                now,
            )
            if user_id is None:
                raise NotFound("This sign-in link was used or has expired.")
            await transaction.connection.execute(
                """insert into session
                    (id, user_id, token_hash, user_agent, created_at, expires_at)
                values ($1, $2, $3, $4, $5, $6)""",
                session_id,
                user_id,
                hash_token(session_token),
                user_agent[:300],
                now,
                now + SESSION_TTL,
            )
            transaction.tell(self._event(EventType.ACCESS_SIGNED_IN, session_id, user_id))
        return session_token

    async def find_session(self, token: str) -> Session:
        """The session of this token. Raises `Unauthenticated` when it ended or never was."""
        row = await self.database.fetch_one(
            """select session.id, user_account.id as user_id, email, tenant_id, role
            from session
            join user_account on user_account.id = session.user_id
            join membership on membership.user_id = session.user_id
            where token_hash = $1 and expires_at > $2
            order by membership.id limit 1""",
            hash_token(token),
            self.clock.now(),
        )
        if row is None:
            raise Unauthenticated("You are signed out.")
        return Session(**row)

    async def sign_out(self, session: Session) -> None:
        """Ends the session at once."""
        async with self.log.transaction() as transaction:
            await transaction.connection.execute("delete from session where id = $1", session.id)
            transaction.tell(self._event(EventType.ACCESS_SIGNED_OUT, session.id, session.user_id))

    def _event(self, kind: EventType, session_id: UUID, user_id: UUID) -> NewEvent:
        return NewEvent(
            kind,
            trace_id=self.ids.new(),
            subject=("session", session_id),
            data={"user_id": str(user_id)},
        )
