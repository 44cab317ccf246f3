"""The records of domains over the API, and checks of them."""

import httpx
import pytest
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.directory.domains import Domain


@pytest.fixture
async def domain(mailroom: Mailroom) -> Domain:
    return await mailroom.services.domains.find_receiving("example.test")


async def bearer(mailroom: Mailroom, *scopes: str, **limits: object) -> dict[str, str]:
    keys, tenant_id = mailroom.services.keys, mailroom.mailbox.tenant_id
    minted = await keys.create(COMMAND_LINE, tenant_id, scopes, **limits)  # type: ignore[arg-type]
    return {"authorization": f"Bearer {minted.key}"}


async def test_records_have_their_state_once_they_were_looked_for(
    web: httpx.AsyncClient, mailroom: Mailroom, domain: Domain
) -> None:
    headers = await bearer(mailroom, "domains:read", "domains:write")
    path = f"/api/v1/domains/{domain.id}"
    first = (await web.get(f"{path}/records", headers=headers)).json()
    assert first["next_cursor"] is None
    ownership = first["items"][0]
    assert ownership["value"] == f"pillarbox-verification={domain.verification_token}"
    assert (ownership["required"], ownership["state"]) == (True, None)
    check = (await web.post(f"{path}/check", headers=headers)).json()
    assert (check["status"], check["changes"], check["times"]) == ("verified", [], 1)
    second = (await web.get(f"{path}/records", headers=headers)).json()
    assert {item["state"] for item in second["items"]} <= {"missing", "unknown"}
    (kept,) = (await web.get(f"{path}/checks", headers=headers)).json()["items"]
    assert kept["sightings"] == check["sightings"]


async def test_key_needs_the_scope_and_the_domain(
    web: httpx.AsyncClient, mailroom: Mailroom, domain: Domain
) -> None:
    services = mailroom.services
    path = f"/api/v1/domains/{domain.id}"
    reading = await bearer(mailroom, "domains:read")
    assert (await web.post(f"{path}/check", headers=reading)).status_code == 403
    assert (
        await web.get(path + "/records", headers=await bearer(mailroom, "events:read"))
    ).status_code == 403
    other = await services.domains.add("other.test", domain.tenant_id, vouched=True)
    limited = await bearer(mailroom, "domains:read", domain_ids=[other.id])
    assert (await web.get(f"{path}/records", headers=limited)).status_code == 404
    assert (
        await web.get(f"/api/v1/domains/{other.id}/records", headers=limited)
    ).status_code == 200
    stranger = await services.tenants.create("Stranger", "developer")
    scopes = ["domains:read", "domains:write"]
    minted = await services.keys.create(COMMAND_LINE, stranger.id, scopes)
    theirs = {"authorization": f"Bearer {minted.key}"}
    assert (await web.get(f"{path}/checks", headers=theirs)).status_code == 404
    assert (await web.post(f"{path}/check", headers=theirs)).status_code == 404
