"""The token of forms: proof of a session, different in every response."""

import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assembly import Services
from app.directory.bootstrap import ensure_tenant
from app.web.cookies import _unmask


async def sign_in(services: Services, web: httpx.AsyncClient, email: str) -> None:
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    user = await services.users.add(email, tenant.id, "owner")
    link = await services.sign_in.create_link(user.id)
    assert (await web.post(f"/sign-in/{link}")).status_code == 303


async def csrf_token(web: httpx.AsyncClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', (await web.get("/")).text)
    assert found
    return found[1]


async def test_token_reads_differently_each_time_and_each_is_good(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web, "ada@example.test")
    tokens = {await csrf_token(web) for _ in range(5)}
    assert len(tokens) == 5
    assert (await web.post("/sign-out", data={"csrf_token": min(tokens)})).status_code == 200


async def test_header_serves_in_place_of_the_field(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web, "ada@example.test")
    headers = {"x-csrf-token": await csrf_token(web)}
    assert (await web.post("/sign-out", headers={"x-csrf-token": "x"})).status_code == 403
    assert (await web.post("/sign-out", headers=headers)).status_code == 200


async def test_write_is_refused_with_no_token_a_wrong_one_or_another_sessions(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web, "eve@example.test")
    of_another = await csrf_token(web)
    web.cookies.clear()
    await sign_in(services, web, "ada@example.test")
    own = await csrf_token(web)
    for wrong in ("", "0" * 43, "é", "\ud800", own[:-4], own + "AAAA", own.swapcase(), of_another):
        data = {"csrf_token": wrong.encode("utf-8", "surrogatepass").decode("latin-1")}
        assert (await web.post("/sign-out", data=data)).status_code == 403
    assert (await web.post("/sign-out")).status_code == 403
    assert (await web.post("/sign-out", data={"csrf_token": own})).status_code == 200


@given(st.text())
def test_anything_may_stand_in_place_of_a_token(text: str) -> None:
    assert len(_unmask(text)) in (0, 16)


@pytest.mark.parametrize("token", ["", "A" * 20, "A" * 22 + "==", "A" * 42 + "==", "A" * 64])
def test_token_of_another_length_proves_nothing(token: str) -> None:
    assert _unmask(token) == b""
