"""Domains over the API."""

import httpx
import pytest
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.access.permissions import SCOPES


@pytest.fixture
async def api(web: httpx.AsyncClient, mailroom: Mailroom) -> httpx.AsyncClient:
    minted = await mailroom.services.keys.create(COMMAND_LINE, mailroom.mailbox.tenant_id, SCOPES)
    web.headers["authorization"] = f"Bearer {minted.key}"
    web.base_url = "http://pillarbox.test/api/v1"
    return web


async def test_domain_is_added_pending_changed_and_removed(
    api: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    answer = await api.post("/domains", json={"name": "New.Test"})
    assert answer.status_code == 201
    added = answer.json()
    assert (added["name"], added["status"], added["monitored"]) == ("new.test", "pending", True)
    assert (await api.post("/domains", json={"name": "new.test"})).status_code == 409
    names = [item["name"] for item in (await api.get("/domains")).json()["items"]]
    assert names == ["example.test", "new.test"]
    path = f"/domains/{added['id']}"
    changed = await api.patch(path, json={"recipient_policy": "accept_and_discard"})
    assert changed.json() == {**added, "recipient_policy": "accept_and_discard"}
    assert (await api.get(path)).json() == changed.json()
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404
    audit = (await api.get("/admin/audit")).json()["items"]
    assert [entry["action"] for entry in audit][:3] == [
        "access.domain_removed",
        "access.domain_changed",
        "access.domain_added",
    ]


async def test_domain_with_mailboxes_stays(api: httpx.AsyncClient, mailroom: Mailroom) -> None:
    (domain,) = (await api.get("/domains")).json()["items"]
    refused = await api.delete(f"/domains/{domain['id']}")
    assert refused.status_code == 409
    assert refused.json()["type"] == "/api/v1/docs#problem-in-use"
    assert (await api.get(f"/domains/{domain['id']}")).json() == domain


async def test_what_is_no_domain_or_no_policy_is_refused(api: httpx.AsyncClient) -> None:
    assert (await api.post("/domains", json={"name": "no name"})).status_code == 400
    (domain,) = (await api.get("/domains")).json()["items"]
    wrong = await api.patch(f"/domains/{domain['id']}", json={"recipient_policy": "whatever"})
    assert wrong.status_code == 400


async def test_key_limited_to_a_domain_adds_none_and_sees_no_other(
    web: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    services, tenant_id = mailroom.services, mailroom.mailbox.tenant_id
    mine = await services.domains.find_receiving("example.test")
    other = await services.domains.add("other.test", tenant_id, vouched=True)
    scopes = ["domains:read", "domains:write"]
    minted = await services.keys.create(COMMAND_LINE, tenant_id, scopes, domain_ids=[mine.id])
    web.headers["authorization"] = f"Bearer {minted.key}"
    names = [item["name"] for item in (await web.get("/api/v1/domains")).json()["items"]]
    assert names == ["example.test"]
    assert (await web.get(f"/api/v1/domains/{other.id}")).status_code == 404
    assert (await web.delete(f"/api/v1/domains/{other.id}")).status_code == 404
    assert (await web.post("/api/v1/domains", json={"name": "third.test"})).status_code == 403
