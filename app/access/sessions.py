"""Signed-in browsers, and the changing tokens by which they are known.

A session's token is replaced once a day. The new one counts from when the browser first sends it
back, so that an answer that got lost signs nobody out; what it replaces stays good for a minute,
for requests that were under way. A token that comes back later than that is in two hands, and we
cannot tell which is the owner's: its session ends (RFC 9700, section 4.14.2, does the same with
refresh tokens).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from app.access.browser import Browser
from app.core.clock import Clock
from app.core.errors import NotFound, Unauthenticated
from app.core.ids import Ids
from app.core.log import get_logger
from app.core.secrets import hash_token, new_token
from app.eventlog.append import MAX_EVENTS_PER_APPEND, EventLog, Transaction
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.storage.db.database import Database, Record

IDLE_TTL = timedelta(days=14)
SESSION_TTL = timedelta(days=90)
RENEW_AFTER = timedelta(hours=24)
REPLACED_GRACE = timedelta(seconds=60)
SEEN_EVERY = timedelta(minutes=5)
_RENEW_AGAIN_AFTER = timedelta(minutes=5)
_USER_AGENT_CHARS = 300
_LISTED = 200

_log = get_logger("sessions")


class EndReason(StrEnum):
    """Why a session ended that did not sign out by itself."""

    BY_USER = "by_user"
    SIGNED_IN_ANEW = "signed_in_anew"
    PROVIDER_CHANGED = "provider_changed"
    TOKEN_REUSED = "token_reused"  # noqa: S105
    REMOVED = "removed"


class SignInMethod(StrEnum):
    """How a session was opened, which decides whose tenants it opens.

    By mail: those that allow it. By a provider: the one whose provider it was. By a link that the
    operator made on the command line: all, so that nobody can be locked out for good.
    """

    MAIL = "mail"
    SSO = "sso"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser: who, and the tenant whose mail is shown, with their role in it.

    `may_switch`: whether it opens other tenants too. `sso_tenant_id`: whose provider vouched for
    them, where one did.
    """

    id: UUID
    user_id: UUID
    email: str
    tenant_id: UUID
    tenant_name: str
    may_switch: bool
    role: str
    is_operator: bool
    sso_tenant_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TenantChoice:
    """A tenant that somebody is a member of, and their role in it."""

    id: UUID
    name: str
    role: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """A session that was found by its token, and the token to use from now on, if another."""

    session: Session
    new_token: str | None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as its user sees it in a list."""

    id: UUID
    user_agent: str
    method: str
    network: str
    created_at: datetime
    last_seen_at: datetime
    is_current: bool


@dataclass(frozen=True, slots=True)
class Sessions:
    """Opening, finding and ending sessions. Only hashes of their tokens are stored."""

    database: Database
    log: EventLog
    clock: Clock
    ids: Ids

    async def open(
        self,
        transaction: Transaction,
        user_id: UUID,
        browser: Browser,
        method: SignInMethod,
        sso_tenant_id: UUID | None = None,
    ) -> str:
        """A new session of this user, in the caller's transaction. Its token."""
        session_id, token, now = self.ids.new(), new_token(self.ids), self.clock.now()
        await transaction.connection.execute(
            """insert into session
                (id, user_id, user_agent, network, method, sso_tenant_id,
                created_at, last_seen_at, renewed_at, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $7, $7, $8)""",
            session_id,
            user_id,
            browser.user_agent.replace("\0", "")[:_USER_AGENT_CHARS],
            browser.network,
            method.value,
            sso_tenant_id,
            now,
            now + SESSION_TTL,
        )
        await transaction.connection.execute(
            """insert into session_token (token_hash, session_id, created_at, used_at)
            values ($1, $2, $3, $3)""",
            hash_token(token),
            session_id,
            now,
        )
        transaction.tell(self._event(EventType.ACCESS_SIGNED_IN, session_id, user_id))
        return token

    async def find(self, token: str) -> Visit:
        """The session of this token. Raises `Unauthenticated` when it ended or never was.

        One query; it writes only when the session was last seen a while ago, and when a token is
        new or due.
        """
        token_hash, now = hash_token(token), self.clock.now()
        row = await self.database.fetch_one(_FIND, token_hash, now, now - IDLE_TTL)
        if row is None:
            raise Unauthenticated("You are signed out.")
        session = Session(
            row["id"],
            row["user_id"],
            row["email"],
            row["tenant_id"],
            row["tenant_name"],
            row["may_switch"],
            row["role"],
            row["is_operator"],
            row["sso_tenant_id"],
        )
        replaced_at = row["replaced_at"]
        if replaced_at is not None and replaced_at <= now - REPLACED_GRACE:
            await self._end_reused(session)
            raise Unauthenticated("You are signed out.")
        if row["used_at"] is None:
            await self._start_to_use(row, token_hash, now)
        elif row["last_seen_at"] <= now - SEEN_EVERY:
            await self.database.execute(_NOTE_SEEN, session.id, now)
        is_due = replaced_at is None and row["created_at"] <= now - RENEW_AFTER
        return Visit(session, await self._renew(session, now) if is_due else None)

    async def require_open(self, session: Session) -> None:
        """Raises `NotFound` when this session has ended, or its user is no longer in its tenant or
        has another role there. For what goes on after the request that was let in."""
        found = await self.database.fetch_value(
            f"""select true from session {_JOIN_OPENED}
            where session.id = $1 and membership.tenant_id = $2 and role = $3""",
            session.id,
            session.tenant_id,
            session.role,
        )
        if not found:
            raise NotFound("This session has ended already.")

    async def list_of_user(self, session: Session) -> Sequence[SessionView]:
        """Where this session's user is signed in, last seen first."""
        now = self.clock.now()
        rows = await self.database.fetch(
            """select id, user_agent, method, network, created_at, last_seen_at,
                id = $2 as is_current
            from session where user_id = $1 and expires_at > $3 and last_seen_at > $4
            order by id = $2 desc, last_seen_at desc, id desc limit $5""",
            session.user_id,
            session.id,
            now,
            now - IDLE_TTL,
            _LISTED,
        )
        return [SessionView(**row) for row in rows]

    async def list_tenants(self, session: Session) -> Sequence[TenantChoice]:
        """The tenants that this session may switch to, and the one it is in, by name."""
        rows = await self.database.fetch(
            f"""select tenant.id, tenant.name, role, tenant.id = $2 as is_current
            from session {_JOIN_OPENED} join tenant on tenant.id = membership.tenant_id
            where session.id = $1 order by lower(tenant.name), tenant.id limit $3""",
            session.id,
            session.tenant_id,
            _LISTED,
        )
        return [TenantChoice(**row) for row in rows]

    async def switch_tenant(self, session: Session, tenant_id: UUID) -> None:
        """From now on this session is in that tenant. Raises `NotFound` for one that it does not
        open."""
        switched = await self.database.fetch_value(
            f"""update session set tenant_id = $2 where id in (
                select session.id from session {_JOIN_OPENED}
                where session.id = $1 and membership.tenant_id = $2
            ) returning true""",
            session.id,
            tenant_id,
        )
        if not switched:
            raise NotFound("There is no such tenant.")

    async def sign_out(self, session: Session) -> None:
        """Ends the session, as its own browser asked."""
        async with self.log.transaction() as transaction:
            await transaction.connection.execute("delete from session where id = $1", session.id)
            transaction.tell(self._event(EventType.ACCESS_SIGNED_OUT, session.id, session.user_id))

    async def end(self, user_id: UUID, session_id: UUID, reason: EndReason) -> None:
        """Ends a session of this user. Raises `NotFound` when it is none of theirs."""
        async with self.log.transaction() as transaction:
            found = await transaction.connection.fetchval(
                "delete from session where id = $1 and user_id = $2 returning true",
                session_id,
                user_id,
            )
            if found is None:
                raise NotFound("This session has ended already.")
            transaction.tell(self._ended(session_id, user_id, reason))

    async def end_others(self, session: Session) -> int:
        """Ends every other session of this session's user. How many there were."""
        return await self._end_all(
            "user_id = $1 and id <> $2", [session.user_id, session.id], EndReason.BY_USER
        )

    async def end_of_provider(self, tenant_id: UUID) -> int:
        """Ends every session that this tenant's provider vouched for. How many there were."""
        return await self._end_all("sso_tenant_id = $1", [tenant_id], EndReason.PROVIDER_CHANGED)

    async def end_all(self, transaction: Transaction, user_id: UUID, reason: EndReason) -> None:
        """Ends every session of this user, in the caller's transaction; of very many the newest
        are told."""
        rows = await transaction.connection.fetch(
            "delete from session where user_id = $1 returning id", user_id
        )
        ended = sorted((row["id"] for row in rows), reverse=True)[: MAX_EVENTS_PER_APPEND // 2]
        transaction.tell(*(self._ended(session_id, user_id, reason) for session_id in ended))

    async def remove_ended(self) -> int:
        """Forgets the sessions whose time is up. How many."""
        now = self.clock.now()
        rows = await self.database.fetch(
            "delete from session where expires_at <= $1 or last_seen_at <= $2 returning id",
            now,
            now - IDLE_TTL,
        )
        return len(rows)

    async def _end_all(self, which: str, arguments: Sequence[UUID], reason: EndReason) -> int:
        ended = 0
        while True:
            async with self.log.transaction() as transaction:
                rows = await transaction.connection.fetch(
                    f"""delete from session where id in (
                        select id from session where {which} limit {MAX_EVENTS_PER_APPEND}
                    ) returning id, user_id""",
                    *arguments,
                )
                transaction.tell(*(self._ended(row["id"], row["user_id"], reason) for row in rows))
            ended += len(rows)
            if len(rows) < MAX_EVENTS_PER_APPEND:
                return ended

    async def _end_reused(self, session: Session) -> None:
        try:
            await self.end(session.user_id, session.id, EndReason.TOKEN_REUSED)
        except NotFound:
            return  # a request beside this one was first
        _log.warning("session.end", session_id=str(session.id), outcome=EndReason.TOKEN_REUSED)

    async def _start_to_use(self, row: Record, token_hash: bytes, now: datetime) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(_NOTE_SEEN, row["id"], now)
            await connection.execute(
                "update session_token set used_at = $2 where token_hash = $1 and used_at is null",
                token_hash,
                now,
            )
            await connection.execute(
                """update session_token set replaced_at = $2
                where session_id = $1 and replaced_at is null and created_at < $3""",
                row["id"],
                now,
                row["created_at"],
            )

    async def _renew(self, session: Session, now: datetime) -> str | None:
        """A token to go on with; None when another request was given one just now."""
        token = new_token(self.ids)
        given = await self.database.fetch_value(
            _RENEW, hash_token(token), session.id, now, now - _RENEW_AGAIN_AFTER
        )
        return token if given else None

    def _ended(self, session_id: UUID, user_id: UUID, reason: EndReason) -> NewEvent:
        return self._event(EventType.ACCESS_SESSION_ENDED, session_id, user_id, reason=reason.value)

    def _event(self, kind: EventType, session_id: UUID, user_id: UUID, **facts: str) -> NewEvent:
        return NewEvent(
            kind,
            trace_id=self.ids.new(),
            subject=("session", session_id),
            data={"user_id": str(user_id), **facts},
        )


# Those of its user's tenants that a session opens; see `SignInMethod`.
_JOIN_OPENED = """
join membership on membership.user_id = session.user_id
    and case method
        when 'sso' then membership.tenant_id = sso_tenant_id
        when 'mail' then not exists (
            select from sign_in_policy as policy
            where policy.tenant_id = membership.tenant_id and not allows_mail
        )
        else true
    end
"""

# Who is no longer in the tenant that their session was in finds themself in another of theirs. No
# tenant's provider makes anybody an operator of the installation.
_FIND = f"""
select session.id, session.user_id, email, membership.tenant_id, role, sso_tenant_id,
    tenant.name as tenant_name, count(*) over () > 1 as may_switch,
    is_operator and method <> 'sso' as is_operator,
    last_seen_at, session_token.created_at, used_at, replaced_at
from session_token
join session on session.id = session_token.session_id
join user_account on user_account.id = session.user_id
{_JOIN_OPENED}
join tenant on tenant.id = membership.tenant_id
where token_hash = $1 and expires_at > $2 and last_seen_at > $3
order by membership.tenant_id is not distinct from session.tenant_id desc, membership.id limit 1
"""

_NOTE_SEEN = "update session set last_seen_at = $2 where id = $1 and last_seen_at < $2"

# Of requests side by side only one is given a token. One that never came back is given up.
_RENEW = """
with won as (
    update session set renewed_at = $3 where id = $2 and renewed_at <= $4 returning id
), given_up as (
    delete from session_token using won where session_id = won.id and used_at is null
)
insert into session_token (token_hash, session_id, created_at)
select $1, id, $3 from won
returning true
"""
