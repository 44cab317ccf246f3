"""The API's first slice, as a program meets it."""

import re
from typing import Any
from uuid import uuid4

import httpx
import pytest
from mailroom import PREFIX, Mailroom

from app.access.grants import COMMAND_LINE


def mail(number: int) -> bytes:
    return (
        f"From: a@example.org\r\nSubject: mail {number}\r\n"
        f"Message-ID: <{number}@example.org>\r\n\r\nText\r\n"
    ).encode()


async def bearer(mailroom: Mailroom, *scopes: str, **limits: Any) -> dict[str, str]:
    tenant_id = mailroom.mailbox.tenant_id
    minted = await mailroom.services.keys.create(COMMAND_LINE, tenant_id, scopes or None, **limits)
    assert re.fullmatch(r"[0-9a-f]{64}", minted.key)
    return {"authorization": f"Bearer {minted.key}"}


@pytest.fixture
async def delivered(mailroom: Mailroom) -> None:
    for number in range(5):
        await mailroom.spool(mail(number))
    await mailroom.take_in()


async def test_problem_is_told_as_rfc_9457_says_when_no_key_is_sent(
    web: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    for headers in ({}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic eDp5"}):
        answer = await web.get("/api/v1/messages", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["status"] == 401


async def test_messages_are_listed_in_pages_newest_first(
    web: httpx.AsyncClient, mailroom: Mailroom, delivered: None
) -> None:
    headers = await bearer(mailroom)
    subjects: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await web.get("/api/v1/messages", params=query, headers=headers)).json()
        assert set(page) == {"items", "next_cursor"}
        subjects += [item["subject"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert subjects == [f"mail {number}" for number in (4, 3, 2, 1, 0)]


async def test_message_has_the_fields_of_the_contract(
    web: httpx.AsyncClient, mailroom: Mailroom, delivered: None
) -> None:
    headers = await bearer(mailroom)
    item = (await web.get("/api/v1/messages", headers=headers)).json()["items"][0]
    assert set(item) >= {
        *("id", "mailbox", "from", "to", "subject", "snippet"),
        *("received_at", "size_bytes", "sha256", "ticket_id"),
    }
    shown = (await web.get(f"/api/v1/messages/{item['id']}", headers=headers)).json()
    assert shown["text"].strip() == "Text"
    assert {name: shown[name] for name in item} == item


async def test_raw_leads_to_a_link_that_needs_no_key(
    web: httpx.AsyncClient, mailroom: Mailroom, delivered: None
) -> None:
    headers = await bearer(mailroom)
    item = (await web.get("/api/v1/messages", headers=headers)).json()["items"][0]
    answer = await web.get(f"/api/v1/messages/{item['id']}/raw", headers=headers)
    assert answer.status_code == 303
    assert (await web.get(answer.headers["location"])).content == PREFIX + mail(4)


async def test_key_for_a_mailbox_reads_nothing_else(
    web: httpx.AsyncClient, mailroom: Mailroom, delivered: None
) -> None:
    other = await mailroom.add_mailbox("other@example.test")
    await mailroom.spool(mail(99), "other@example.test")
    await mailroom.take_in()
    headers = await bearer(mailroom, mailbox_ids=[other.id])
    listed = (await web.get("/api/v1/messages", headers=headers)).json()["items"]
    assert [item["subject"] for item in listed] == ["mail 99"]
    hidden = (await mailroom.rows())[0].id
    for path in (f"/messages/{hidden}", f"/messages/{hidden}/raw"):
        assert (await web.get(f"/api/v1{path}", headers=headers)).status_code == 404
    answers = [
        await web.get("/api/v1/messages", params={"mailbox": address}, headers=headers)
        for address in (mailroom.mailbox.address, "nobody@example.test")
    ]
    assert answers[0].status_code == 404
    assert answers[0].content == answers[1].content
    events = (await web.get("/api/v1/events", headers=headers)).json()["items"]
    assert {event["mailbox_id"] for event in events} == {str(other.id)}


async def test_key_does_only_what_its_scopes_say(
    web: httpx.AsyncClient, mailroom: Mailroom, delivered: None
) -> None:
    only_events = await bearer(mailroom, "events:read")
    assert (await web.get("/api/v1/messages", headers=only_events)).status_code == 403
    assert (await web.get("/api/v1/events", headers=only_events)).status_code == 200


async def test_tenant_does_not_see_anothers_messages(
    web: httpx.AsyncClient, mailroom: Mailroom, delivered: None
) -> None:
    stranger = await mailroom.services.tenants.create("Stranger", "developer")
    minted = await mailroom.services.keys.create(COMMAND_LINE, stranger.id)
    headers = {"authorization": f"Bearer {minted.key}"}
    message_id = (await mailroom.rows())[0].id
    assert (await web.get("/api/v1/messages", headers=headers)).json()["items"] == []
    events = (await web.get("/api/v1/events", headers=headers)).json()["items"]
    assert [event["type"] for event in events] == ["access.key_created"]
    answers = [
        await web.get(f"/api/v1/messages/{found}", headers=headers)
        for found in (message_id, uuid4())
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].json() == answers[1].json()


async def test_events_go_on_after_the_cursor(
    web: httpx.AsyncClient, mailroom: Mailroom, delivered: None
) -> None:
    headers = await bearer(mailroom)
    seen, after = [], 0
    while True:
        query = {"after": after, "type": "ingest.received", "limit": 2}
        page = (await web.get("/api/v1/events", params=query, headers=headers)).json()
        after = page["next_cursor"]
        if not page["items"]:
            break
        seen += [event["position"] for event in page["items"]]
    assert len(seen) == 5
    assert seen == sorted(set(seen))


@pytest.mark.parametrize(
    "query", [{"cursor": "nonsense"}, {"cursor": "-"}, {"limit": "0"}, {"limit": "many"}]
)
async def test_problem_names_the_fault_when_a_parameter_is_wrong(
    web: httpx.AsyncClient, mailroom: Mailroom, query: dict[str, str]
) -> None:
    answer = await web.get("/api/v1/messages", params=query, headers=await bearer(mailroom))
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")


async def test_probes_tell_that_all_is_there(web: httpx.AsyncClient) -> None:
    assert (await web.get("/api/v1/health")).json() == {"status": "ok"}
    assert (await web.get("/api/v1/ready")).json() == {"status": "ready", "missing": []}


async def test_schema_lists_the_api_and_no_pages(web: httpx.AsyncClient) -> None:
    schema = (await web.get("/api/v1/openapi.json")).json()
    assert "/api/v1/messages" in schema["paths"]
    assert all(path.startswith("/api/") for path in schema["paths"])
