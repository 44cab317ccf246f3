"""Mailboxes and routes, as an administrator makes and removes them."""

import httpx
import pytest
from administrator import Administrator, sign_in
from selectolax.lexbor import LexborHTMLParser

from app.assembly import Services


@pytest.fixture
async def owner(services: Services, web: httpx.AsyncClient) -> Administrator:
    tenant = await services.tenants.create("Acme", "developer")
    await services.domains.add("acme.test", tenant.id, vouched=True)
    return await sign_in(services, web, tenant)


def wrong(answer: httpx.Response) -> str:
    message = LexborHTMLParser(answer.text).css_first("[role=alert]")
    assert answer.status_code == 400, answer.status_code
    assert message
    return message.text(strip=True)


async def add_mailbox(owner: Administrator, local_part: str, name: str = "") -> httpx.Response:
    return await owner.send(
        "/admin/mailboxes/new", "/admin/mailboxes", local_part=local_part, display_name=name
    )


async def test_mailbox_is_added_named_and_removed(services: Services, owner: Administrator) -> None:
    assert "No mailboxes yet." in await owner.text("/admin/mailboxes")
    assert (await add_mailbox(owner, "Support")).headers["location"].endswith("?done=added")
    page = await owner.read("/admin/mailboxes")
    link = page.css_first("tbody th a")
    assert link
    assert link.text(strip=True) == "support@acme.test"
    path = str(link.attributes["href"])
    assert (await owner.send(path, path, display_name="The desk")).status_code == 303
    assert "The desk" in await owner.text("/admin/mailboxes?q=DESK")
    assert "It is empty." in await owner.text(f"{path}/remove")
    assert (await owner.send(f"{path}/remove", f"{path}/remove")).status_code == 303
    assert "No mailboxes yet." in await owner.text("/admin/mailboxes")
    assert (await owner.web.get(path)).status_code == 404
    trail = await services.audit.list(owner.tenant.id)
    assert [entry.action for entry in trail.entries if "mailbox" in entry.action] == [
        "access.mailbox_removed",
        "access.mailbox_renamed",
        "access.mailbox_added",
    ]


async def test_catch_all_is_a_mailbox_for_everything_else(owner: Administrator) -> None:
    assert (await add_mailbox(owner, "*")).status_code == 303
    assert "Everything else at acme.test" in await owner.text("/admin/mailboxes")


@pytest.mark.parametrize("local_part", ["", "a b", "support", "x@y", "a" * 70])
async def test_mailbox_form_says_what_is_wrong(owner: Administrator, local_part: str) -> None:
    await add_mailbox(owner, "support")
    answer = await add_mailbox(owner, local_part, "The desk")
    assert wrong(answer)
    name = LexborHTMLParser(answer.text).css_first("[name=display_name]")
    assert name
    assert name.attributes["value"] == "The desk"


async def test_route_leads_to_mailboxes_until_it_is_removed(
    services: Services, owner: Administrator
) -> None:
    assert "No mailbox yet." in await owner.text("/admin/routes/new")
    for name in ("ann", "bob"):
        await add_mailbox(owner, name)
    ids = [
        str(box.attributes["value"])
        for box in (await owner.read("/admin/routes/new")).css("[name=mailbox_ids]")
    ]
    added = await owner.send(
        "/admin/routes/new", "/admin/routes", local_part="Sales-*", mailbox_ids=ids
    )
    assert added.status_code == 303
    assert "ann@acme.test, bob@acme.test" in await owner.text("/admin/routes?q=sales")
    link = (await owner.read("/admin/routes")).css_first("tbody th a")
    assert link
    path = str(link.attributes["href"])
    assert (await owner.send(path, path, mailbox_ids=ids[:1])).status_code == 303
    found = await services.recipients.find_mailboxes(["sales-eu@acme.test"])
    assert [box.address for box in found["sales-eu@acme.test"]] == ["ann@acme.test"]
    assert "Choose at least one" in wrong(await owner.send(path, path, mailbox_ids=[]))
    assert (await owner.send(f"{path}/remove", f"{path}/remove")).status_code == 303
    assert "No routes yet." in await owner.text("/admin/routes")
    trail = [entry.action for entry in (await services.audit.list(owner.tenant.id)).entries]
    assert trail[:3] == ["access.route_removed", "access.route_changed", "access.route_added"]


async def test_route_form_says_what_is_wrong(owner: Administrator) -> None:
    await add_mailbox(owner, "ann")
    page, action = "/admin/routes/new", "/admin/routes"
    box = (await owner.read(page)).css_first("[name=mailbox_ids]")
    assert box
    ann = box.attributes["value"]
    assert "at least one" in wrong(await owner.send(page, action, local_part="sales"))
    for local_part in ("ann", "s*l*s", "a b", ""):
        answer = await owner.send(page, action, local_part=local_part, mailbox_ids=ann)
        assert wrong(answer)
    for domain in ("elsewhere.test", ""):
        answer = await owner.send(page, action, local_part="x", domain=domain, mailbox_ids=ann)
        assert wrong(answer)
    assert "not there" in wrong(
        await owner.send(page, action, local_part="x", mailbox_ids="nonsense")
    )


async def test_long_lists_come_in_pages(services: Services, owner: Administrator) -> None:
    for number in range(52):
        await services.mailboxes.add(f"box-{number:02}@acme.test", owner.tenant.id)
    page = await owner.read("/admin/mailboxes?q=box")
    more = page.css_first("#more-rows a")
    assert more
    rest = await owner.web.get(str(more.attributes["href"]), headers={"hx-request": "true"})
    rows = LexborHTMLParser(f"<table>{rest.text}</table>").css("th[scope=row]")
    assert [row.text(strip=True) for row in rows] == ["box-50@acme.test", "box-51@acme.test"]
    assert "<html" not in rest.text
    alone = await owner.text(str(more.attributes["href"]))
    assert "box-51@acme.test" in alone
    assert (await owner.web.get("/admin/mailboxes?cursor=nonsense")).status_code == 400
    # More than a form shows: the others are written.
    chosen = await owner.send(
        "/admin/routes/new",
        "/admin/routes",
        local_part="all",
        others="box-51@acme.test\nBOX-50@acme.test",
    )
    assert chosen.status_code == 303
    unknown = await owner.send(
        "/admin/routes/new", "/admin/routes", local_part="x", others="eve@elsewhere.test"
    )
    assert "no mailbox eve@elsewhere.test" in wrong(unknown)


async def test_lower_roles_and_other_tenants_see_none_of_it(
    services: Services, owner: Administrator
) -> None:
    await add_mailbox(owner, "support")
    link = (await owner.read("/admin/mailboxes")).css_first("tbody th a")
    assert link
    path = str(link.attributes["href"])
    other = await services.tenants.create("Other", "developer")
    await sign_in(services, owner.web, other, email="eve@other.test")
    assert "support" not in await owner.text("/admin/mailboxes")
    for page in (path, f"{path}/remove"):
        assert (await owner.web.get(page)).status_code == 404
    await sign_in(services, owner.web, other, email="max@other.test", role="agent")
    for page in ("/admin", "/admin/mailboxes", "/admin/routes", path):
        assert (await owner.web.get(page)).status_code == 403
    inbox = (await owner.web.get("/inbox")).text
    assert 'href="/admin"' not in inbox
