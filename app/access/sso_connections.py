"""The OpenID Provider of a tenant: who it is, for whose addresses, and which roles it gives."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from app.access.permissions import ROLES
from app.core.clock import Clock
from app.core.encryption import Keyring
from app.core.errors import InvalidInput
from app.core.secrets import Secret
from app.mime.addresses import normalise_domain, split_address
from app.storage.db.database import Connection, Database, Record
from app.storage.sealed_columns import SSO_CLIENT_SECRET

_MAX_CHARS = 500
_LISTED = 20


@dataclass(frozen=True, slots=True)
class SsoConnection:
    """`roles` says which role a value of `role_claim` gives, `default_role` what everybody else
    gets; empty: nothing, so that they stay outside. `domain_ids` are those that were chosen."""

    tenant_id: UUID
    issuer: str
    client_id: str
    client_secret: Secret | None = None
    role_claim: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    default_role: str = "viewer"
    domain_ids: Sequence[UUID] = ()

    def choose_role(self, claims: Mapping[str, object]) -> str:
        """The highest role that these claims give; empty when they give none.

        A claim holds one value or a list of them.
        """
        found = claims.get(self.role_claim) if self.role_claim else None
        values = found if isinstance(found, list) else [found]
        given = {self.roles.get(value) for value in values if isinstance(value, str)}
        return next((role for role in ROLES if role in given), "")


@dataclass(frozen=True, slots=True)
class SsoConnections:
    """Each tenant has one or none."""

    database: Database
    keyring: Keyring
    clock: Clock

    async def find(self, tenant_id: UUID) -> SsoConnection | None:
        row = await self.database.fetch_one(f"{_SELECT} where connection.tenant_id = $1", tenant_id)
        return self._read(row) if row else None

    async def find_for(self, email: str) -> SsoConnection | None:
        """The connection for people of this address: by its domain alone, as long as the tenant
        has proven to own that."""
        name = normalise_domain(split_address(email)[1])
        row = await self.database.fetch_one(
            f"""{_SELECT} where connection.tenant_id in (
                select sso_domain.tenant_id from sso_domain join domain on domain.id = domain_id
                where domain.name = $1 and domain.tenant_id = sso_domain.tenant_id and {_PROVEN}
            )""",
            name,
        )
        return self._read(row) if row else None

    async def exists_any(self) -> bool:
        return bool(await self.database.fetch_value("select exists (select from sso_connection)"))

    async def save(
        self, connection: Connection, wanted: SsoConnection, *, keep_secret: bool
    ) -> None:
        """In the caller's transaction. Who is known by another issuer's name is known no more.

        Raises `InvalidInput` for what cannot work.
        """
        _check(wanted)
        now = self.clock.now()
        secret = wanted.client_secret
        await connection.execute(
            "delete from sso_connection where tenant_id = $1 and issuer <> $2",
            wanted.tenant_id,
            wanted.issuer,
        )
        await connection.execute(
            _SAVE,
            wanted.tenant_id,
            wanted.issuer,
            wanted.client_id,
            self.keyring.encrypt(secret.reveal(), SSO_CLIENT_SECRET.context(wanted.tenant_id))
            if secret
            else None,
            keep_secret,
            wanted.role_claim,
            json.dumps(dict(wanted.roles)),
            wanted.default_role,
            now,
        )
        await connection.execute("delete from sso_domain where tenant_id = $1", wanted.tenant_id)
        await connection.execute(
            """insert into sso_domain (domain_id, tenant_id)
            select id, tenant_id from domain where tenant_id = $1 and id = any($2)""",
            wanted.tenant_id,
            list(wanted.domain_ids),
        )

    async def remove(self, connection: Connection, tenant_id: UUID) -> None:
        """In the caller's transaction. Who had signed in that way signs in by mail again."""
        await connection.execute("delete from sso_connection where tenant_id = $1", tenant_id)

    async def list_domains(self, tenant_id: UUID) -> Sequence[tuple[UUID, str]]:
        """The tenant's own domains, which it may choose from: id and name."""
        rows = await self.database.fetch(
            f"select id, name from domain where tenant_id = $1 and {_PROVEN} order by name",
            tenant_id,
        )
        return [(row["id"], row["name"]) for row in rows]

    async def list_people_outside(self, tenant_id: UUID) -> Sequence[str]:
        """Some members whose address is of none of the chosen domains."""
        rows = await self.database.fetch(
            f"""select email from membership join user_account on user_account.id = user_id
            where tenant_id = $1 and split_part(email, '@', 2) not in (
                select domain.name from sso_domain join domain on domain.id = domain_id
                where sso_domain.tenant_id = $1 and {_PROVEN}
            ) order by email limit {_LISTED}""",
            tenant_id,
        )
        return [row["email"] for row in rows]

    def _read(self, row: Record) -> SsoConnection:
        sealed, tenant_id = row["client_secret"], row["tenant_id"]
        context = SSO_CLIENT_SECRET.context(tenant_id)
        return SsoConnection(
            tenant_id=tenant_id,
            issuer=row["issuer"],
            client_id=row["client_id"],
            client_secret=Secret(self.keyring.decrypt(sealed, context)) if sealed else None,
            role_claim=row["role_claim"],
            roles=json.loads(row["roles"]),
            default_role=row["default_role"],
            domain_ids=row["domain_ids"],
        )


def _check(wanted: SsoConnection) -> None:
    if not wanted.issuer.startswith(("https://", "http://")) or len(wanted.issuer) > _MAX_CHARS:
        raise InvalidInput("The issuer is an address that begins with https://.")
    if not 0 < len(wanted.client_id) <= _MAX_CHARS:
        raise InvalidInput("The client ID is missing.")
    if unknown := set(wanted.roles.values()) - set(ROLES):
        raise InvalidInput(f"There is no role {min(unknown)}. Roles are {', '.join(ROLES)}.")
    if wanted.default_role not in ("", *ROLES[1:]):
        raise InvalidInput("Nobody becomes an owner by default.")


# The TXT record holds: mail may be refused meanwhile, but the domain is still theirs.
_PROVEN = "status in ('verified', 'soft_rejected')"

_SELECT = """
select connection.tenant_id, issuer, client_id, client_secret, role_claim, roles, default_role,
    array(
        select domain_id from sso_domain where sso_domain.tenant_id = connection.tenant_id
    ) as domain_ids
from sso_connection as connection
"""

_SAVE = """
insert into sso_connection (tenant_id, issuer, client_id, client_secret, role_claim, roles,
    default_role, created_at, updated_at)
values ($1, $2, $3, $4, $6, $7, $8, $9, $9)
on conflict (tenant_id) do update set
    client_id = excluded.client_id,
    client_secret = case when $5 then sso_connection.client_secret else excluded.client_secret end,
    role_claim = excluded.role_claim, roles = excluded.roles,
    default_role = excluded.default_role, updated_at = excluded.updated_at
"""
