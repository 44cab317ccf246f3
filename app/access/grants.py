"""Who acts, and what they may do: the one answer that pages and the API go by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from app.access.permissions import Permission
from app.core.errors import NotAllowed

ActorKind = Literal["user", "key", "operator", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from where.

    `name` is a person's e-mail address, a key's first characters, or "command line"; `address`
    the client's IP address, empty where there is none.
    """

    kind: ActorKind
    id: UUID | None
    name: str
    address: str = ""


COMMAND_LINE = Actor("operator", None, "command line")
SYSTEM = Actor("system", None, "Pillarbox")


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may do in one tenant.

    None in a list of ids stands for every one of the tenant. `mailbox_ids` already says which
    mailboxes a limit to domains leaves.
    """

    actor: Actor
    tenant_id: UUID
    permissions: frozenset[Permission]
    domain_ids: Sequence[UUID] | None = None
    mailbox_ids: Sequence[UUID] | None = None
    is_operator: bool = False

    def allows(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raises `NotAllowed` without this permission."""
        if permission not in self.permissions:
            if self.actor.kind == "key":
                raise NotAllowed(f"This key does not have the scope {permission}.")
            raise NotAllowed("Your role in this organisation does not allow it.")
