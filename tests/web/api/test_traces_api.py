"""The way of a mail over the API."""

from collections.abc import Collection

import httpx
import pytest
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.access.permissions import DEFAULT_SCOPES, Permission


async def ask(
    web: httpx.AsyncClient,
    mailroom: Mailroom,
    path: str,
    scopes: Collection[Permission] = DEFAULT_SCOPES,
) -> httpx.Response:
    key = await mailroom.services.keys.create(COMMAND_LINE, mailroom.mailbox.tenant_id, scopes)
    return await web.get(f"/api/v1{path}", headers={"authorization": f"Bearer {key.key}"})


async def test_message_and_its_trace_tell_the_same(
    web: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    metadata = await mailroom.spool(b"Subject: x\r\n\r\nHi\r\n")
    await mailroom.take_in()
    (row,) = await mailroom.rows()
    by_message = await ask(web, mailroom, f"/messages/{row.id}/trace")
    by_trace = await ask(web, mailroom, f"/traces/{metadata.trace_id}")
    assert by_message.status_code == by_trace.status_code == 200
    told = by_trace.json()
    assert by_message.json() == told
    assert (told["id"], told["verdict"]) == (str(metadata.trace_id), "delivered")
    assert told["message_ids"] == [str(row.id)]
    spooled, claimed, *_, recorded = told["steps"]
    assert spooled["facts"]["item_id"] == str(metadata.item_id)
    assert claimed["kind"] == "claimed"
    assert claimed["duration_ms"] >= 0
    assert recorded["message_id"] == str(row.id)
    assert recorded["facts"]["mailbox"] == "box@example.test"


@pytest.mark.parametrize("missing", [Permission.EVENTS_READ, Permission.MESSAGES_READ])
async def test_key_needs_both_scopes(
    web: httpx.AsyncClient, mailroom: Mailroom, missing: Permission
) -> None:
    metadata = await mailroom.spool(b"Subject: x\r\n\r\nHi\r\n")
    await mailroom.take_in()
    answer = await ask(web, mailroom, f"/traces/{metadata.trace_id}", DEFAULT_SCOPES - {missing})
    assert answer.status_code == 403
