"""What an owner decided about ways in: by mail or not, and from where to administer."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from uuid import UUID

from app.core.errors import InvalidInput, NotAllowed
from app.storage.db.database import Connection, Database

_MAX_NETWORKS = 100


class OutsideNetworks(NotAllowed):
    """Administering is allowed from other networks only."""


@dataclass(frozen=True, slots=True)
class SignInPolicy:
    """`admin_networks` are in CIDR form (RFC 4632); without any, people administer from
    anywhere."""

    allows_mail: bool = True
    needs_same_browser_kind: bool = False
    admin_networks: Sequence[str] = ()

    def admits(self, address: str) -> bool:
        """Whether somebody may administer from this address."""
        if not self.admin_networks:
            return True
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        forms = (parsed, getattr(parsed, "ipv4_mapped", None))
        networks = map(ip_network, self.admin_networks)
        return any(form in network for network in networks for form in forms if form)


def parse_networks(text: str) -> Sequence[str]:
    """Addresses and networks, one to a line or with commas between them, in CIDR form.

    Raises `InvalidInput`.
    """
    networks = []
    for part in text.replace(",", " ").split():
        try:
            networks.append(str(ip_network(part, strict=False)))
        except ValueError as error:
            raise InvalidInput(f"{part[:50]} is neither an address nor a network.") from error
    if len(networks) > _MAX_NETWORKS:
        raise InvalidInput(f"At most {_MAX_NETWORKS} networks can be listed.")
    return list(dict.fromkeys(networks))


@dataclass(frozen=True, slots=True)
class SignInPolicies:
    """Each tenant's policy, which is the default until it is saved."""

    database: Database

    async def find(self, tenant_id: UUID) -> SignInPolicy:
        row = await self.database.fetch_one(
            """select allows_mail, needs_same_browser_kind, admin_networks
            from sign_in_policy where tenant_id = $1""",
            tenant_id,
        )
        return SignInPolicy(**row) if row else SignInPolicy()

    async def save(self, connection: Connection, tenant_id: UUID, policy: SignInPolicy) -> None:
        """In the caller's transaction."""
        await connection.execute(
            """insert into sign_in_policy
                (tenant_id, allows_mail, needs_same_browser_kind, admin_networks)
            values ($1, $2, $3, $4)
            on conflict (tenant_id) do update set allows_mail = $2, needs_same_browser_kind = $3,
                admin_networks = $4""",
            tenant_id,
            policy.allows_mail,
            policy.needs_same_browser_kind,
            list(policy.admin_networks),
        )

    async def require_admin_network(self, tenant_id: UUID, address: str) -> None:
        """Raises `OutsideNetworks` where the tenant is not to be administered from there."""
        if not (await self.find(tenant_id)).admits(address):
            raise OutsideNetworks("This can be done only from the networks that an owner listed.")
