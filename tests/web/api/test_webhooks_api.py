"""Webhooks over the API."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.access.permissions import SCOPES

HOOK = {"url": "https://hooks.acme.example/in?key=swordfish", "types": ["ingest.received"]}


@pytest.fixture
async def api(web: httpx.AsyncClient, mailroom: Mailroom) -> httpx.AsyncClient:
    minted = await mailroom.services.keys.create(COMMAND_LINE, mailroom.mailbox.tenant_id, SCOPES)
    web.headers["authorization"] = f"Bearer {minted.key}"
    web.base_url = "http://pillarbox.test/api/v1"
    return web


async def add(api: httpx.AsyncClient, **more: object) -> Mapping[str, Any]:
    answer = await api.post("/webhooks", json={**HOOK, **more})
    assert answer.status_code == 201, answer.text
    added: Mapping[str, Any] = answer.json()
    return added


async def test_secret_is_shown_once_and_the_address_is_not_in_the_trail(
    api: httpx.AsyncClient,
) -> None:
    added = await add(api)
    assert added["secret"].startswith("whsec_")
    path = f"/webhooks/{added['id']}"
    assert (await api.get(path)).json() == {
        name: value for name, value in added.items() if name != "secret"
    }
    rotated = (await api.post(f"{path}/rotate-secret", json={"overlap_seconds": 60})).json()
    assert rotated["secret"] != added["secret"]
    assert rotated["previous_secret_until"]
    for each in ("", path, f"{path}/deliveries"):
        text = (await api.get(each or "/webhooks")).text
        assert added["secret"] not in text
        assert rotated["secret"] not in text
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404
    audit = await api.get("/admin/audit")
    assert [entry["action"] for entry in audit.json()["items"]][:3] == [
        "access.webhook_removed",
        "access.webhook_rotated",
        "access.webhook_added",
    ]
    assert "hooks.acme.example" in audit.text
    assert "swordfish" not in audit.text


async def test_webhook_is_changed_and_switched_off_and_on(
    api: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    path = f"/webhooks/{(await add(api))['id']}"
    change = {
        "url": "https://other.example/",
        "description": "Other",
        "types": ["message.*", "ingest.received"],
        "mailboxes": [mailroom.mailbox.address],
        "ordered": True,
    }
    changed = (await api.patch(path, json=change)).json()
    assert {name: changed[name] for name in change} == {
        **change,
        "types": ["ingest.received", "message.*"],
    }
    off = (await api.patch(path, json={"enabled": False})).json()
    assert (off["enabled"], off["disabled_reason"]) == (False, "by_hand")
    for step in ("test", "replay"):
        assert (await api.post(f"{path}/{step}", json={})).status_code == 400
    on = (await api.patch(path, json={"enabled": True, "mailboxes": []})).json()
    assert (on["enabled"], on["disabled_at"], on["mailboxes"]) == (True, None, [])


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("url", "ftp://a.example/", 400),
        ("url", "http://a.example:22/", 400),
        ("url", "http://user:secret@a.example/", 400),
        ("url", "", 400),
        ("url", "https://a.example/" + "a" * 2000, 400),
        ("types", ["ingest.recieved"], 400),
        ("types", ["webhook.delivered"], 400),
        ("types", ["webhook.*"], 400),
        ("types", ["*"], 400),
        ("mailboxes", ["nobody@example.test"], 404),
        ("mailboxes", [str(uuid4())], 404),
        ("mailboxes", ["nothing"], 400),
        ("description", "x" * 201, 400),
        ("mailboxes", 5, 400),
        ("mailboxes", [5], 400),
    ],
)
async def test_what_cannot_be_is_refused(
    api: httpx.AsyncClient, field: str, value: object, status: int
) -> None:
    answer = await api.post("/webhooks", json={**HOOK, field: value})
    assert answer.status_code == status, answer.text
    errors = answer.json().get("errors", [])
    assert status == 404 or all(error["pointer"].startswith(f"/{field}") for error in errors)
    assert (await api.get("/webhooks")).json()["items"] == []


async def test_test_is_a_delivery_that_can_be_seen_and_sent_again(
    api: httpx.AsyncClient,
) -> None:
    path = f"/webhooks/{(await add(api))['id']}"
    sent = (await api.post(f"{path}/test")).json()
    assert (sent["type"], sent["state"], sent["position"]) == ("webhook.test", "pending", None)
    listed = (await api.get(f"{path}/deliveries", params={"state": "pending"})).json()
    assert listed["items"] == [sent]
    assert (await api.get(f"{path}/deliveries", params={"state": "failed"})).json()["items"] == []
    shown = (await api.get(f"{path}/deliveries/{sent['id']}")).json()
    assert shown["payload"] == {
        "type": "webhook.test",
        "timestamp": shown["payload"]["timestamp"],
        "data": {"id": sent["event_id"]},
    }
    again = await api.post(f"{path}/deliveries/{sent['id']}/resend")
    assert (again.status_code, again.json()["webhook_id"]) == (202, sent["webhook_id"])
    other = f"/webhooks/{(await add(api))['id']}/deliveries/{sent['id']}"
    assert (await api.get(other)).status_code == 404
    assert (await api.post(f"{other}/resend")).status_code == 404


async def test_new_webhook_can_begin_at_an_old_position(
    api: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    await mailroom.spool(b"Subject: swordfish\r\n\r\nHello\r\n")
    await mailroom.take_in()
    path = f"/webhooks/{(await add(api, after=0))['id']}"
    while await mailroom.services.webhook_replays.advance():
        pass
    (delivery,) = (await api.get(f"{path}/deliveries")).json()["items"]
    assert delivery["type"] == "ingest.received"
    (replay,) = (await api.get(f"{path}/replays")).json()["items"]
    assert (replay["deliveries"], replay["position"]) == (1, replay["to_position"])
    text = (await api.get(f"{path}/deliveries/{delivery['id']}")).text
    for hidden in ("swordfish", "Hello", mailroom.mailbox.address, "sender@example.org"):
        assert hidden not in text
    nothing = await api.post(f"{path}/replay", json={"after": 10**9})
    assert nothing.status_code == 400
