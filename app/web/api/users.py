"""The people of a tenant over the API, for those who look after it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Router, delete, get, patch, post
from litestar.params import Body, FromPath

from app.access.grants import Grant
from app.access.permissions import Permission
from app.access.users import Member, Users
from app.web.api.openapi import shown
from app.web.given import Given
from app.web.guards import allow
from app.web.parameters import Cursor, Limit, SearchWords
from app.web.problems import ALREADY_EXISTS, NOT_FOUND

Role = Literal["owner", "admin", "agent", "viewer"]


class UserSummary(msgspec.Struct, frozen=True):
    """Somebody in the tenant. `last_seen_at` is null for who is signed in nowhere."""

    id: UUID
    email: str
    role: Role
    added_at: datetime
    last_seen_at: datetime | None


class UserList(msgspec.Struct, frozen=True):
    """By address. `next_cursor` asks for the page after this one; null at the end."""

    items: Sequence[UserSummary]
    next_cursor: str | None


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody to invite."""

    email: Annotated[str, msgspec.Meta(min_length=3, max_length=320)]
    role: Role


class RoleChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody is from now on."""

    role: Role


_EXAMPLE = UserSummary(
    UUID("0198c5ee-1a2b-7c3d-8e4f-506172839405"),
    "ada@acme.example",
    "agent",
    datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
    datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
)


@get(
    "/",
    operation_id="list_users",
    summary="List users",
    opt=shown(answer=UserList([_EXAMPLE], None)),
)
async def list_all(
    grant: Given[Grant],
    users: Given[Users],
    q: SearchWords = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> UserList:
    """Everybody of the tenant, with their role."""
    page = await users.list(grant.tenant_id, q, cursor=cursor, limit=limit)
    return UserList([_summarise(member) for member in page.rows], page.next_cursor)


@get("/{user_id:uuid}", operation_id="get_user", summary="Get a user", opt=shown(answer=_EXAMPLE))
async def show(grant: Given[Grant], users: Given[Users], user_id: FromPath[UUID]) -> UserSummary:
    """One of the tenant's people, and when they were last seen."""
    return _summarise(await users.find(grant.tenant_id, user_id))


@post(
    "/",
    operation_id="invite_user",
    summary="Invite a user",
    opt=shown(
        answer=_EXAMPLE, body=NewUser("ada@acme.example", "agent"), problems=[ALREADY_EXISTS]
    ),
)
async def invite(
    grant: Given[Grant], users: Given[Users], data: Annotated[NewUser, Body(title="Who")]
) -> UserSummary:
    """They are told by mail where to sign in. Only an owner, on the pages, makes owners."""
    user = await users.invite(grant, data.email, data.role)
    return _summarise(await users.find(grant.tenant_id, user.id))


@patch(
    "/{user_id:uuid}",
    operation_id="change_role",
    summary="Change a user's role",
    opt=shown(answer=_EXAMPLE, body=RoleChange("viewer"), problems=[NOT_FOUND]),
)
async def change(
    grant: Given[Grant],
    users: Given[Users],
    user_id: FromPath[UUID],
    data: Annotated[RoleChange, Body(title="What they become")],
) -> UserSummary:
    """It holds from their next request on. Owners are changed by owners, on the pages."""
    await users.change_role(grant, user_id, data.role)
    return _summarise(await users.find(grant.tenant_id, user_id))


@delete(
    "/{user_id:uuid}",
    operation_id="remove_user",
    summary="Remove a user",
    response_description="They are no member any more.",
)
async def remove(grant: Given[Grant], users: Given[Users], user_id: FromPath[UUID]) -> None:
    """From their next request on they see nothing of the tenant. What they did stays."""
    await users.remove(grant, user_id)


def _summarise(member: Member) -> UserSummary:
    return UserSummary(
        member.user_id,
        member.email,
        member.role,  # type: ignore[arg-type]
        member.added_at,
        member.last_seen_at,
    )


users_router = Router(
    "/admin/users",
    route_handlers=[list_all, show, invite, change, remove],
    opt=allow(Permission.ADMIN),
    tags=["admin"],
)
