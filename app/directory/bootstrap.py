"""What every installation has from its first start: a home for temporary inboxes."""

from contextlib import suppress

from app.core.errors import AlreadyExists
from app.directory.domains import Domains
from app.directory.snapshot import RecipientPolicy
from app.directory.tenants import Tenant, Tenants

TEMPORARY_TENANT = "Temporary inboxes"
# Of the three the only one under which asking never tells which addresses exist.
TEMPORARY_RECIPIENT_POLICY: RecipientPolicy = "accept_and_discard"


async def ensure_temporary_domain(tenants: Tenants, domains: Domains, name: str) -> None:
    """The tenant and the domain of temporary inboxes, made unless they are there.

    Several processes may do so at once.
    """
    tenant = await ensure_tenant(tenants, TEMPORARY_TENANT, "temporary")
    with suppress(AlreadyExists):
        await domains.add(
            name, tenant.id, vouched=True, recipient_policy=TEMPORARY_RECIPIENT_POLICY
        )


async def ensure_tenant(tenants: Tenants, name: str, plan: str) -> Tenant:
    """The tenant of this name, made unless it is there."""
    with suppress(AlreadyExists):
        return await tenants.create(name, plan)
    return await tenants.find(name)
