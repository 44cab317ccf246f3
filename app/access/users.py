"""People and their roles in tenants."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.access.audit import Audit
from app.access.grants import COMMAND_LINE, Actor, Grant
from app.access.permissions import ROLES, Permission
from app.access.sessions import EndReason, Sessions
from app.access.sign_in_requests import SignInRequests
from app.core.clock import Clock
from app.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from app.core.ids import Ids
from app.eventlog.append import EventLog, Transaction
from app.eventlog.types import EventType
from app.mime.addresses import is_valid_address, normalise_address
from app.storage.db.database import Connection, Database
from app.storage.db.keyset import PAGE_ROWS, Page, cut_page, decode_key


@dataclass(frozen=True, slots=True)
class User:
    id: UUID
    email: str


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a tenant. `last_seen_at` is where they are signed in now, in whatever tenant."""

    user_id: UUID
    email: str
    role: str
    added_at: datetime
    last_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Users:
    """Who belongs to a tenant, and as what.

    Only an owner makes owners, changes or removes them, and a tenant that has an owner keeps one.
    """

    database: Database
    log: EventLog
    audit: Audit
    sessions: Sessions
    requests: SignInRequests
    clock: Clock
    ids: Ids

    async def add(
        self,
        email: str,
        tenant_id: UUID,
        role: str,
        *,
        is_operator: bool = False,
        actor: Actor = COMMAND_LINE,
    ) -> User:
        """Gives the person of this address a role in the tenant, in place of an earlier one.

        An operator of the installation stays one. Raises `InvalidInput` for what is no address or
        no role.
        """
        email = _check(email, role)
        async with self.log.transaction() as transaction:
            user = User(await self._ensure(transaction.connection, email, is_operator), email)
            earlier = await _lock_role(transaction.connection, tenant_id, user.id)
            if earlier != role:
                await self._set_role(transaction, actor, tenant_id, user, earlier, role)
        return user

    async def list(
        self,
        tenant_id: UUID,
        words: str = "",
        *,
        cursor: str | None = None,
        limit: int = PAGE_ROWS,
    ) -> Page[Member]:
        """Members by address, those that have `words` in it. Raises `InvalidInput` for a cursor
        that is not ours."""
        (after,) = decode_key(cursor, 1) if cursor else ("",)
        rows = await self.database.fetch(
            f"""{_MEMBERS} and strpos(email, lower($2)) > 0 and email > $3
            order by email limit $4""",
            tenant_id,
            words.replace("\0", "").strip(),
            after,
            limit + 1,
        )
        return cut_page([Member(**row) for row in rows], limit, lambda member: [member.email])

    async def find(self, tenant_id: UUID, user_id: UUID) -> Member:
        """Raises `NotFound` for who is no member."""
        row = await self.database.fetch_one(f"{_MEMBERS} and user_id = $2", tenant_id, user_id)
        if row is None:
            raise NotFound(_NOBODY)
        return Member(**row)

    async def invite(self, grant: Grant, email: str, role: str) -> User:
        """Adds a person to the grant's tenant, and tells them by mail where to sign in.

        Raises `InvalidInput`, `AlreadyExists` for a member and `NotAllowed`.
        """
        email = _check(email, role)
        _require_rank(grant, role)
        async with self.log.transaction() as transaction:
            user = User(await self._ensure(transaction.connection, email), email)
            if await _lock_role(transaction.connection, grant.tenant_id, user.id) is not None:
                raise AlreadyExists(f"{email} is a member already.")
            await self._set_role(transaction, grant.actor, grant.tenant_id, user, None, role)
            await self.requests.invite(transaction.connection, email)
        await self.requests.ring()
        return user

    async def change_role(self, grant: Grant, user_id: UUID, role: str) -> None:
        """Raises `NotFound`, `NotAllowed`, and `InvalidInput` for no role and for the last
        owner's."""
        if role not in ROLES:
            raise InvalidInput(_NO_ROLE)
        _require_rank(grant, role)
        async with self.log.transaction() as transaction:
            user, earlier = await self._lock_member(transaction.connection, grant, user_id)
            if earlier == role:
                return
            await self._set_role(transaction, grant.actor, grant.tenant_id, user, earlier, role)
            await _require_owner(transaction.connection, grant.tenant_id, earlier)

    async def remove(self, grant: Grant, user_id: UUID) -> None:
        """The person is no member any more, from their next request on. Where it was their last
        tenant, their sessions end.

        Raises `NotFound`, `NotAllowed`, and `InvalidInput` for the last owner.
        """
        async with self.log.transaction() as transaction:
            connection = transaction.connection
            user, role = await self._lock_member(connection, grant, user_id)
            await connection.execute(
                "delete from membership where tenant_id = $1 and user_id = $2",
                grant.tenant_id,
                user_id,
            )
            await _require_owner(connection, grant.tenant_id, role)
            await self.audit.record(
                transaction,
                grant.actor,
                EventType.ACCESS_USER_REMOVED,
                tenant_id=grant.tenant_id,
                subject=("user", user_id),
                facts={"email": user.email},
                told={"role": role},
            )
            if not await connection.fetchval(
                "select exists (select from membership where user_id = $1)", user_id
            ):
                await self.sessions.end_all(transaction, user_id, EndReason.REMOVED)

    async def _ensure(self, connection: Connection, email: str, is_operator: bool = False) -> UUID:
        """The account of this address, made unless it is there."""
        user_id: UUID = await connection.fetchval(
            """insert into user_account (id, email, is_operator, created_at)
            values ($1, $2, $3, $4)
            on conflict (email) do update
                set is_operator = user_account.is_operator or excluded.is_operator
            returning id""",
            self.ids.new(),
            email,
            is_operator,
            self.clock.now(),
        )
        return user_id

    async def _set_role(
        self,
        transaction: Transaction,
        actor: Actor,
        tenant_id: UUID,
        user: User,
        earlier: str | None,
        role: str,
    ) -> None:
        await transaction.connection.execute(
            """insert into membership (id, tenant_id, user_id, role, created_at)
            values ($1, $2, $3, $4, $5)
            on conflict (tenant_id, user_id) do update set role = excluded.role""",
            self.ids.new(),
            tenant_id,
            user.id,
            role,
            self.clock.now(),
        )
        added = earlier is None
        await self.audit.record(
            transaction,
            actor,
            EventType.ACCESS_USER_ADDED if added else EventType.ACCESS_ROLE_CHANGED,
            tenant_id=tenant_id,
            subject=("user", user.id),
            facts={"email": user.email},
            told={"role": role} if added else {"role": role, "earlier": earlier},
        )

    async def _lock_member(
        self, connection: Connection, grant: Grant, user_id: UUID
    ) -> tuple[User, str]:
        """Somebody whom the grant may change, and their role. Raises `NotFound`, `NotAllowed`."""
        role = await _lock_role(connection, grant.tenant_id, user_id)
        if role is None:
            raise NotFound(_NOBODY)
        _require_rank(grant, role)
        email = await connection.fetchval("select email from user_account where id = $1", user_id)
        return User(user_id, email), role


