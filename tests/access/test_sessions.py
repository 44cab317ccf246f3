"""Sessions: tokens that change, theft that shows, and ends."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from clocks import MovableClock

from app.access.browser import Browser
from app.access.sessions import (
    IDLE_TTL,
    RENEW_AFTER,
    REPLACED_GRACE,
    SEEN_EVERY,
    SESSION_TTL,
    EndReason,
    Session,
)
from app.access.users import User
from app.assembly import Services
from app.core.errors import NotFound, Unauthenticated
from app.core.secrets import hash_token
from app.directory.bootstrap import ensure_tenant
from app.eventlog.read import EventFilter, read_events

A_DAY = RENEW_AFTER.total_seconds()
GRACE = REPLACED_GRACE.total_seconds()


@pytest.fixture
async def user(services: Services) -> User:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    return await services.users.add("ada@example.test", tenant.id, "owner")


async def sign_in(services: Services, user: User, user_agent: str = "Browser/1") -> str:
    link = await services.sign_in.create_link(user.id)
    return (await services.sign_in.consume_link(link, Browser(user_agent))).session_token


async def session_of(services: Services, token: str) -> Session:
    return (await services.sessions.find(token)).session


async def renew(services: Services, token: str) -> str:
    new_token = (await services.sessions.find(token)).new_token
    assert new_token
    return new_token


async def reasons(services: Services) -> list[str]:
    events = await read_events(
        services.database,
        after=0,
        wanted=EventFilter(types=["access.session_ended"]),
        limit=100,
    )
    return [event.data["reason"] for event in events]


async def is_signed_in(services: Services, token: str) -> bool:
    try:
        await services.sessions.find(token)
    except Unauthenticated:
        return False
    return True


async def test_token_stays_for_a_day_and_then_is_replaced(
    services: Services, user: User, clock: MovableClock
) -> None:
    token = await sign_in(services, user)
    session = await session_of(services, token)
    clock.moved_seconds += A_DAY - 5
    assert (await services.sessions.find(token)).new_token is None
    clock.moved_seconds += 10
    new_token = await renew(services, token)
    assert new_token != token
    assert await session_of(services, new_token) == session


async def test_replaced_token_is_good_for_a_minute_for_requests_under_way(
    services: Services, user: User, clock: MovableClock
) -> None:
    token = await sign_in(services, user)
    clock.moved_seconds += A_DAY
    new_token = await renew(services, token)
    await services.sessions.find(new_token)
    clock.moved_seconds += GRACE - 5
    visit = await services.sessions.find(token)
    assert visit.new_token is None
    assert await is_signed_in(services, new_token)


async def test_session_ends_for_both_when_a_token_comes_back_long_after_it_was_replaced(
    services: Services, user: User, clock: MovableClock
) -> None:
    token = await sign_in(services, user)
    clock.moved_seconds += A_DAY
    new_token = await renew(services, token)
    await services.sessions.find(new_token)
    clock.moved_seconds += GRACE + 5
    assert await is_signed_in(services, new_token)
    assert not await is_signed_in(services, token)
    assert not await is_signed_in(services, new_token)
    assert await reasons(services) == ["token_reused"]


async def test_token_of_days_ago_ends_the_session_too(
    services: Services, user: User, clock: MovableClock
) -> None:
    tokens = [await sign_in(services, user)]
    for _ in range(3):
        clock.moved_seconds += A_DAY
        tokens.append(await renew(services, tokens[-1]))
        await services.sessions.find(tokens[-1])
    clock.moved_seconds += GRACE
    assert not await is_signed_in(services, tokens[0])
    assert not await is_signed_in(services, tokens[-1])


async def test_nobody_is_signed_out_when_the_answer_with_the_new_token_was_lost(
    services: Services, user: User, clock: MovableClock
) -> None:
    token = await sign_in(services, user)
    clock.moved_seconds += A_DAY
    lost = await renew(services, token)
    clock.moved_seconds += GRACE + 5
    assert (await services.sessions.find(token)).new_token is None
    clock.moved_seconds += A_DAY
    new_token = await renew(services, token)
    assert await is_signed_in(services, new_token)
    assert not await is_signed_in(services, lost)
    assert await reasons(services) == []


async def test_only_one_of_requests_side_by_side_is_given_the_new_token(
    services: Services, user: User, clock: MovableClock
) -> None:
    token = await sign_in(services, user)
    clock.moved_seconds += A_DAY
    visits = await asyncio.gather(*(services.sessions.find(token) for _ in range(8)))
    assert len([visit.new_token for visit in visits if visit.new_token]) == 1


async def test_session_ends_after_two_weeks_without_use(
    services: Services, user: User, clock: MovableClock
) -> None:
    token = await sign_in(services, user)
    clock.moved_seconds += IDLE_TTL.total_seconds() - 5
    assert await is_signed_in(services, token)
    clock.moved_seconds += IDLE_TTL.total_seconds() + 5
    assert not await is_signed_in(services, token)


async def test_session_ends_after_ninety_days_however_often_it_is_used(
    services: Services, user: User, clock: MovableClock
) -> None:
    token = await sign_in(services, user)
    for _ in range(SESSION_TTL // timedelta(days=9) - 1):
        clock.moved_seconds += 9 * A_DAY
        token = await renew(services, token)
    clock.moved_seconds += 9 * A_DAY - 60
    assert await is_signed_in(services, token)
    clock.moved_seconds += 120
    assert not await is_signed_in(services, token)


async def test_nothing_is_written_for_an_ordinary_visit(
    services: Services, user: User, clock: MovableClock
) -> None:
    """`xmin` tells which transaction wrote a row last (PostgreSQL, System Columns)."""
    token = await sign_in(services, user)

    async def versions() -> tuple[str, str]:
        row = await services.database.fetch_one(
            """select session.xmin::text as session, session_token.xmin::text as token
            from session join session_token on session_id = session.id where token_hash = $1""",
            hash_token(token),
        )
        assert row
        return row["session"], row["token"]

    before = await versions()
    clock.moved_seconds += SEEN_EVERY.total_seconds() - 5
    for _ in range(3):
        await services.sessions.find(token)
    assert await versions() == before
    clock.moved_seconds += 10
    await services.sessions.find(token)
    assert await versions() != before


async def test_session_is_found_through_indexes_alone(services: Services, user: User) -> None:
    from app.access.sessions import _FIND

    await sign_in(services, user)
    async with services.database.transaction() as connection:
        await connection.execute("set local enable_seqscan = off")
        now = services.clock.now()
        plan = await connection.fetch(f"explain {_FIND}", b"x" * 32, now, now)
    assert not [line[0] for line in plan if "Seq Scan" in line[0]]


async def test_list_shows_where_a_user_is_signed_in_and_marks_this_browser(
    services: Services, user: User, clock: MovableClock
) -> None:
    first = await sign_in(services, user, "One")
    clock.moved_seconds += 3600
    await sign_in(services, user, "Two")
    views = await services.sessions.list_of_user(await session_of(services, first))
    assert [(view.user_agent, view.is_current) for view in views] == [("One", True), ("Two", False)]
    clock.moved_seconds += IDLE_TTL.total_seconds() - 60
    views = await services.sessions.list_of_user(await session_of(services, first))
    assert [view.user_agent for view in views] == ["One", "Two"]
    clock.moved_seconds += 120
    views = await services.sessions.list_of_user(await session_of(services, first))
    assert [view.user_agent for view in views] == ["One"]


async def test_user_ends_only_sessions_of_their_own(services: Services, user: User) -> None:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    other = await services.users.add("bob@example.test", tenant.id, "viewer")
    own, of_other = await sign_in(services, user), await sign_in(services, other)
    other_session = await session_of(services, of_other)
    for session_id in (other_session.id, uuid4()):
        with pytest.raises(NotFound):
            await services.sessions.end(user.id, session_id, EndReason.BY_USER)
    assert await is_signed_in(services, of_other)
    session = await session_of(services, own)
    await services.sessions.end(user.id, session.id, EndReason.BY_USER)
    assert not await is_signed_in(services, own)
    assert await reasons(services) == ["by_user"]


async def test_every_other_session_ends_and_no_one_elses(services: Services, user: User) -> None:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    other = await services.users.add("bob@example.test", tenant.id, "viewer")
    here, of_other = await sign_in(services, user), await sign_in(services, other)
    elsewhere = [await sign_in(services, user) for _ in range(3)]
    assert await services.sessions.end_others(await session_of(services, here)) == 3
    assert not any([await is_signed_in(services, token) for token in elsewhere])
    assert await is_signed_in(services, here)
    assert await is_signed_in(services, of_other)
    assert await reasons(services) == ["by_user"] * 3


async def test_sessions_and_links_are_forgotten_when_their_time_is_up(
    services: Services, user: User, clock: MovableClock
) -> None:
    await sign_in(services, user)
    assert await services.sessions.remove_ended() == 0
    clock.moved_seconds += IDLE_TTL.total_seconds() + 1
    token = await sign_in(services, user)
    assert await services.sessions.remove_ended() == 1
    assert await services.sign_in.remove_old_links() == 1
    assert await is_signed_in(services, token)
    assert await services.database.fetch_value("select count(*) from session_token") == 1


@pytest.mark.parametrize("user_agent", ["", "\0", "x\0y", "é" * 10_000, "'; drop table session"])
async def test_user_agent_may_be_anything(services: Services, user: User, user_agent: str) -> None:
    session = await session_of(services, await sign_in(services, user, user_agent))
    (view,) = await services.sessions.list_of_user(session)
    assert view.user_agent == user_agent.replace("\0", "")[:300]
