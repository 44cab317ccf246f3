"""The outbox page: for whoever sits at this machine, and nobody else."""

import re
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from application import serving
from postman import asking

from app.assembly import Services, assemble
from app.core.secrets import Secret
from app.directory.bootstrap import ensure_tenant
from app.main import web_application
from app.settings import MailUrl, Settings

HERE = {"host": "127.0.0.1:8000"}


@pytest.fixture
async def outbox_url(services: Services, web: httpx.AsyncClient) -> str:
    """Of one sign-in mail that was kept instead of sent."""
    tenant = await ensure_tenant(services.tenants, "First", "enterprise")
    await services.users.add("ada@example.test", tenant.id, "owner")
    await web.post("/sign-in", data={"email": "ada@example.test", "next": "/inbox"})
    mail = services.magic_link_mail()
    assert mail
    assert await mail.send_due() == 1
    (item,) = services.outbox.list_newest()
    return f"/outbox/{item.id}"


async def test_link_of_the_mail_is_there_to_click(web: httpx.AsyncClient, outbox_url: str) -> None:
    listed = (await web.get("/outbox", headers=HERE)).text
    assert "Your sign-in link for Pillarbox" in listed
    assert f'href="{outbox_url}"' in listed
    page = (await web.get(outbox_url, headers=HERE)).text
    link = re.search(r'href="(/sign-in/[\w-]{22})"', page)
    assert link
    assert (await web.post(link[1])).headers["location"] == "/inbox"


async def test_html_of_the_mail_stands_in_a_frame_that_runs_nothing(
    web: httpx.AsyncClient, outbox_url: str
) -> None:
    page = (await web.get(outbox_url, headers=HERE)).text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    body = await web.get(f"{outbox_url}/body", headers=HERE)
    assert "sandbox" in body.headers["content-security-policy"]
    assert "Sign in to Pillarbox" in body.text


async def test_console_is_told_the_link(
    services: Services, outbox_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    await services.sign_in_requests.add("ada@example.test", "", asking())
    mail = services.magic_link_mail()
    assert mail
    await mail.send_due()
    lines = [line for line in capsys.readouterr().out.splitlines() if "/sign-in/" in line]
    assert len(lines) == 1
    assert lines[0].startswith("Mail to ada@example.test: Your sign-in link for Pillarbox: http")


async def test_outbox_is_not_there_when_anything_came_from_elsewhere(
    web: httpx.AsyncClient, outbox_url: str
) -> None:
    foreign: tuple[dict[str, str], ...] = (
        {},
        {"host": "pillarbox.example.org"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "localhost.evil.example:8000"},
        {**HERE, "x-forwarded-for": "203.0.113.9"},
        {**HERE, "x-real-ip": "203.0.113.9"},
        {**HERE, "forwarded": "for=203.0.113.9"},
    )
    for headers in foreign:
        for url in ("/outbox", outbox_url, f"{outbox_url}/body"):
            assert (await web.get(url, headers=headers)).status_code == 404


async def test_outbox_is_not_there_for_another_peer(settings: Settings, outbox_url: str) -> None:
    app = web_application(assemble(settings))
    async with serving(app):
        transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as web:
            assert (await web.get("/outbox")).status_code == 404


async def test_outbox_is_there_under_every_name_of_this_machine(web: httpx.AsyncClient) -> None:
    for host in ("localhost:8000", "localhost", "127.0.0.1", "[::1]:8000"):
        page = await web.get("/outbox", headers={"host": host})
        assert (page.status_code, "No mail yet." in page.text) == (200, True)


async def test_outbox_is_not_there_when_mail_really_leaves_or_in_production(
    settings: Settings, outbox_url: str
) -> None:
    for others in (
        replace(settings, pillarbox_env="production"),
        replace(settings, pillarbox_env="production", auth_mail_url=MailUrl("outbox")),
        replace(settings, auth_mail_url=MailUrl("smtp", "mail.test", 587, "u", Secret("p"))),
        replace(settings, auth_mail_url=MailUrl("ses")),
    ):
        async with serving(web_application(assemble(others))) as web:
            for url in ("/outbox", outbox_url, f"{outbox_url}/body"):
                assert (await web.get(url, headers=HERE)).status_code == 404


async def test_mail_that_is_not_in_the_outbox_is_not_found(web: httpx.AsyncClient) -> None:
    for name in (uuid4(), "..%2f..%2fsecret", "x"):
        assert (await web.get(f"/outbox/{name}", headers=HERE)).status_code == 404
