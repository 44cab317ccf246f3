"""Who belongs to a tenant, and who may say so."""

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from postman import Postman

from app.access.browser import Browser
from app.access.grants import Actor, Grant
from app.access.permissions import ROLE_PERMISSIONS
from app.access.sessions import SignInMethod
from app.access.users import User
from app.assembly import Services
from app.core.errors import (
    AlreadyExists,
    InvalidInput,
    NotAllowed,
    NotFound,
    PillarboxError,
    Unauthenticated,
)


@pytest.fixture
async def tenant_id(services: Services) -> UUID:
    return (await services.tenants.create("First", "enterprise")).id


@pytest.fixture
async def owner(services: Services, tenant_id: UUID) -> User:
    return await services.users.add("owner@example.test", tenant_id, "owner")


def granted(tenant_id: UUID, role: str, user_id: UUID | None = None) -> Grant:
    actor = Actor("user", user_id or uuid4(), f"{role}@example.test", "192.0.2.7")
    return Grant(actor, tenant_id, ROLE_PERMISSIONS[role])


async def roles(services: Services, tenant_id: UUID) -> dict[str, str]:
    page = await services.users.list(tenant_id)
    return {member.email.partition("@")[0]: member.role for member in page.rows}


async def open_session(services: Services, user: User) -> str:
    async with services.log.transaction() as transaction:
        return await services.sessions.open(transaction, user.id, Browser(), SignInMethod.MAIL)


async def test_invited_person_is_told_where_to_sign_in_and_given_no_way_in(
    services: Services, tenant_id: UUID, owner: User
) -> None:
    postman = Postman()
    mail = services.magic_link_mail()
    assert mail
    mail = replace(mail, transport=postman)
    await services.users.invite(granted(tenant_id, "admin"), "Ada@Example.test", "agent")
    assert await mail.send_due() == 1
    (sent,) = postman.mails
    assert sent.rcpt_to == "ada@example.test"
    body = sent.message.get_body(("plain",))
    assert body
    assert f"{services.settings.public_url}/sign-in\n" in body.get_content()
    assert not postman.links()
    assert await mail.send_due() == 0
    assert await roles(services, tenant_id) == {"ada": "agent", "owner": "owner"}
    entry = (await services.audit.list(tenant_id)).entries[0]
    assert (entry.action, entry.actor.name) == ("access.user_added", "admin@example.test")
    assert entry.facts == {"email": "ada@example.test", "role": "agent"}
    with pytest.raises(AlreadyExists):
        await services.users.invite(granted(tenant_id, "admin"), "ada@example.test", "viewer")


async def test_only_an_owner_makes_changes_and_removes_owners(
    services: Services, tenant_id: UUID, owner: User
) -> None:
    second = await services.users.add("second@example.test", tenant_id, "owner")
    ada = await services.users.add("ada@example.test", tenant_id, "viewer")
    admin, users = granted(tenant_id, "admin"), services.users
    for attempt in (
        users.invite(admin, "new@example.test", "owner"),
        users.change_role(admin, ada.id, "owner"),
        users.change_role(admin, second.id, "viewer"),
        users.remove(admin, second.id),
    ):
        with pytest.raises(NotAllowed):
            await attempt
    await users.change_role(admin, ada.id, "agent")
    await users.remove(granted(tenant_id, "owner"), second.id)
    await users.change_role(granted(tenant_id, "owner"), ada.id, "owner")
    assert await roles(services, tenant_id) == {"ada": "owner", "owner": "owner"}


async def test_last_owner_stays_one(services: Services, tenant_id: UUID, owner: User) -> None:
    grant = granted(tenant_id, "owner", owner.id)
    for role in ("admin", "viewer"):
        with pytest.raises(InvalidInput):
            await services.users.change_role(grant, owner.id, role)
    with pytest.raises(InvalidInput):
        await services.users.remove(grant, owner.id)
    assert await roles(services, tenant_id) == {"owner": "owner"}
    assert (await services.audit.list(tenant_id)).entries[0].action == "access.user_added"


