"""Signing in by a one-time link, as the first administrator does."""

import re

import httpx
import pytest

from app.assembly import Services
from app.directory.bootstrap import ensure_tenant


@pytest.fixture
async def sign_in_url(services: Services) -> str:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    user = await services.users.add("admin@example.test", tenant.id, "owner")
    return f"/sign-in/{await services.sign_in.create_link(user.id)}"


async def test_link_works_once_by_post_however_often_it_was_fetched(
    web: httpx.AsyncClient, sign_in_url: str
) -> None:
    for _ in range(10):
        assert (await web.get(sign_in_url)).status_code == 200
    signed_in = await web.post(sign_in_url)
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/inbox")
    assert (await web.get("/inbox")).status_code == 200
    web.cookies.clear()
    assert (await web.post(sign_in_url)).status_code == 404
    assert (await web.get("/inbox")).status_code == 303


async def test_session_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites(
    web: httpx.AsyncClient, sign_in_url: str
) -> None:
    cookie = (await web.post(sign_in_url)).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


async def test_sign_out_ends_the_session_only_with_the_token_of_its_form(
    web: httpx.AsyncClient, sign_in_url: str
) -> None:
    await web.post(sign_in_url)
    page = await web.get("/inbox")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token
    for wrong in ("", "0" * 64, "é"):
        assert (await web.post("/sign-out", data={"csrf_token": wrong})).status_code == 403
    stolen = web.cookies.copy() if hasattr(web.cookies, "copy") else httpx.Cookies(web.cookies)
    assert (await web.post("/sign-out", data={"csrf_token": token[1]})).status_code == 200
    web.cookies = stolen
    assert (await web.get("/inbox")).status_code == 303


async def test_session_of_an_unknown_token_is_never_adopted(web: httpx.AsyncClient) -> None:
    web.cookies.set("pillarbox", "A" * 22)
    assert (await web.get("/inbox")).status_code == 303


async def test_start_page_leads_to_the_inbox_when_somebody_is_signed_in(
    web: httpx.AsyncClient, sign_in_url: str
) -> None:
    assert "admin@example.test" not in (await web.get("/")).text
    await web.post(sign_in_url)
    assert "admin@example.test" in (await web.get("/")).text
