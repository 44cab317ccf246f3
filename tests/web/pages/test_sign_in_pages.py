"""Asking for a link, signing in by it, and out again."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from application import serving
from clocks import MovableClock
from hypothesis import given
from hypothesis import strategies as st

from app.access.browser import Browser
from app.access.sessions import RENEW_AFTER, REPLACED_GRACE
from app.assembly import Services, assemble
from app.directory.bootstrap import ensure_tenant
from app.main import web_application
from app.settings import MailUrl, Settings
from app.web.next_page import choose_next

SESSIONS = "/settings/sessions"
HERE = {"host": "127.0.0.1:8000"}


@pytest.fixture
async def sign_in_url(services: Services) -> str:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    user = await services.users.add("admin@example.test", tenant.id, "owner")
    return f"/sign-in/{await services.sign_in.create_link(user.id)}"


async def waiting(services: Services) -> list[tuple[str, str]]:
    rows = await services.database.fetch("select email, next_path from sign_in_request order by id")
    return [(row["email"], row["next_path"]) for row in rows]


async def test_link_works_once_by_post_however_often_it_was_fetched(
    web: httpx.AsyncClient, sign_in_url: str
) -> None:
    for _ in range(10):
        assert (await web.get(sign_in_url)).status_code == 200
    signed_in = await web.post(sign_in_url)
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/inbox")
    assert (await web.get(SESSIONS)).status_code == 200
    web.cookies.clear()
    assert (await web.post(sign_in_url)).status_code == 404
    assert (await web.get(SESSIONS)).status_code == 303


async def test_session_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites(
    web: httpx.AsyncClient, sign_in_url: str
) -> None:
    cookie = (await web.post(sign_in_url)).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


async def test_cookie_is_bound_to_the_host_over_https(settings: Settings, sign_in_url: str) -> None:
    settings = replace(settings, public_url="https://mail.example.org")
    async with serving(web_application(assemble(settings))) as web:
        cookie = (await web.post(sign_in_url)).headers["set-cookie"]
        assert cookie.startswith("__Host-pillarbox=")
        assert "Secure" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie


async def test_sign_out_ends_the_session_only_with_the_token_of_its_form(
    web: httpx.AsyncClient, sign_in_url: str
) -> None:
    await web.post(sign_in_url)
    page = await web.get(SESSIONS)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token
    for wrong in ("", "0" * 64, "é"):
        assert (await web.post("/sign-out", data={"csrf_token": wrong})).status_code == 403
    kept = dict(web.cookies)
    signed_out = await web.post("/sign-out", data={"csrf_token": token[1]})
    assert signed_out.status_code == 200
    assert not web.cookies
    web.cookies.update(kept)
    assert (await web.get(SESSIONS)).status_code == 303


async def test_session_of_an_unknown_token_is_never_adopted(
    web: httpx.AsyncClient, sign_in_url: str
) -> None:
    web.cookies.set("pillarbox", "A" * 22)
    assert (await web.get(SESSIONS)).status_code == 303
    signed_in = await web.post(sign_in_url)
    assert "pillarbox=" + "A" * 22 not in signed_in.headers["set-cookie"]


async def test_session_before_ends_when_the_same_browser_signs_in_anew(
    services: Services, web: httpx.AsyncClient, sign_in_url: str
) -> None:
    await web.post(sign_in_url)
    user_id = await services.database.fetch_value("select id from user_account")
    await web.post(f"/sign-in/{await services.sign_in.create_link(user_id)}")
    assert (await web.get(SESSIONS)).status_code == 200
    assert await services.database.fetch_value("select count(*) from session") == 1


async def test_start_page_leads_to_the_inbox_when_somebody_is_signed_in(
    web: httpx.AsyncClient, sign_in_url: str
) -> None:
    assert "admin@example.test" not in (await web.get("/")).text
    await web.post(sign_in_url)
    assert "admin@example.test" in (await web.get("/")).text


async def test_answer_is_the_same_whether_the_address_is_known_or_not(
    services: Services, web: httpx.AsyncClient, sign_in_url: str
) -> None:
    """The same bytes, and one row more: all that the request ever does."""
    known = await web.post("/sign-in", data={"email": "admin@example.test"})
    unknown = await web.post("/sign-in", data={"email": "stranger@example.org"})
    assert known.status_code == unknown.status_code == 200
    assert known.content == unknown.content
    assert known.headers.keys() == unknown.headers.keys()
    assert await waiting(services) == [("admin@example.test", ""), ("stranger@example.org", "")]


async def test_asking_looks_nobody_up(
    services: Services, web: httpx.AsyncClient, sign_in_url: str
) -> None:
    """With the table of users away the answer stays the same."""
    await services.database.execute("alter table user_account rename to elsewhere")
    answer = await web.post("/sign-in", data={"email": "admin@example.test"})
    assert (answer.status_code, len(await waiting(services))) == (200, 1)


async def test_same_answer_comes_when_an_address_is_over_its_limit(
    services: Services, web: httpx.AsyncClient
) -> None:
    answers = [await web.post("/sign-in", data={"email": "a@example.test"}) for _ in range(10)]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (200, answers[0].content)
    }


async def test_one_network_may_ask_only_so_often(
    services: Services, web: httpx.AsyncClient, settings: Settings
) -> None:
    for number in range(settings.sign_in_requests_per_hour):
        email = f"user{number}@example.test"
        assert (await web.post("/sign-in", data={"email": email})).status_code == 200
    refused = await web.post("/sign-in", data={"email": "one.more@example.test"})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 3601
    assert len(await waiting(services)) == settings.sign_in_requests_per_hour


async def test_what_is_no_address_is_said_so_in_the_form(
    services: Services, web: httpx.AsyncClient
) -> None:
    hostile = ("a@b.test\r\nBcc: eve@example.org", "<script>@x", "x" * 9999, "a@b.test\0")
    for email in ("", "nobody", "a@b@", *hostile):
        answer = await web.post("/sign-in", data={"email": email})
        assert answer.status_code == 200
        assert "no e-mail address" in answer.text
        assert "<script>@x" not in answer.text
    assert await waiting(services) == []


async def test_form_without_fields_is_no_server_error(web: httpx.AsyncClient) -> None:
    assert (await web.post("/sign-in")).status_code == 200
    sent = await web.post("/sign-in", content=b"\xff\xfe", headers={"content-type": "x/y"})
    assert sent.status_code < 500
    files = {"email": ("a@b.test", b"a@b.test")}
    assert (await web.post("/sign-in", files=files)).status_code < 500


async def test_person_goes_back_where_they_were(
    services: Services, web: httpx.AsyncClient, sign_in_url: str
) -> None:
    page = "/inbox?folder=archive&cursor=a%3D%26b"
    sent_away = await web.get(page)
    assert sent_away.status_code == 303
    form = await web.get(sent_away.headers["location"])
    (kept,) = re.findall(r'name="next" value="([^"]+)"', form.text)
    kept = kept.replace("&amp;", "&")
    assert kept == page
    await web.post("/sign-in", data={"email": "admin@example.test", "next": kept})
    assert await waiting(services) == [("admin@example.test", page)]
    user_id = await services.database.fetch_value("select id from user_account")
    token = await services.sign_in.create_link(user_id, next_path=page)
    assert (await web.post(f"/sign-in/{token}")).headers["location"] == page
    assert (await web.get(sent_away.headers["location"])).headers["location"] == page


async def test_htmx_leaves_the_page_instead_of_swapping_the_form_into_it(
    web: httpx.AsyncClient,
) -> None:
    headers = {"hx-request": "true", "hx-current-url": "http://pillarbox.test/inbox?starred=1"}
    for answer in (
        await web.get("/inbox?cursor=x", headers=headers),
        await web.post("/sign-out", headers=headers),
    ):
        assert answer.status_code == 401
        assert answer.headers["hx-redirect"] == "/sign-in?next=/inbox%3Fstarred%3D1"
    headers["hx-current-url"] = "http://[evil"
    answer = await web.get("/inbox", headers=headers)
    assert answer.headers["hx-redirect"] == "/sign-in"


HOSTILE_PATHS = [
    *("https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example"),
    *("/\t/evil.example", "/\n/evil.example", "javascript:alert(1)", "inbox", "", " /inbox"),
    *("/inbox\r\nSet-Cookie: a=b", "/é", "/a\\b", "/" + "x" * 1000, "///evil.example"),
    "/\x00",
]


async def test_nobody_is_led_to_another_site(
    services: Services, web: httpx.AsyncClient, sign_in_url: str
) -> None:
    for path in HOSTILE_PATHS:
        assert choose_next(path) == ""
        form = await web.get("/sign-in", params={"next": path})
        assert 'name="next"' not in form.text
        await web.post("/sign-in", data={"email": "a@example.test", "next": path})
    assert set(await waiting(services)) == {("a@example.test", "")}
    await web.post(sign_in_url)
    for path in HOSTILE_PATHS:
        answer = await web.get("/sign-in", params={"next": path})
        assert answer.headers["location"] == "/inbox"


@given(st.text() | st.text().map(lambda text: f"/{text}"))
def test_next_page_is_always_of_this_host(path: str) -> None:
    chosen = choose_next(path)
    assert chosen in ("", path)
    if chosen:
        assert httpx.URL("https://us.example/sign-in").join(chosen).host == "us.example"


async def test_other_sites_can_make_nobody_sign_in_or_ask(
    services: Services, web: httpx.AsyncClient, sign_in_url: str
) -> None:
    foreign = (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1:8000"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
    )
    for headers in foreign:
        for path in ("/sign-in", sign_in_url, "/t", "/sign-out"):
            answer = await web.post(path, data={"email": "a@example.test"}, headers=headers)
            assert answer.status_code == 403
        assert (await web.get("/sign-in", headers=headers)).status_code == 200
    assert await waiting(services) == []
    await services.sign_in.check_link(sign_in_url.rpartition("/")[2], Browser())


async def test_own_pages_and_programs_may_ask(web: httpx.AsyncClient) -> None:
    own: tuple[dict[str, str], ...] = (
        {},
        {"sec-fetch-site": "same-origin", "origin": "null"},
        {"sec-fetch-site": "none"},
        {"origin": "http://127.0.0.1:8000", "host": "pillarbox.internal"},
        {"origin": "http://pillarbox.test"},
    )
    for headers in own:
        answer = await web.post("/sign-in", data={"email": "a@example.test"}, headers=headers)
        assert answer.status_code == 200


async def test_page_says_so_when_sign_in_by_mail_is_not_set_up(
    services: Services, settings: Settings
) -> None:
    settings = replace(settings, pillarbox_env="production")
    async with serving(web_application(assemble(settings))) as web:
        assert "not set up" in (await web.get("/sign-in")).text
        asked = await web.post("/sign-in", data={"email": "a@example.test"})
        assert (asked.status_code, "not set up" in asked.text) == (200, True)
    assert await waiting(services) == []


async def test_browser_gets_the_new_token_with_an_ordinary_page(
    web: httpx.AsyncClient, sign_in_url: str, clock: MovableClock
) -> None:
    await web.post(sign_in_url)
    first = web.cookies["pillarbox"]
    assert "set-cookie" not in (await web.get(SESSIONS)).headers
    clock.moved_seconds += RENEW_AFTER.total_seconds()
    page = await web.get(SESSIONS)
    assert page.status_code == 200
    assert web.cookies["pillarbox"] != first
    assert "HttpOnly" in page.headers["set-cookie"]
    assert "set-cookie" not in (await web.get(SESSIONS)).headers


async def test_whoever_stole_a_token_and_its_owner_are_both_signed_out(
    web: httpx.AsyncClient, sign_in_url: str, clock: MovableClock
) -> None:
    await web.post(sign_in_url)
    stolen = dict(web.cookies)
    clock.moved_seconds += RENEW_AFTER.total_seconds()
    await web.get(SESSIONS)
    assert (await web.get(SESSIONS)).status_code == 200
    own = dict(web.cookies)
    clock.moved_seconds += REPLACED_GRACE.total_seconds() + 1
    for cookies in (stolen, own):
        web.cookies.clear()
        web.cookies.update(cookies)
        assert (await web.get(SESSIONS)).status_code == 303


async def test_signing_out_wins_over_a_new_token(
    web: httpx.AsyncClient, sign_in_url: str, clock: MovableClock
) -> None:
    await web.post(sign_in_url)
    token = re.search(r'name="csrf_token" value="([^"]+)"', (await web.get(SESSIONS)).text)
    assert token
    clock.moved_seconds += RENEW_AFTER.total_seconds()
    answer = await web.post("/sign-out", data={"csrf_token": token[1]})
    (cookie,) = answer.headers.get_list("set-cookie")
    assert 'pillarbox=""' in cookie or "pillarbox=;" in cookie


@pytest.fixture
async def smtp_web(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """An installation whose sign-in mail really leaves."""
    settings = replace(settings, auth_mail_url=MailUrl("smtp", "mail.test", 587))
    async with serving(web_application(assemble(settings))) as client:
        yield client


async def test_only_this_machine_is_told_of_the_outbox(
    web: httpx.AsyncClient, smtp_web: httpx.AsyncClient
) -> None:
    form = {"email": "a@example.test"}
    assert "/outbox" in (await web.post("/sign-in", data=form, headers=HERE)).text
    assert "/outbox" not in (await web.post("/sign-in", data=form)).text
    assert "/outbox" not in (await smtp_web.post("/sign-in", data=form, headers=HERE)).text