async def test_one_owner_is_left_when_two_remove_each_other_at_once(
    services: Services, tenant_id: UUID, owner: User
) -> None:
    second = await services.users.add("second@example.test", tenant_id, "owner")
    outcomes = await asyncio.gather(
        services.users.remove(granted(tenant_id, "owner"), owner.id),
        services.users.remove(granted(tenant_id, "owner"), second.id),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InvalidInput", "NoneType"]
    assert len(await roles(services, tenant_id)) == 1


async def test_sessions_end_with_the_last_tenant(
    services: Services, tenant_id: UUID, owner: User
) -> None:
    other = (await services.tenants.create("Other", "enterprise")).id
    ada = await services.users.add("ada@example.test", tenant_id, "agent")
    await services.users.add("ada@example.test", other, "viewer")
    token = await open_session(services, ada)
    session = (await services.sessions.find(token)).session
    await services.sessions.switch_tenant(session, tenant_id)
    await services.users.remove(granted(tenant_id, "owner"), ada.id)
    session = (await services.sessions.find(token)).session
    assert (session.tenant_id, session.role) == (other, "viewer")
    await services.users.remove(granted(other, "owner"), ada.id)
    with pytest.raises(Unauthenticated):
        await services.sessions.find(token)
    assert await services.database.fetch_value("select count(*) from session") == 0


async def test_nobody_reaches_into_another_tenant(
    services: Services, tenant_id: UUID, owner: User
) -> None:
    stranger = granted((await services.tenants.create("Stranger", "developer")).id, "owner")
    for user_id in (owner.id, uuid4()):
        for attempt in (
            services.users.change_role(stranger, user_id, "viewer"),
            services.users.remove(stranger, user_id),
            services.users.find(stranger.tenant_id, user_id),
        ):
            with pytest.raises(NotFound, match=r"There is no such person here\."):
                await attempt
    assert await roles(services, tenant_id) == {"owner": "owner"}


@pytest.mark.parametrize(
    ("email", "role"),
    [("nonsense", "agent"), ("a@example.test", "king"), ("a@b\r\nBcc: c@d", "agent")],
)
async def test_nonsense_is_refused(
    services: Services, tenant_id: UUID, owner: User, email: str, role: str
) -> None:
    with pytest.raises(PillarboxError):
        await services.users.invite(granted(tenant_id, "owner"), email, role)
    assert await services.database.fetch_value("select count(*) from user_account") == 1


async def test_list_is_by_address_and_can_be_searched(
    services: Services, tenant_id: UUID, owner: User
) -> None:
    for name in ("cid", "ada", "bob", "a%b"):
        await services.users.add(f"{name}@example.test", tenant_id, "agent")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await services.users.list(tenant_id, cursor=cursor, limit=2)
        seen += [member.email.partition("@")[0] for member in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(["a%b", "ada", "bob", "cid", "owner"])
    page = await services.users.list(tenant_id, "A%")
    assert [member.email for member in page.rows] == ["a%b@example.test"]
    assert page.rows[0].last_seen_at is None


async def test_same_role_again_is_no_change(
    services: Services, tenant_id: UUID, owner: User
) -> None:
    await services.users.add("owner@example.test", tenant_id, "owner")
    assert len((await services.audit.list(tenant_id)).entries) == 1
    await services.users.add("owner@example.test", tenant_id, "owner", is_operator=True)
    await services.users.add("owner@example.test", tenant_id, "owner")
    assert await services.database.fetch_value("select is_operator from user_account")


async def test_session_is_no_longer_good_once_its_user_is_no_more_what_they_were(
    services: Services, tenant_id: UUID, owner: User
) -> None:
    ada = await services.users.add("ada@example.test", tenant_id, "agent")
    session = (await services.sessions.find(await open_session(services, ada))).session
    await services.sessions.require_open(session)
    await services.users.change_role(granted(tenant_id, "owner"), ada.id, "viewer")
    with pytest.raises(NotFound):
        await services.sessions.require_open(session)
    await services.users.change_role(granted(tenant_id, "owner"), ada.id, "agent")
    await services.sessions.require_open(session)
    await services.users.remove(granted(tenant_id, "owner"), ada.id)
    with pytest.raises(NotFound):
        await services.sessions.require_open(session)
