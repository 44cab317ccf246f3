"""People and their roles in tenants."""

from dataclasses import dataclass
from uuid import UUID

from app.access.permissions import ROLES
from app.core.clock import Clock
from app.core.errors import InvalidInput
from app.core.ids import Ids
from app.mime.addresses import is_valid_address, normalise_address
from app.storage.db.database import Database


@dataclass(frozen=True, slots=True)
class User:
    id: UUID
    email: str


@dataclass(frozen=True, slots=True)
class Users:
    """Adding people to tenants."""

    database: Database
    clock: Clock
    ids: Ids

    async def add(
        self, email: str, tenant_id: UUID, role: str, *, is_operator: bool = False
    ) -> User:
        """Gives the person of this address a role in the tenant, in place of an earlier one.

        An operator of the installation stays one. Raises `InvalidInput` for what is no address or
        no role.
        """
        if not is_valid_address(email):
            raise InvalidInput(f"{email!r} is not an e-mail address.")
        email = normalise_address(email)
        if role not in ROLES:
            raise InvalidInput(f"The role must be one of {', '.join(ROLES)}.")
        now = self.clock.now()
        async with self.database.transaction() as connection:
            user_id = await connection.fetchval(
                """insert into user_account (id, email, is_operator, created_at)
                values ($1, $2, $3, $4)
                on conflict (email) do update
                    set is_operator = user_account.is_operator or excluded.is_operator
                returning id""",
                self.ids.new(),
                email,
                is_operator,
                now,
            )
            await connection.execute(
                """insert into membership (id, tenant_id, user_id, role, created_at)
                values ($1, $2, $3, $4, $5)
                on conflict (tenant_id, user_id) do update set role = excluded.role""",
                self.ids.new(),
                tenant_id,
                user_id,
                role,
                now,
            )
        return User(user_id, email)
