"""What holds for all reads of the API: entity tags, limits, problems, and no cookies."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from application import serving
from clocks import MovableClock
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.access.permissions import SCOPES
from app.assembly import assemble
from app.main import web_application
from app.settings import Settings


@pytest.fixture
async def headers(mailroom: Mailroom) -> dict[str, str]:
    key = await mailroom.services.keys.create(COMMAND_LINE, mailroom.mailbox.tenant_id, SCOPES)
    return {"authorization": f"Bearer {key.key}"}


@pytest.fixture
async def narrow(
    settings: Settings, clock: MovableClock, mailroom: Mailroom
) -> AsyncIterator[httpx.AsyncClient]:
    """An installation where a key may call three times a minute."""
    settings = replace(settings, api_requests_per_minute=3)
    async with serving(web_application(assemble(settings, clock=clock))) as client:
        yield client


async def test_read_is_not_sent_again_when_it_has_not_changed(
    web: httpx.AsyncClient, mailroom: Mailroom, headers: dict[str, str]
) -> None:
    first = await web.get("/api/v1/mailboxes", headers=headers)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await web.get("/api/v1/mailboxes", headers={**headers, "if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    await mailroom.add_mailbox("other@example.test")
    changed = await web.get("/api/v1/mailboxes", headers={**headers, "if-none-match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


async def test_problem_has_no_tag(web: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await web.get("/api/v1/messages?limit=0", headers={**headers, "if-none-match": "*"})
    assert answer.status_code == 400
    assert "etag" not in answer.headers


async def test_mistyped_parameter_is_named_and_not_passed_over(
    web: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await web.get("/api/v1/messages?limt=5&limit=5", headers=headers)
    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    assert fault["parameter"] == "limt"
    assert "cursor, folder" in fault["detail"]
    assert (await web.get("/api/v1/messages?limit=5", headers=headers)).status_code == 200
    assert (await web.get("/api/v1/labels?x=", headers=headers)).status_code == 400
    assert (await web.get("/api/v1/messages?limt=5")).status_code == 401


async def test_parameter_that_is_given_twice_is_refused_unless_it_may_be(
    web: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await web.get("/api/v1/search?q=a&cursor=b&cursor=", headers=headers)
    assert answer.status_code == 400
    (fault,) = answer.json()["errors"]
    assert fault["parameter"] == "cursor"
    query = "type=ingest.received&type=webhook.*"
    assert (await web.get(f"/api/v1/events?{query}", headers=headers)).status_code == 200


async def test_limit_of_a_key_is_told_and_holds(
    narrow: httpx.AsyncClient, mailroom: Mailroom, headers: dict[str, str]
) -> None:
    for left in (2, 1, 0):
        answer = await narrow.get("/api/v1/mailboxes", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == '"requests";q=3;w=60'
        assert answer.headers["ratelimit"].startswith(f'"requests";r={left};t=')
    refused = await narrow.get("/api/v1/mailboxes", headers=headers)
    assert refused.status_code == 429
    assert refused.json()["type"] == "/api/v1/docs#problem-too-many-requests"
    assert 0 < int(refused.headers["retry-after"]) <= 61
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    other = await mailroom.services.keys.create(COMMAND_LINE, mailroom.mailbox.tenant_id, SCOPES)
    headers = {"authorization": f"Bearer {other.key}"}
    assert (await narrow.get("/api/v1/mailboxes", headers=headers)).status_code == 200


async def test_refused_call_tells_its_limit_too(
    web: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for path in ("/api/v1/messages?limit=0", "/api/v1/messages"):
        assert "ratelimit" in (await web.get(path, headers=headers)).headers
    assert "ratelimit" not in (await web.get("/api/v1/messages")).headers


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/api/v1/messages/not-an-id", "/api/v1/a/b/c", "/api/v2"]
)
async def test_unknown_address_is_a_problem_and_not_a_page(
    web: httpx.AsyncClient, headers: dict[str, str], path: str
) -> None:
    answer = await web.get(path, headers=headers)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["type"] == "/api/v1/docs#problem-not-found"


async def test_method_that_is_not_answered_is_a_problem_that_names_those_that_are(
    web: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await web.put("/api/v1/messages", headers=headers)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "OPTIONS"}


async def test_list_of_mailboxes_goes_on_after_its_cursor(
    web: httpx.AsyncClient, mailroom: Mailroom, headers: dict[str, str]
) -> None:
    for number in range(4):
        await mailroom.add_mailbox(f"a{number}@example.test")
    await mailroom.add_mailbox("*@example.test")
    seen: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = (await web.get("/api/v1/mailboxes", params=query, headers=headers)).json()
        seen += [each["address"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    expected = ["@", "a0@", "a1@", "a2@", "a3@", "box@"]
    assert seen == [f"{each}example.test" for each in expected]
    query = {"q": "A2"}
    page = (await web.get("/api/v1/mailboxes", params=query, headers=headers)).json()
    assert [each["address"] for each in page["items"]] == ["a2@example.test"]


async def test_key_for_a_mailbox_sees_no_other_and_makes_none(
    web: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    other = await mailroom.add_mailbox("other@example.test")
    tenant_id = mailroom.mailbox.tenant_id
    scopes = ["mailboxes:read", "mailboxes:write", "messages:read", "messages:write"]
    key = await mailroom.services.keys.create(
        COMMAND_LINE, tenant_id, scopes, mailbox_ids=[other.id]
    )
    headers = {"authorization": f"Bearer {key.key}"}
    listed = (await web.get("/api/v1/mailboxes", headers=headers)).json()
    assert [each["address"] for each in listed["items"]] == ["other@example.test"]
    hidden = f"/api/v1/mailboxes/{mailroom.mailbox.id}"
    for method in ("GET", "DELETE"):
        assert (await web.request(method, hidden, headers=headers)).status_code == 404
    body = {"address": "third@example.test"}
    refused = await web.post("/api/v1/mailboxes", json=body, headers=headers)
    assert refused.status_code == 403
    assert (await web.get("/api/v1/labels", headers=headers)).status_code == 403
