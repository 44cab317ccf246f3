"""The pages where an administrator adds domains and sees how their records stand."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from application import serving
from clocks import MovableClock
from domain_zones import Zones, serving_zones
from selectolax.lexbor import LexborHTMLParser

from app.assembly import Services, assemble
from app.directory.domain_records import Purpose
from app.directory.domains import Domain
from app.main import web_application
from app.settings import Settings


@pytest.fixture
async def zones() -> AsyncIterator[Zones]:
    async with serving_zones(1) as zones:
        yield zones


@pytest.fixture
async def services(
    settings: Settings, clock: MovableClock, zones: Zones
) -> AsyncIterator[Services]:
    services = assemble(zones.settings(settings), clock=clock)
    async with services.running():
        yield services


@pytest.fixture
async def web(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(web_application(services)) as client:
        client.headers["origin"] = "https://pillarbox.example"
        client.base_url = httpx.URL("https://pillarbox.example")
        yield client


async def sign_in(services: Services, web: httpx.AsyncClient, role: str, name: str) -> None:
    tenant = await services.tenants.create(name, "enterprise")
    user = await services.users.add(f"{role}@{name}.example", tenant.id, role)
    link = await services.sign_in.create_link(user.id)
    assert (await web.post(f"/sign-in/{link}")).status_code == 303


async def send(web: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    found = re.search(r'name="csrf_token" value="([^"]+)"', (await web.get("/")).text)
    assert found
    return await web.post(path, data={"csrf_token": found[1], **fields})


async def add(web: httpx.AsyncClient, name: str) -> str:
    answer = await send(web, "/admin/domains", name=name)
    assert answer.status_code == 303
    return answer.headers["location"]


async def only(services: Services) -> Domain:
    row = await services.database.fetch_one("select id, tenant_id from domain")
    assert row is not None
    return await services.domains.find_by_id(row["id"], row["tenant_id"])


def states(page: httpx.Response) -> list[str]:
    tree = LexborHTMLParser(page.text)
    return [node.text(strip=True) for node in tree.css(".records .tag")]


async def test_domain_is_added_checked_and_shown_as_it_stands(
    services: Services, web: httpx.AsyncClient, zones: Zones
) -> None:
    await sign_in(services, web, "admin", "acme")
    assert "No domains yet" in (await web.get("/admin/domains")).text
    path = await add(web, "Bücher.Example.")
    page = await web.get(path)
    assert "xn--bcher-kva.example" in page.text
    assert set(states(page)) == {"Not looked for yet"}
    domain = await only(services)
    records = await services.domain_checks.list_records(domain)
    zones.publish(records, Purpose.OWNERSHIP, Purpose.MX)
    zones.shared.add_text(domain.name, "v=spf1 -all")
    assert (await send(web, f"{path}/check")).headers["location"] == path
    page = await web.get(path)
    assert states(page)[:5] == ["Found", "Found", "Differs", "Missing", "Missing"]
    assert "v=spf1 -all" in page.text
    assert "The ownership record was found" in page.text
    assert "Receives mail" in (await web.get("/admin/domains?q=BCHER")).text
    assert "No domain like that" in (await web.get("/admin/domains?q=acme")).text


async def test_form_says_what_is_wrong_with_a_name(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web, "owner", "acme")
    await add(web, "acme.example")
    for name in ("acme.example", "no domain", "com", "", "<script>.example"):
        answer = await send(web, "/admin/domains", name=name)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.text
        assert "<script>.example" not in answer.text


async def test_choices_are_kept_and_others_refused(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web, "admin", "acme")
    path = await add(web, "acme.example")
    before = await services.domain_checks.list_records(await only(services))
    choices = {"recipient_policy": "reply_after_data", "mta_sts_mode": "enforce"}
    assert (await send(web, f"{path}/settings", **choices)).status_code == 303
    domain = await only(services)
    assert (domain.recipient_policy, domain.mta_sts_mode) == ("reply_after_data", "enforce")
    after = await services.domain_checks.list_records(domain)
    changed = [one.purpose for one, other in zip(before, after, strict=True) if one != other]
    assert changed == [Purpose.MTA_STS], "another policy has another id"
    assert (await send(web, f"{path}/settings", mta_sts_mode="off")).status_code == 400


async def test_domain_is_removed_after_a_question(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web, "admin", "acme")
    path = await add(web, "acme.example")
    assert "refused from now on" in (await web.get(f"{path}/delete")).text
    assert (await send(web, f"{path}/delete")).headers["location"] == "/admin/domains"
    assert (await web.get(path)).status_code == 404
    rows = await services.database.fetch(
        """select action, actor_name, facts from audit_entry
        where subject_type = 'domain' order by number"""
    )
    assert [(row["action"], row["actor_name"]) for row in rows] == [
        ("access.domain_added", "admin@acme.example"),
        ("access.domain_removed", "admin@acme.example"),
    ]
    assert all("acme.example" in row["facts"] for row in rows)


async def test_viewer_sees_domains_and_changes_nothing(
    services: Services, web: httpx.AsyncClient
) -> None:
    await sign_in(services, web, "viewer", "acme")
    tenant = await services.tenants.find("acme")
    domain = await services.domains.add("acme.example", tenant.id, vouched=False)
    path = f"/admin/domains/{domain.id}"
    page = await web.get(path)
    assert page.status_code == 200
    assert "Check now" not in page.text
    assert "Remove this domain" not in page.text
    for write in ("check", "settings", "delete"):
        assert (await send(web, f"{path}/{write}")).status_code == 403


async def test_domain_of_another_tenant_is_as_if_it_were_not_there(
    services: Services, web: httpx.AsyncClient
) -> None:
    other = await services.tenants.create("other", "enterprise")
    domain = await services.domains.add("other.example", other.id, vouched=False)
    await sign_in(services, web, "owner", "acme")
    assert "other.example" not in (await web.get("/admin/domains")).text
    missing = await web.get(f"/admin/domains/{services.ids.new()}")
    theirs = await web.get(f"/admin/domains/{domain.id}")
    assert (missing.status_code, missing.text) == (404, theirs.text)
    assert (await send(web, f"/admin/domains/{domain.id}/check")).status_code == 404
    await add(web, "other.example")


async def test_checks_on_demand_are_bounded(services: Services, web: httpx.AsyncClient) -> None:
    await sign_in(services, web, "admin", "acme")
    path = await add(web, "acme.example")
    codes = [(await send(web, f"{path}/check")).status_code for _ in range(21)]
    assert codes == [303] * 20 + [429]


async def test_policy_is_served_while_the_domain_receives(
    services: Services, web: httpx.AsyncClient, zones: Zones
) -> None:
    tenant = await services.tenants.create("acme", "enterprise")
    domain = await services.domains.add("acme.example", tenant.id, vouched=False)

    async def fetch(host: str) -> httpx.Response:
        return await web.get("/.well-known/mta-sts.txt", headers={"host": host})

    assert (await fetch("mta-sts.acme.example")).status_code == 404, "nobody has shown it is theirs"
    zones.publish(await services.domain_checks.list_records(domain))
    await services.domain_checks.check(domain)
    answer = await fetch("MTA-STS.acme.example:443")
    assert answer.text == (
        "version: STSv1\r\nmode: testing\r\nmx: mx.pillarbox.example\r\nmax_age: 86400\r\n"
    )
    assert answer.headers["content-type"].startswith("text/plain")
    assert "set-cookie" not in answer.headers
    await services.domains.change(domain, mta_sts_mode="enforce")
    assert "mode: enforce\r\n" in (await fetch("mta-sts.acme.example")).text
    for host in ("acme.example", "mta-sts.other.example", "mta-sts."):
        assert (await fetch(host)).status_code == 404
    zones.shared.remove("acme.example", "MX")
    await services.domain_checks.check(domain)
    assert (await fetch("mta-sts.acme.example")).status_code == 404
