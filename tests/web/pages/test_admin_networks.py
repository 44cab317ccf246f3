"""From where a tenant is administered: closed elsewhere, and nobody locks themself out unasked."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import httpx
import pytest
from application import serving
from hypothesis import given
from hypothesis import strategies as st

from app.access.grants import COMMAND_LINE
from app.access.sign_in_policy import SignInPolicy, parse_networks
from app.assembly import Services, assemble
from app.core.errors import InvalidInput
from app.directory.bootstrap import ensure_tenant
from app.main import web_application
from app.settings import Networks, Settings

HERE = "/admin/settings/sign-in"
OFFICE, HOME = "192.0.2.7", "203.0.113.9"


@pytest.fixture
async def web(services: Services, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """An owner at the office, behind a proxy."""
    settings = replace(settings, trusted_proxies=Networks.parse("127.0.0.1"))
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    user = await services.users.add("owner@example.test", tenant.id, "owner")
    link = await services.sign_in.create_link(user.id)
    application = web_application(assemble(settings))
    async with serving(application, **{"x-forwarded-for": OFFICE}) as client:
        assert (await client.post(f"/sign-in/{link}")).status_code == 303
        yield client


async def save(web: httpx.AsyncClient, networks: str, **more: str) -> httpx.Response:
    page = (await web.get("/settings/sessions")).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    data = {"csrf_token": token, "networks": networks, **more}
    return await web.post(f"{HERE}/networks", data=data)


async def tenant_id(services: Services) -> UUID:
    found: UUID = await services.database.fetch_value("select id from tenant where name = 'First'")
    return found


async def test_pages_are_closed_outside_of_the_networks_and_mail_is_not(
    web: httpx.AsyncClient,
) -> None:
    assert (await save(web, "192.0.2.0/24, 2001:db8::/32")).status_code == 303
    assert (await web.get(HERE)).status_code == 200
    away = {"x-forwarded-for": HOME}
    assert (await web.get(HERE, headers=away)).status_code == 403
    assert (await web.get("/inbox", headers=away)).status_code == 200
    assert (await web.get("/settings/sessions", headers=away)).status_code == 200
    forged = {"x-forwarded-for": f"{OFFICE}, {HOME}"}
    assert (await web.get(HERE, headers=forged)).status_code == 403


async def test_list_without_oneself_is_saved_only_after_asking_again(
    services: Services, web: httpx.AsyncClient
) -> None:
    asked = await save(web, "198.51.100.0/24")
    assert (asked.status_code, "Lock yourself out?" in asked.text) == (200, True)
    assert OFFICE in asked.text
    assert not (await services.sign_in_policies.find(await tenant_id(services))).admin_networks
    assert (await save(web, "198.51.100.0/24", confirmed="yes")).status_code == 303
    assert (await web.get(HERE)).status_code == 403
    await services.sign_in_settings.set_admin_networks(await tenant_id(services), [], COMMAND_LINE)
    assert (await web.get(HERE)).status_code == 200


async def test_what_is_no_network_is_said_so(web: httpx.AsyncClient) -> None:
    for text in (
        "office",
        "1.2.3",
        "10.0.0.0/99",
        "<b>",
        " ".join(f"10.0.{n}.0/24" for n in range(101)),
    ):
        answer = await save(web, text)
        assert answer.status_code == 200
        assert 'role="alert"' in answer.text
        assert "<b>" not in answer.text


async def test_change_is_in_the_audit_trail(services: Services, web: httpx.AsyncClient) -> None:
    await save(web, "192.0.2.0/24")
    row = await services.database.fetch_one(
        "select * from audit_entry where action = 'access.sign_in_changed'"
    )
    assert row
    assert row["actor_address"] == OFFICE
    assert "192.0.2.0/24" in str(row["facts"])


@given(st.ip_addresses())
def test_address_is_admitted_in_whatever_form_it_comes(address: object) -> None:
    assert SignInPolicy().admits(str(address))
    assert SignInPolicy(admin_networks=parse_networks(str(address))).admits(str(address))
    mapped = f"::ffff:{address}"
    if ":" not in str(address):
        assert SignInPolicy(admin_networks=[f"{address}/32"]).admits(mapped)


@given(st.text())
def test_any_text_is_networks_or_refused(text: str) -> None:
    try:
        networks = parse_networks(text)
    except InvalidInput:
        return
    assert parse_networks("\n".join(networks)) == networks
    assert not SignInPolicy(admin_networks=networks or ["192.0.2.1/32"]).admits(text + "x")
