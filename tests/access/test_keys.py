"""API keys: what they may have, how long they work, and what is noted of them."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from clocks import MovableClock

from app.access.grants import COMMAND_LINE, Actor, Grant
from app.access.keys import MAX_OVERLAP, KeyState
from app.access.permissions import DEFAULT_SCOPES, SCOPES, Permission
from app.assembly import Services
from app.core.errors import InvalidInput, NotAllowed, NotFound, Unauthenticated
from app.directory.mailboxes import Mailbox

ADA = Actor("user", uuid4(), "ada@example.test", "192.0.2.7")
HOUR = timedelta(hours=1)


@pytest.fixture
async def tenant_id(services: Services) -> UUID:
    return (await services.tenants.create("First", "enterprise")).id


@pytest.fixture
async def mailbox(services: Services, tenant_id: UUID) -> Mailbox:
    await services.domains.add("first.test", tenant_id, vouched=True)
    return await services.mailboxes.add("box@first.test", tenant_id)


async def works(services: Services, key: str) -> bool:
    try:
        await services.keys.authenticate(key)
    except Unauthenticated:
        return False
    return True


async def audited(services: Services, tenant_id: UUID) -> list[str]:
    return [entry.action for entry in (await services.audit.list(tenant_id)).entries]


async def test_key_is_64_hexadecimal_characters_and_stored_as_a_hash(
    services: Services, tenant_id: UUID
) -> None:
    minted = await services.keys.create(ADA, tenant_id, name="build")
    assert re.fullmatch(r"[0-9a-f]{64}", minted.key)
    row = await services.database.fetch_one("select * from api_key")
    assert row
    assert minted.key not in str(dict(row))
    assert minted.key[8:] not in str(dict(row))
    view = await services.keys.find(tenant_id, minted.id)
    assert (view.prefix, view.name, view.state) == (minted.key[:8], "build", KeyState.ACTIVE)


async def test_only_the_key_itself_is_taken(services: Services, tenant_id: UUID) -> None:
    key = (await services.keys.create(ADA, tenant_id)).key
    assert await works(services, key)
    for wrong in (key.upper(), key[:-1], key + "0", " " + key, key + "\n", "", "\0" * 64, "é" * 64):
        assert not await works(services, wrong)


async def test_key_made_with_a_name_alone_may_all_but_administer(
    services: Services, tenant_id: UUID, mailbox: Mailbox
) -> None:
    minted = await services.keys.create(ADA, tenant_id, name="build")
    grant = await services.keys.authenticate(minted.key, "192.0.2.1")
    assert grant.permissions == DEFAULT_SCOPES == SCOPES - {"admin"}
    assert grant == Grant(
        Actor("key", minted.id, minted.key[:8], "192.0.2.1"), tenant_id, DEFAULT_SCOPES
    )
    for permission in (Permission.ADMIN, Permission.OWNER):
        with pytest.raises(NotAllowed):
            grant.require(permission)
    limited = await services.keys.create(ADA, tenant_id, mailbox_ids=[mailbox.id])
    grant = await services.keys.authenticate(limited.key)
    assert grant.permissions == DEFAULT_SCOPES - {"domains:read", "domains:write"}
    assert grant.mailbox_ids == [mailbox.id]


async def test_limits_and_scopes_have_to_agree(
    services: Services, tenant_id: UUID, mailbox: Mailbox
) -> None:
    domain = await services.domains.find_receiving("first.test")
    create = services.keys.create
    for scopes in ([], ["owner"], ["messages:read", "everything"], ["*"]):
        with pytest.raises(InvalidInput):
            await create(ADA, tenant_id, scopes)
    for limits in ({"domain_ids": [domain.id]}, {"mailbox_ids": [mailbox.id]}):
        with pytest.raises(InvalidInput):
            await create(ADA, tenant_id, ["admin"], **limits)
    with pytest.raises(InvalidInput):
        await create(ADA, tenant_id, ["domains:read"], mailbox_ids=[mailbox.id])
    await create(ADA, tenant_id, ["domains:read"], domain_ids=[domain.id])
    stranger = (await services.tenants.create("Stranger", "developer")).id
    for limits in ({"domain_ids": [domain.id]}, {"mailbox_ids": [mailbox.id]}):
        with pytest.raises(NotFound):
            await create(ADA, stranger, **limits)
    for name in ("x" * 201, "a\0b", "\u202e"):
        with pytest.raises(InvalidInput):
            await create(ADA, tenant_id, name=name)
    with pytest.raises(InvalidInput):
        await create(ADA, tenant_id, expires_at=services.clock.now())


async def test_mailbox_has_to_be_allowed_by_both_lists(
    services: Services, tenant_id: UUID, mailbox: Mailbox
) -> None:
    other = await services.domains.add("other.test", tenant_id, vouched=True)
    elsewhere = await services.mailboxes.add("box@other.test", tenant_id)
    both = [mailbox.id, elsewhere.id]
    minted = await services.keys.create(ADA, tenant_id, domain_ids=[other.id], mailbox_ids=both)
    assert (await services.keys.authenticate(minted.key)).mailbox_ids == [elsewhere.id]
    minted = await services.keys.create(
        ADA, tenant_id, domain_ids=[other.id], mailbox_ids=[mailbox.id]
    )
    assert (await services.keys.authenticate(minted.key)).mailbox_ids == []


async def test_key_stops_at_its_time(
    services: Services, tenant_id: UUID, clock: MovableClock
) -> None:
    minted = await services.keys.create(ADA, tenant_id, expires_at=services.clock.now() + HOUR)
    assert await works(services, minted.key)
    clock.moved_seconds = 3601
    used = (await services.keys.find(tenant_id, minted.id)).last_used_at
    assert not await works(services, minted.key)
    view = await services.keys.find(tenant_id, minted.id)
    assert view.state is KeyState.EXPIRED
    assert view.last_used_at == used


async def test_revoked_key_stops_at_once_and_for_its_own_tenant_alone(
    services: Services, tenant_id: UUID
) -> None:
    minted = await services.keys.create(ADA, tenant_id)
    other = await services.keys.create(ADA, tenant_id)
    stranger = (await services.tenants.create("Stranger", "developer")).id
    for wrong in ((stranger, minted.id), (tenant_id, uuid4())):
        with pytest.raises(NotFound, match=r"There is no such key\."):
            await services.keys.revoke(ADA, *wrong)
        with pytest.raises(NotFound, match=r"There is no such key\."):
            await services.keys.rotate(ADA, *wrong, HOUR)
        with pytest.raises(NotFound, match=r"There is no such key\."):
            await services.keys.find(*wrong)
    assert await works(services, minted.key)
    await services.keys.revoke(ADA, tenant_id, minted.id)
    await services.keys.revoke(ADA, tenant_id, minted.id)
    assert not await works(services, minted.key)
    assert await works(services, other.key)
    created = ["access.key_created"] * 2
    assert await audited(services, tenant_id) == ["access.key_revoked", *created]


async def test_old_key_works_on_for_the_overlap_and_no_longer(
    services: Services, tenant_id: UUID, mailbox: Mailbox, clock: MovableClock
) -> None:
    day = timedelta(days=1)
    old = await services.keys.create(
        ADA,
        tenant_id,
        ["messages:read"],
        name="build",
        mailbox_ids=[mailbox.id],
        expires_at=services.clock.now() + 10 * day,
    )
    clock.moved_seconds = 86_400 * 4
    new = await services.keys.rotate(ADA, tenant_id, old.id, 2 * HOUR)
    assert new.key != old.key
    assert (await services.keys.authenticate(new.key)).mailbox_ids == [mailbox.id]
    views = (await services.keys.list(tenant_id)).rows
    assert [view.id for view in views] == [new.id, old.id]
    assert [view.replaced_by for view in views] == [None, new.id]
    assert views[0].name == "build"
    assert views[0].expires_at
    assert views[0].expires_at - services.clock.now() > 9 * day
    with pytest.raises(InvalidInput):
        await services.keys.rotate(ADA, tenant_id, old.id, HOUR)
    assert await works(services, old.key)
    clock.moved_seconds += 2 * 3600 + 1
    assert not await works(services, old.key)
    assert await works(services, new.key)
    assert "access.key_rotated" in await audited(services, tenant_id)


async def test_rotation_prolongs_no_key(
    services: Services, tenant_id: UUID, clock: MovableClock
) -> None:
    soon = services.clock.now() + HOUR
    old = await services.keys.create(ADA, tenant_id, expires_at=soon)
    for wrong in (-HOUR, MAX_OVERLAP + HOUR):
        with pytest.raises(InvalidInput):
            await services.keys.rotate(ADA, tenant_id, old.id, wrong)
    await services.keys.rotate(ADA, tenant_id, old.id, timedelta(days=1))
    assert (await services.keys.find(tenant_id, old.id)).expires_at == soon
    at_once = await services.keys.create(ADA, tenant_id)
    await services.keys.rotate(ADA, tenant_id, at_once.id, timedelta())
    assert not await works(services, at_once.key)
    revoked = await services.keys.create(ADA, tenant_id)
    await services.keys.revoke(ADA, tenant_id, revoked.id)
    with pytest.raises(InvalidInput):
        await services.keys.rotate(ADA, tenant_id, revoked.id, HOUR)


async def test_list_is_the_tenants_newest_first_and_can_be_searched(
    services: Services, tenant_id: UUID
) -> None:
    stranger = (await services.tenants.create("Stranger", "developer")).id
    await services.keys.create(ADA, stranger, name="build")
    minted = [
        await services.keys.create(COMMAND_LINE, tenant_id, name=name)
        for name in ("Build", "deploy", "100% done")
    ]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await services.keys.list(tenant_id, cursor=cursor, limit=2)
        seen += [view.name for view in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["100% done", "deploy", "Build"]
    for words, expected in (
        ("build", ["Build"]),
        ("%", ["100% done"]),
        (minted[1].key[:8], ["deploy"]),
        ("\0", seen),
        ("_", []),
    ):
        assert [view.name for view in (await services.keys.list(tenant_id, words)).rows] == expected
    with pytest.raises(InvalidInput):
        await services.keys.list(tenant_id, cursor="nonsense")


async def test_trail_names_the_key_and_the_event_does_not(
    services: Services, tenant_id: UUID, mailbox: Mailbox
) -> None:
    minted = await services.keys.create(
        ADA, tenant_id, ["messages:read"], name="build", mailbox_ids=[mailbox.id]
    )
    (entry,) = (await services.audit.list(tenant_id)).entries
    assert entry.actor == ADA
    assert entry.facts == {
        "name": "build",
        "prefix": minted.key[:8],
        "domains": [],
        "mailboxes": ["box@first.test"],
        "expires_at": None,
        "scopes": ["messages:read"],
    }
    data = await services.database.fetch_value(
        "select data::text from event where type = 'access.key_created'"
    )
    assert "build" not in data
    assert "box@" not in data