def _check(email: str, role: str) -> str:
    """The address as it is stored. Raises `InvalidInput`."""
    if not is_valid_address(email):
        raise InvalidInput(f"{email!r} is not an e-mail address.")
    if role not in ROLES:
        raise InvalidInput(_NO_ROLE)
    return normalise_address(email)


def _require_rank(grant: Grant, role: str) -> None:
    """Raises `NotAllowed` for what only an owner does."""
    if role == "owner" and not grant.allows(Permission.OWNER):
        raise NotAllowed("Only an owner makes, changes or removes owners.")


async def _lock_role(connection: Connection, tenant_id: UUID, user_id: UUID) -> str | None:
    """The person's role, None for no member. Of the tenant's roles no other changes until the
    transaction ends, so that two owners cannot remove each other."""
    await connection.execute("select from tenant where id = $1 for no key update", tenant_id)
    role: str | None = await connection.fetchval(
        "select role from membership where tenant_id = $1 and user_id = $2", tenant_id, user_id
    )
    return role


async def _require_owner(connection: Connection, tenant_id: UUID, earlier: str) -> None:
    """Raises `InvalidInput` when the change of somebody who was an owner left none."""
    if earlier == "owner" and not await connection.fetchval(
        "select exists (select from membership where tenant_id = $1 and role = 'owner')", tenant_id
    ):
        raise InvalidInput("This is the last owner. Make somebody else an owner first.")


_NO_ROLE = f"The role must be one of {', '.join(ROLES)}."
_NOBODY = "There is no such person here."

_MEMBERS = """
select user_id, email, role, membership.created_at as added_at,
    (select max(last_seen_at) from session where session.user_id = user_account.id) as last_seen_at
from membership join user_account on user_account.id = user_id
where tenant_id = $1
"""
