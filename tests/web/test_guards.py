"""The guard: who may use a route as it declares, and a write of a cookie only with its token."""

import re
from collections.abc import AsyncIterator
from itertools import pairwise
from uuid import UUID, uuid4

import httpx
import pytest
from application import serving
from litestar import get
from litestar.routes import HTTPRoute
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.access.permissions import ROLE_PERMISSIONS, ROLES
from app.assembly import Services, assemble
from app.directory.bootstrap import ensure_tenant
from app.main import ingester_application, web_application
from app.settings import Settings
from app.web.guards import allow_operator, rule_of

MAIL = b"From: a@example.org\r\nSubject: hello\r\n\r\nHi\r\n"


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(web_application(services)) as client:
        yield client


async def sign_in(
    services: Services, client: httpx.AsyncClient, tenant_id: UUID, role: str, **more: bool
) -> None:
    user = await services.users.add(f"{role}@example.test", tenant_id, role, **more)
    link = await services.sign_in.create_link(user.id)
    assert (await client.post(f"/sign-in/{link}")).status_code == 303


async def csrf_token(client: httpx.AsyncClient) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', (await client.get("/")).text)
    assert found
    return found[1]


def test_each_role_may_do_more_than_the_one_below() -> None:
    allowed = [ROLE_PERMISSIONS[role] for role in ROLES]
    assert ROLES == ("owner", "admin", "agent", "viewer")
    assert all(below < above for above, below in pairwise(allowed))


def test_every_route_declares_who_may_use_it(settings: Settings) -> None:
    for create in (web_application, ingester_application):
        silent = [
            (route.path, handler.handler_name)
            for route in create(assemble(settings)).routes
            if isinstance(route, HTTPRoute)
            for handler in route.route_handlers
            if rule_of(handler) is None and handler.http_methods != {"OPTIONS"}
        ]
        assert not silent, "give them `opt=allow(…)` of app.web.guards"


async def test_nobody_uses_a_route_that_declares_nothing(services: Services) -> None:
    @get("/forgotten")
    async def show_forgotten() -> str:
        return "secret"

    app = web_application(services)
    app.register(show_forgotten)
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    async with serving(app) as client:
        assert (await client.get("/forgotten")).status_code == 403
        await sign_in(services, client, tenant.id, "owner", is_operator=True)
        assert (await client.get("/forgotten")).status_code == 403


async def test_only_operators_pass_where_the_installation_is_run(services: Services) -> None:
    @get("/machine", opt=allow_operator())
    async def show_machine() -> str:
        return "machine"

    app = web_application(services)
    app.register(show_machine)
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    async with serving(app) as client:
        assert (await client.get("/machine")).status_code == 303
        await sign_in(services, client, tenant.id, "owner")
        assert (await client.get("/machine")).status_code == 403
        await sign_in(services, client, tenant.id, "viewer", is_operator=True)
        assert (await client.get("/machine")).text == "machine"


async def test_viewer_reads_and_changes_nothing(
    mailroom: Mailroom, client: httpx.AsyncClient
) -> None:
    await mailroom.spool(MAIL)
    await mailroom.take_in()
    services, row = mailroom.services, (await mailroom.rows())[0]
    await sign_in(services, client, mailroom.mailbox.tenant_id, "viewer")
    page = (await client.get("/inbox")).text
    assert "hello" in page
    assert 'value="archive"' not in page
    shown = (await client.get(f"/inbox/m/{row.id}")).text
    assert "/inbox/actions" not in shown
    assert not (await mailroom.rows())[0].is_read
    token = await csrf_token(client)
    for path, form in (
        ("/inbox/actions", {"star": str(row.id)}),
        ("/inbox/actions", {"action": "label", "name": "new", "ids": str(row.id)}),
        (f"/inbox/undo/{uuid4()}", {}),
        (f"/inbox/labels/{uuid4()}/delete", {}),
    ):
        answer = await client.post(path, data={"csrf_token": token, **form})
        assert answer.status_code == 403, path
    assert (await mailroom.rows())[0] == row
    zipped = await client.post("/inbox/raw-zip", data={"csrf_token": token, "ids": str(row.id)})
    assert zipped.status_code == 303


async def test_key_opens_no_page_and_cookie_no_api(
    mailroom: Mailroom, client: httpx.AsyncClient
) -> None:
    tenant_id = mailroom.mailbox.tenant_id
    minted = await mailroom.services.keys.create(COMMAND_LINE, tenant_id)
    answer = await client.get("/inbox", headers={"authorization": f"Bearer {minted.key}"})
    assert answer.status_code == 303
    await sign_in(mailroom.services, client, tenant_id, "owner")
    assert (await client.get("/inbox")).status_code == 200
    assert (await client.get("/api/v1/messages")).status_code == 401


async def test_person_switches_between_their_tenants_and_to_no_other(
    services: Services, client: httpx.AsyncClient
) -> None:
    first = await services.tenants.create("First", "enterprise")
    second = await services.tenants.create("Second", "enterprise")
    third = await services.tenants.create("Third", "enterprise")
    await services.users.add("owner@example.test", second.id, "viewer")
    await sign_in(services, client, first.id, "owner")

    async def current() -> str:
        account = (await client.get("/settings")).text
        here = re.search(r"<strong>(\w+)</strong>(?:(?!</p>).)*You are here", account)
        inbox = (await client.get("/inbox")).text
        shown = re.search(r"<span>(\w+)</span><span[^>]*>: change the organisation", inbox)
        assert here
        assert shown
        assert here[1] == shown[1]
        return here[1]

    async def switch(tenant_id: object) -> int:
        data = {"csrf_token": await csrf_token(client), "tenant_id": str(tenant_id)}
        return (await client.post("/settings/tenant", data=data)).status_code

    for tenant in (first, second, first, second):
        assert await switch(tenant.id) == 303
        assert await current() == tenant.name
    assert await switch(third.id) == await switch(uuid4()) == 404
    assert await switch("nonsense") == 400
    assert await current() == "Second"
    await services.database.execute("delete from membership where tenant_id = $1", second.id)
    page = await client.get("/settings")
    assert page.status_code == 200
    assert "Go there" not in page.text
    assert "change the organisation" not in (await client.get("/inbox")).text
