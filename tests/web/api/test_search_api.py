"""Searching over the API: the key's mailboxes and nothing else."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE


async def bearer(mailroom: Mailroom, *scopes: str, **limits: Any) -> dict[str, str]:
    tenant_id = mailroom.mailbox.tenant_id
    minted = await mailroom.services.keys.create(COMMAND_LINE, tenant_id, scopes or None, **limits)
    return {"authorization": f"Bearer {minted.key}"}


@pytest.fixture
async def indexed(mailroom: Mailroom) -> None:
    """Five messages for the mailbox and one for another, indexed."""
    other = await mailroom.add_mailbox("other@example.test")
    for number in range(6):
        head = f"From: a@x.test\r\nSubject: mail {number}\r\nMessage-ID: <{uuid4()}@x>\r\n\r\n"
        recipients = () if number < 5 else (other.address,)
        await mailroom.spool(head.encode() + b"needle\r\n", *recipients)
    await mailroom.take_in()
    indexer = mailroom.services.indexer()
    await indexer.handle(await mailroom.events(*indexer.types))


async def subjects(web: httpx.AsyncClient, headers: dict[str, str], **query: str) -> list[str]:
    answer = await web.get("/api/v1/search", params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    return [item["subject"] for item in answer.json()["items"]]


async def test_hits_are_messages_as_lists_have_them_newest_first_in_pages(
    web: httpx.AsyncClient, mailroom: Mailroom, indexed: None
) -> None:
    headers = await bearer(mailroom)
    listed = (await web.get("/api/v1/messages", headers=headers)).json()["items"]
    found: list[Any] = []
    cursor: str | None = None
    while True:
        query = {"q": "needle", "limit": "2", **({"cursor": cursor} if cursor else {})}
        page = (await web.get("/api/v1/search", params=query, headers=headers)).json()
        assert set(page) == {"items", "next_cursor", "notes"}
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == listed
    assert len(found) == 6


async def test_key_finds_only_what_it_may_read(
    web: httpx.AsyncClient, mailroom: Mailroom, indexed: None
) -> None:
    everything = await bearer(mailroom)
    assert len(await subjects(web, everything, q="needle")) == 6
    assert await subjects(web, everything, q="needle", mailbox="other@example.test") == ["mail 5"]
    limited = await bearer(mailroom, mailbox_ids=[mailroom.mailbox.id])
    assert len(await subjects(web, limited, q="needle")) == 5
    for query in ("mail 5", "in:anywhere", "mailbox:other@example.test", "-nothing"):
        assert "mail 5" not in await subjects(web, limited, q=query)
    answers = [
        await web.get("/api/v1/search", params={"mailbox": address}, headers=limited)
        for address in ("other@example.test", "nobody@example.test")
    ]
    assert answers[0].status_code == 404
    assert answers[0].content == answers[1].content
    tenant = await mailroom.services.tenants.create("Other", "developer")
    minted = await mailroom.services.keys.create(COMMAND_LINE, tenant.id)
    assert await subjects(web, {"authorization": f"Bearer {minted.key}"}, q="needle") == []


async def test_scope_is_needed(web: httpx.AsyncClient, mailroom: Mailroom, indexed: None) -> None:
    headers = await bearer(mailroom, "events:read")
    answer = await web.get("/api/v1/search", params={"q": "needle"}, headers=headers)
    assert answer.status_code == 403
    assert (await web.get("/api/v1/search", params={"q": "needle"})).status_code == 401


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"q": "a", "cursor": "x"}, 400),
        ({"q": "a", "limit": "0"}, 400),
        ({"q": "a", "mailbox": "nobody@example.test"}, 404),
        ({"q": "a" * 5000}, 400),
        ({}, 200),
        ({"q": "((((\0'"}, 200),
    ],
)
async def test_odd_requests_get_a_clear_answer(
    web: httpx.AsyncClient, mailroom: Mailroom, indexed: None, query: dict[str, str], status: int
) -> None:
    answer = await web.get("/api/v1/search", params=query, headers=await bearer(mailroom))
    assert answer.status_code == status, answer.text


async def test_what_was_not_understood_is_told(
    web: httpx.AsyncClient, mailroom: Mailroom, indexed: None
) -> None:
    query = {"q": "needle larger:huge"}
    answer = await web.get("/api/v1/search", params=query, headers=await bearer(mailroom))
    assert len(answer.json()["notes"]) == 1
    assert len(answer.json()["items"]) == 6
