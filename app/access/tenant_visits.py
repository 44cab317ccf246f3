"""Operators who go to look after a tenant: as one of its admins, seen by its people."""

from dataclasses import dataclass
from uuid import UUID

from app.access.grants import Grant
from app.access.sessions import Session, Sessions
from app.access.users import Users
from app.core.errors import NotAllowed, NotFound

_ROLE = "admin"


@dataclass(frozen=True, slots=True)
class TenantVisits:
    users: Users
    sessions: Sessions

    async def is_member(self, session: Session, tenant_id: UUID) -> bool:
        try:
            await self.users.find(tenant_id, session.user_id)
        except NotFound:
            return False
        return True

    async def begin(self, grant: Grant, session: Session, tenant_id: UUID) -> None:
        """From now on this session is in that tenant, of which the operator becomes an admin if
        they are no user yet. Raises `NotAllowed` for others, and `NotFound`."""
        if not grant.is_operator:
            raise NotAllowed("This is for those who run this installation.")
        if not await self.is_member(session, tenant_id):
            there = Grant(grant.actor, tenant_id, grant.permissions, is_operator=True)
            await self.users.invite(there, session.email, _ROLE)
        await self.sessions.switch_tenant(session, tenant_id)
