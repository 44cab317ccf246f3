"""What owners change about ways in, so that no change can lock all of them out unseen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from app.access.audit import Audit
from app.access.grants import Actor, Grant
from app.access.sessions import Sessions
from app.access.sign_in_policy import SignInPolicies, SignInPolicy
from app.access.sso_connections import SsoConnection, SsoConnections
from app.core.errors import InvalidInput, NotAllowed
from app.eventlog.append import EventLog
from app.eventlog.types import EventType
from app.storage.db.database import Connection


@dataclass(frozen=True, slots=True)
class Shown:
    """A tenant's ways in. `people_outside`: members whom its provider does not vouch for.

    `may_have_provider`: its plan includes one.
    """

    policy: SignInPolicy
    connection: SsoConnection | None
    domains: Sequence[tuple[UUID, str]]
    people_outside: Sequence[str]
    may_have_provider: bool


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """Changes are for owners; who asks is checked before."""

    policies: SignInPolicies
    connections: SsoConnections
    sessions: Sessions
    log: EventLog
    audit: Audit

    async def show(self, tenant_id: UUID) -> Shown:
        connection = await self.connections.find(tenant_id)
        return Shown(
            policy=await self.policies.find(tenant_id),
            connection=connection,
            domains=await self.connections.list_domains(tenant_id),
            people_outside=await self.connections.list_people_outside(tenant_id)
            if connection
            else (),
            may_have_provider=await self._may_have_provider(tenant_id),
        )

    async def set_mail(
        self,
        grant: Grant,
        *,
        allows_mail: bool,
        needs_same_browser_kind: bool,
        came_by_provider: bool,
    ) -> None:
        """Raises `InvalidInput` for whoever would turn links by mail off without having come
        through the provider themself: nothing else shows that it works."""
        policy = await self.policies.find(grant.tenant_id)
        if policy.allows_mail and not allows_mail and not came_by_provider:
            raise InvalidInput(
                "Sign in through your provider once, and turn links by mail off then: "
                "so you know that you can come back."
            )
        policy = replace(
            policy, allows_mail=allows_mail, needs_same_browser_kind=needs_same_browser_kind
        )
        await self._save_policy(grant.tenant_id, policy, grant.actor)

    async def set_provider(self, grant: Grant, wanted: SsoConnection) -> None:
        """Links by mail work again until an owner turns them off anew: what was changed may be
        wrong. Raises `InvalidInput`, and `NotAllowed` where the plan does not include it."""
        if not await self._may_have_provider(wanted.tenant_id):
            raise NotAllowed("Single sign-on belongs to the Enterprise plan.")
        there = await self.connections.find(wanted.tenant_id)
        is_same = there is not None and there.issuer == wanted.issuer
        async with self.log.transaction() as transaction:
            await self.connections.save(
                transaction.connection,
                wanted,
                keep_secret=is_same and wanted.client_secret is None,
            )
            await self._allow_mail(transaction.connection, wanted.tenant_id)
            await self.audit.record(
                transaction,
                grant.actor,
                EventType.ACCESS_PROVIDER_SAVED,
                tenant_id=wanted.tenant_id,
                subject=("tenant", wanted.tenant_id),
                facts={
                    "issuer": wanted.issuer,
                    "client_id": wanted.client_id,
                    "has_new_secret": wanted.client_secret is not None,
                    "role_claim": wanted.role_claim,
                    "roles": [f"{value} = {role}" for value, role in wanted.roles.items()],
                    "default_role": wanted.default_role,
                    "domain_ids": list(map(str, wanted.domain_ids)),
                },
            )
        if not is_same:
            await self.sessions.end_of_provider(wanted.tenant_id)

    async def remove_provider(self, grant: Grant) -> None:
        """Everybody signs in by mail again, and whom the provider vouched for is signed out."""
        async with self.log.transaction() as transaction:
            await self.connections.remove(transaction.connection, grant.tenant_id)
            await self._allow_mail(transaction.connection, grant.tenant_id)
            await self.audit.record(
                transaction,
                grant.actor,
                EventType.ACCESS_PROVIDER_REMOVED,
                tenant_id=grant.tenant_id,
                subject=("tenant", grant.tenant_id),
            )
        await self.sessions.end_of_provider(grant.tenant_id)

    async def set_admin_networks(
        self, tenant_id: UUID, networks: Sequence[str], actor: Actor
    ) -> None:
        """From where the tenant may be administered; without any, from anywhere."""
        policy = await self.policies.find(tenant_id)
        await self._save_policy(tenant_id, replace(policy, admin_networks=networks), actor)

    async def _save_policy(self, tenant_id: UUID, policy: SignInPolicy, actor: Actor) -> None:
        async with self.log.transaction() as transaction:
            await self.policies.save(transaction.connection, tenant_id, policy)
            await self.audit.record(
                transaction,
                actor,
                EventType.ACCESS_SIGN_IN_CHANGED,
                tenant_id=tenant_id,
                subject=("tenant", tenant_id),
                facts={"admin_networks": list(policy.admin_networks)},
                told={
                    "allows_mail": policy.allows_mail,
                    "needs_same_browser_kind": policy.needs_same_browser_kind,
                },
            )

    async def _may_have_provider(self, tenant_id: UUID) -> bool:
        plan = await self.log.database.fetch_value(
            "select plan from tenant where id = $1", tenant_id
        )
        return bool(plan == "enterprise")

    async def _allow_mail(self, connection: Connection, tenant_id: UUID) -> None:
        policy = await self.policies.find(tenant_id)
        await self.policies.save(connection, tenant_id, replace(policy, allows_mail=True))
