"""The list of places where somebody is signed in."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from application import serving

from app.assembly import Services, assemble
from app.directory.bootstrap import ensure_tenant
from app.main import web_application
from app.settings import Settings
from app.web.user_agents import describe_user_agent

SESSIONS = "/settings/sessions"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A second browser."""
    async with serving(web_application(assemble(settings))) as client:
        yield client


async def sign_in(
    services: Services, web: httpx.AsyncClient, user_agent: str, email: str = "ada@example.test"
) -> None:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    user = await services.users.add(email, tenant.id, "owner")
    web.headers["user-agent"] = user_agent
    link = await services.sign_in.create_link(user.id)
    assert (await web.post(f"/sign-in/{link}")).status_code == 303


async def is_signed_in(web: httpx.AsyncClient) -> bool:
    return (await web.get(SESSIONS)).status_code == 200


async def form_of(web: httpx.AsyncClient, action: str) -> tuple[str, dict[str, str]]:
    """The address of the form whose action matches, and its fields."""
    page = (await web.get(SESSIONS)).text
    form = re.search(rf'action="({action})".*?name="csrf_token" value="([^"]+)"', page, re.DOTALL)
    assert form, page
    return form[1], {"csrf_token": form[2]}


async def test_page_says_where_one_is_signed_in(
    services: Services, web: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    await sign_in(services, web, FIREFOX)
    assert "nowhere else" in (await web.get(SESSIONS)).text
    await sign_in(services, other, IPHONE)
    page = (await web.get(SESSIONS)).text
    assert page.index("Firefox on Windows") < page.index("This browser")
    assert page.index("This browser") < page.index("Safari on iPhone")
    assert page.count("This browser") == 1


async def test_another_browser_is_signed_out_alone(
    services: Services, web: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    await sign_in(services, web, FIREFOX)
    await sign_in(services, other, IPHONE)
    action, fields = await form_of(web, rf"{SESSIONS}/[\w-]+/end")
    assert (await web.post(action)).status_code == 403
    assert (await web.post(action, data={"csrf_token": "x"})).status_code == 403
    assert await is_signed_in(other)
    ended = await web.post(action, data=fields)
    assert (ended.status_code, ended.headers["location"]) == (303, SESSIONS)
    assert not await is_signed_in(other)
    assert await is_signed_in(web)
    assert (await web.post(action, data=fields)).status_code == 404


async def test_everywhere_else_is_signed_out_at_once(
    services: Services, web: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    await sign_in(services, web, FIREFOX)
    await sign_in(services, other, IPHONE)
    action, fields = await form_of(web, rf"{SESSIONS}/end-others")
    assert (await web.post(action)).status_code == 403
    assert (await web.post(action, data=fields)).status_code == 303
    assert not await is_signed_in(other)
    assert await is_signed_in(web)


async def test_nobody_ends_the_session_of_another(
    services: Services, web: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    await sign_in(services, web, FIREFOX, "eve@example.test")
    await sign_in(services, other, IPHONE, "ada@example.test")
    session_id = await services.database.fetch_value(
        "select id from session where user_agent = $1", IPHONE
    )
    token = re.search(r'name="csrf_token" value="([^"]+)"', (await web.get(SESSIONS)).text)
    assert token
    for target in (session_id, uuid4()):
        answer = await web.post(f"{SESSIONS}/{target}/end", data={"csrf_token": token[1]})
        assert answer.status_code == 404
    assert await is_signed_in(other)
    assert "iPhone" not in (await web.get(SESSIONS)).text


async def test_page_asks_to_sign_in_first(web: httpx.AsyncClient) -> None:
    answer = await web.get(SESSIONS)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/sign-in?next=/settings/sessions",
    )


async def test_page_shows_nothing_of_a_hostile_user_agent(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web, FIREFOX)
    web.headers.pop("user-agent")
    user_id = await services.database.fetch_value("select id from user_account")
    hostile = ("<script>alert(1)</script>", "Firefox/<b>", "x" * 5000, "é\xff", "' or 1=1 --")
    for user_agent in hostile:
        link = await services.sign_in.create_link(user_id)
        headers = {"user-agent": user_agent.encode("latin-1")}
        assert (await web.post(f"/sign-in/{link}", headers=headers)).status_code == 303
        page = await web.get(SESSIONS)
        assert page.status_code == 200
        assert not [part for part in ("alert(1)", "<b>", "xxxx", "1=1") if part in page.text]


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (IPHONE, "Safari on iPhone"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/138.0.0.0 Safari/537.36",
            "Chrome on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15; SM-S931B) AppleWebKit/537.36 (KHTML, like Gecko) "
            "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/18.5 Safari/605.1.15",
            "Safari on macOS",
        ),
        ("curl/8.5.0", "An unknown browser"),
        ("Something (Windows)", "A browser on Windows"),
        ("", "An unknown browser"),
    ],
)
def test_browser_and_system_are_told_in_words(user_agent: str, words: str) -> None:
    assert describe_user_agent(user_agent) == words
