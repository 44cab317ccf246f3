"""Waiting for a message over the API."""

import asyncio
from email.message import EmailMessage

import httpx
import pytest
from application import serving
from conditions import eventually
from litestar import Litestar
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.assembly import Services, assemble
from app.main import web_application
from app.settings import Settings

WAIT = "/api/v1/messages/wait"


@pytest.fixture
async def headers(mailroom: Mailroom) -> dict[str, str]:
    return await headers_of(mailroom)


async def headers_of(mailroom: Mailroom, **limits: object) -> dict[str, str]:
    minted = await mailroom.services.keys.create(
        COMMAND_LINE,
        mailroom.mailbox.tenant_id,
        ["messages:read", "mailboxes:read"],
        **limits,  # type: ignore[arg-type]
    )
    return {"authorization": f"Bearer {minted.key}"}


def sign_up_mail() -> bytes:
    message = EmailMessage()
    message["From"] = "Shop <shop@example.org>"
    message["Subject"] = "Confirm your address"
    message.set_content("Your code is 493817.\nOr open https://shop.example/confirm?t=1.\n")
    message.add_alternative(
        '<p>Your code is <b>493817</b>.</p><a href="https://shop.example/confirm?t=1">Confirm</a>',
        subtype="html",
    )
    message.add_attachment(b"%PDF", "application", "pdf", filename="terms.pdf")
    return message.as_bytes().replace(b"\n", b"\r\n")


async def test_answer_has_links_codes_and_attachments_picked_out(
    web: httpx.AsyncClient, mailroom: Mailroom, headers: dict[str, str]
) -> None:
    await mailroom.spool(sign_up_mail())
    await mailroom.take_in()
    query = {"mailbox": mailroom.mailbox.address, "match": "subject:confirm"}
    answer = (await web.get(WAIT, params=query, headers=headers)).json()
    message = answer["message"]
    assert message == (await web.get(f"/api/v1/messages/{message['id']}", headers=headers)).json()
    assert answer["links"] == [{"url": "https://shop.example/confirm?t=1", "text": "Confirm"}]
    assert answer["codes"] == ["493817"]
    assert [each["file_name"] for each in answer["attachments"]] == ["terms.pdf"]


async def test_nothing_in_time_is_an_answer_and_no_problem(
    web: httpx.AsyncClient, mailroom: Mailroom, headers: dict[str, str]
) -> None:
    answer = await web.get(WAIT, params={"timeout": 1, "match": "larger:huge"}, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["message"] is None
    assert answer.json()["codes"] == answer.json()["links"] == []
    assert answer.json()["notes"]


async def test_what_cannot_be_meant_is_refused(
    web: httpx.AsyncClient, mailroom: Mailroom, headers: dict[str, str]
) -> None:
    for query, status in (
        ({"timeout": 121}, 400),
        ({"timeout": -1}, 400),
        ({"after": -1}, 400),
        ({"since": "yesterday"}, 400),
        ({"since": "2026-11-22T09:30:00"}, 400),
        ({"mailbox": "nobody@example.test"}, 404),
    ):
        answer = await web.get(WAIT, params={"timeout": 0, **query}, headers=headers)
        assert answer.status_code == status, query
    ok = {"since": "2026-11-22T09:30:00+01:00", "after": 5, "timeout": 0}
    assert (await web.get(WAIT, params=ok, headers=headers)).status_code == 200


async def test_key_for_a_mailbox_waits_for_that_alone(
    web: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    other = await mailroom.add_mailbox("other@example.test")
    await mailroom.spool(sign_up_mail())
    await mailroom.take_in()
    limited = await headers_of(mailroom, mailbox_ids=[other.id])
    quick = {"timeout": "0"}
    assert (await web.get(WAIT, params=quick, headers=limited)).json()["message"] is None
    query = {**quick, "mailbox": mailroom.mailbox.address}
    assert (await web.get(WAIT, params=query, headers=limited)).status_code == 404
    await mailroom.spool(sign_up_mail(), other.address)
    await mailroom.take_in()
    assert (await web.get(WAIT, params=quick, headers=limited)).json()["message"]


@pytest.fixture
def application(settings: Settings, mailroom: Mailroom) -> tuple[Litestar, Services]:
    services = assemble(settings, clock=mailroom.services.clock)
    return web_application(services), services


async def test_whole_wait_counts_once_and_ends_with_the_server(
    application: tuple[Litestar, Services], headers: dict[str, str]
) -> None:
    app, services = application
    async with serving(app) as client:
        before = await client.get("/api/v1/mailboxes", headers=headers)
        waiting = asyncio.create_task(client.get(WAIT, headers=headers))
        await eventually(lambda: asyncio.sleep(0, bool(services.feed._subscribers)))
        services.feed.end()
        answer = await waiting
    assert answer.status_code == 503
    assert left_of(before) - left_of(answer) == 1


def left_of(answer: httpx.Response) -> int:
    return int(answer.headers["ratelimit"].split("r=")[1].split(";")[0])
