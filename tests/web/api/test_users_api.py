"""The people of a tenant over the API."""

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


async def test_person_is_invited_changed_and_removed(
    api: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    person = {"email": "Ada@Acme.test", "role": "agent"}
    answer = await api.post("/admin/users", json=person)
    assert answer.status_code == 201
    ada = answer.json()
    assert (ada["email"], ada["role"], ada["last_seen_at"]) == ("ada@acme.test", "agent", None)
    assert (await api.post("/admin/users", json=person)).status_code == 409
    path = f"/admin/users/{ada['id']}"
    assert (await api.patch(path, json={"role": "viewer"})).json() == {**ada, "role": "viewer"}
    assert (await api.get("/admin/users?q=ada")).json()["items"] == [{**ada, "role": "viewer"}]
    assert (await api.delete(path)).status_code == 204
    assert (await api.get(path)).status_code == 404


async def test_key_makes_and_changes_no_owner(api: httpx.AsyncClient, mailroom: Mailroom) -> None:
    tenant_id = mailroom.mailbox.tenant_id
    owner = await mailroom.services.users.add("owner@example.test", tenant_id, "owner")
    made = await api.post("/admin/users", json={"email": "b@example.test", "role": "owner"})
    lowered = await api.patch(f"/admin/users/{owner.id}", json={"role": "viewer"})
    removed = await api.delete(f"/admin/users/{owner.id}")
    assert [made.status_code, lowered.status_code, removed.status_code] == [403, 403, 403]
    assert (await api.get(f"/admin/users/{owner.id}")).json()["role"] == "owner"


async def test_what_is_no_address_or_no_role_is_refused(api: httpx.AsyncClient) -> None:
    for person in ({"email": "nobody", "role": "agent"}, {"email": "a@b.test", "role": "king"}):
        assert (await api.post("/admin/users", json=person)).status_code == 400
