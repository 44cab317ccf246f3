"""Temporary inboxes as a visitor meets them."""

import re
from typing import Any

import httpx
import pytest
from mailroom import PREFIX, Mailroom

from app.assembly import Services
from app.directory.bootstrap import ensure_temporary_domain

MAIL = (
    b"From: Ada <ada@example.org>\r\nTo: you\r\nSubject: A subject\r\n"
    b"Message-ID: <page@example.org>\r\nContent-Type: text/html\r\n\r\n<p>The text</p>\r\n"
)


@pytest.fixture
async def inbox_url(web: httpx.AsyncClient, services: Services) -> str:
    await ensure_temporary_domain(
        services.tenants, services.domains, services.settings.temporary_domain
    )
    made = await web.post("/t")
    assert made.status_code == 303
    return made.headers["location"]


async def address_of(services: Services, inbox_url: str) -> str:
    return (await services.inboxes.open(inbox_url.removeprefix("/t/"))).address


async def deliver(mailroom: Mailroom, inbox_url: str, data: bytes = MAIL) -> str:
    """The path of the delivered message's page."""
    await mailroom.spool(data, await address_of(mailroom.services, inbox_url))
    await mailroom.take_in()
    inbox = await mailroom.services.inboxes.open(inbox_url.removeprefix("/t/"))
    row = await mailroom.services.database.fetch_value(
        "select id from message where mailbox_id = $1", inbox.mailbox_id
    )
    return f"{inbox_url}/m/{row}"


async def test_inbox_is_made_and_shown_when_the_button_is_pressed(
    web: httpx.AsyncClient, services: Services, inbox_url: str
) -> None:
    page = await web.get(inbox_url)
    assert page.status_code == 200
    assert await address_of(services, inbox_url) in page.text
    assert "No mail yet" in page.text


async def test_token_opens_the_inbox_and_the_address_does_not(
    web: httpx.AsyncClient, services: Services, inbox_url: str
) -> None:
    address = await address_of(services, inbox_url)
    assert len(inbox_url.removeprefix("/t/")) == 22
    for guess in (address, address.split("@")[0]):
        assert (await web.get(f"/t/{guess}")).status_code == 404


async def test_answer_is_the_same_for_a_wrong_an_expired_and_a_deleted_token(
    web: httpx.AsyncClient, services: Services, inbox_url: str, clock: Any
) -> None:
    deleted = (await web.post("/t")).headers["location"]
    await web.post(f"{deleted}/delete")
    clock.moved_seconds = services.settings.temporary_ttl_seconds + 1
    wrong = "/t/" + "A" * 22
    for tail in ("", "/live", "/m/01a20226-eebf-7d06-81c4-d9924936f0b9"):
        answers = [await web.get(f"{url}{tail}") for url in (wrong, inbox_url, deleted)]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.text for answer in answers}) == 1
        assert len({str(sorted(answer.headers)) for answer in answers}) == 1
    for action in ("extend", "delete", "test-mail"):
        answers = [await web.post(f"{url}/{action}") for url in (wrong, inbox_url, deleted)]
        assert {(a.status_code, a.text) for a in answers} == {(404, answers[0].text)}


async def test_time_starts_again_when_the_inbox_is_extended(
    web: httpx.AsyncClient, services: Services, inbox_url: str, clock: Any
) -> None:
    clock.moved_seconds = services.settings.temporary_ttl_seconds - 60
    assert (await web.post(f"{inbox_url}/extend")).status_code == 303
    clock.moved_seconds += 120
    assert (await web.get(inbox_url)).status_code == 200


async def test_raw_download_is_what_was_stored_byte_for_byte(
    web: httpx.AsyncClient, mailroom: Mailroom, inbox_url: str
) -> None:
    message = await deliver(mailroom, inbox_url)
    link = await web.get(f"{message}/raw")
    assert link.status_code == 303
    download = await web.get(link.headers["location"])
    assert download.content == PREFIX + MAIL
    assert download.headers["content-disposition"].startswith("attachment;")
    assert download.headers["content-type"] == "message/rfc822"


async def test_raw_link_is_dead_when_ten_minutes_are_over_or_it_was_changed(
    web: httpx.AsyncClient, mailroom: Mailroom, inbox_url: str, clock: Any
) -> None:
    link = (await web.get(f"{await deliver(mailroom, inbox_url)}/raw")).headers["location"]
    clock.moved_seconds = 599
    assert (await web.get(link)).status_code == 200
    assert (await web.get(f"{link}x")).status_code == 404
    clock.moved_seconds = 602
    assert (await web.get(link)).status_code == 404


async def test_message_is_shown_in_a_frame_of_its_own_that_may_run_nothing(
    web: httpx.AsyncClient, mailroom: Mailroom, inbox_url: str
) -> None:
    message = await deliver(mailroom, inbox_url)
    page = await web.get(message)
    assert "A subject" in page.text
    frame = re.search(r"<iframe[^>]*>", page.text)
    assert frame
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame[0]
    body = await web.get(f"{message}/body")
    assert "<p>The text</p>" in body.text
    policy = body.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy


async def test_message_is_not_found_through_another_inbox(
    web: httpx.AsyncClient, mailroom: Mailroom, inbox_url: str
) -> None:
    message_id = (await deliver(mailroom, inbox_url)).rsplit("/", 1)[1]
    other = (await web.post("/t")).headers["location"]
    for tail in ("", "/body", "/raw", f"/attachments/{message_id}"):
        assert (await web.get(f"{other}/m/{message_id}{tail}")).status_code == 404


async def test_headers_are_listed_when_asked_for(
    web: httpx.AsyncClient, mailroom: Mailroom, inbox_url: str
) -> None:
    page = await web.get(f"{await deliver(mailroom, inbox_url)}?view=headers")
    assert "page@example.org" in page.text


async def test_making_inboxes_is_refused_when_one_address_makes_too_many(
    web: httpx.AsyncClient, services: Services, inbox_url: str
) -> None:
    limit = services.settings.temporary_inboxes_per_hour
    answers = [await web.post("/t") for _ in range(limit)]
    assert [answer.status_code for answer in answers] == [303] * (limit - 1) + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3601


async def test_every_page_keeps_to_itself(web: httpx.AsyncClient, inbox_url: str) -> None:
    for url in ("/", inbox_url, "/nothing", "/api/v1/health"):
        headers = (await web.get(url)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
