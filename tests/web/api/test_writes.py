"""Writes over the API: whole, once, and told in full."""

import asyncio
import re
from uuid import uuid4

import httpx
import pytest
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.access.permissions import SCOPES

BOX = {"address": "new@example.test"}


@pytest.fixture
async def key(mailroom: Mailroom) -> str:
    keys, tenant_id = mailroom.services.keys, mailroom.mailbox.tenant_id
    return (await keys.create(COMMAND_LINE, tenant_id, SCOPES)).key


@pytest.fixture
def api(web: httpx.AsyncClient, key: str) -> httpx.AsyncClient:
    web.headers["authorization"] = f"Bearer {key}"
    web.base_url = "http://pillarbox.test/api/v1"
    return web


async def test_write_is_carried_out_once_when_it_is_sent_twice(
    api: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    headers = {"idempotency-key": str(uuid4())}
    first = await api.post("/mailboxes", json=BOX, headers=headers)
    again = await api.post("/mailboxes", json=BOX, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(await mailroom.events("mailbox.created")) == 2
    without = await api.post("/mailboxes", json=BOX)
    assert without.status_code == 409
    assert without.json()["type"] == "/api/v1/docs#problem-already-exists"


async def test_key_for_another_body_is_refused(api: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "same"}
    assert (await api.post("/mailboxes", json=BOX, headers=headers)).status_code == 201
    other = {"address": "other@example.test"}
    refused = await api.post("/mailboxes", json=other, headers=headers)
    assert refused.status_code == 422
    assert refused.json()["type"] == "/api/v1/docs#problem-idempotency-key-reused"
    assert len((await api.get("/mailboxes")).json()["items"]) == 2


async def test_refused_write_may_be_sent_again_with_its_key(api: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "same"}
    wrong = await api.post("/mailboxes", json={"address": "x@nowhere.test"}, headers=headers)
    assert wrong.status_code == 404
    assert (await api.post("/mailboxes", json=BOX, headers=headers)).status_code == 201


async def test_many_at_once_make_one(api: httpx.AsyncClient, mailroom: Mailroom) -> None:
    headers = {"idempotency-key": "same"}
    answers = await asyncio.gather(
        *(api.post("/mailboxes", json=BOX, headers=headers) for _ in range(6))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.text for answer in answers if answer.status_code == 201}) == 1
    assert len(await mailroom.events("mailbox.created")) == 2


async def test_another_api_key_is_not_told_the_answer(
    api: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    headers = {"idempotency-key": "same"}
    await api.post("/mailboxes", json=BOX, headers=headers)
    other = await mailroom.services.keys.create(COMMAND_LINE, mailroom.mailbox.tenant_id, SCOPES)
    again = await api.post(
        "/mailboxes", json=BOX, headers={**headers, "authorization": f"Bearer {other.key}"}
    )
    assert again.status_code == 409
    assert again.json()["type"] == "/api/v1/docs#problem-idempotency-key-taken"


@pytest.mark.parametrize("name", ["", "with space", "x" * 256, "é"])
async def test_key_of_a_bad_form_is_refused(api: httpx.AsyncClient, name: str) -> None:
    headers = [(b"idempotency-key", name.encode())]
    answer = await api.post("/mailboxes", json=BOX, headers=headers)
    assert answer.status_code == 400


async def test_change_of_a_message_is_all_or_nothing(
    api: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    await mailroom.spool(b"From: a@example.org\r\nSubject: hello\r\n\r\nHi\r\n")
    await mailroom.take_in()
    found = (await api.get("/messages")).json()["items"][0]
    url = f"/messages/{found['id']}"
    wrong = {"is_read": True, "folder": "archive", "add_labels": [str(uuid4())]}
    assert (await api.patch(url, json=wrong)).status_code == 404
    assert not (await api.get(url)).json()["is_read"]
    label = (await api.post("/labels", json={"name": "Bills"})).json()
    right = {**wrong, "is_starred": True, "add_labels": [label["id"]]}
    changed = (await api.patch(url, json=right)).json()
    assert (changed["is_read"], changed["is_starred"], changed["folder"]) == (True, True, "archive")
    assert [each["name"] for each in changed["labels"]] == ["Bills"]
    assert changed == (await api.get(url)).json()
    steps = await mailroom.services.database.fetch_value("select count(*) from undo_step")
    assert steps == 0
    assert len(await mailroom.events("message.updated")) == 4


async def test_deleted_message_lies_in_the_trash(
    api: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    await mailroom.spool(b"From: a@example.org\r\nSubject: hello\r\n\r\nHi\r\n")
    await mailroom.take_in()
    found = (await api.get("/messages")).json()["items"][0]
    url = f"/messages/{found['id']}"
    for _ in range(2):
        answer = await api.delete(url)
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await api.get(url)).json()["folder"] == "trash"
    in_inbox = await api.get("/messages", params={"folder": "inbox"})
    assert in_inbox.json()["items"] == []
    assert (await api.delete(f"/messages/{uuid4()}")).status_code == 404


async def test_deleted_mailbox_receives_no_more_and_goes_with_its_mail(
    api: httpx.AsyncClient, mailroom: Mailroom
) -> None:
    await mailroom.spool(b"From: a@example.org\r\nSubject: hello\r\n\r\nHi\r\n")
    await mailroom.take_in()
    url = f"/mailboxes/{mailroom.mailbox.id}"
    assert (await api.delete(url)).status_code == 204
    assert (await api.delete(url)).status_code == 404
    assert (await api.get("/mailboxes")).json()["items"] == []
    await mailroom.services.removal.remove_expired_mailboxes()
    assert (await api.get("/messages")).json()["items"] == []
    assert (await api.get(url)).status_code == 404


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, {"pointer": "/address"}),
        ({"address": 3}, {"pointer": "/address"}),
        ({"address": "x@example.test", "more": 1}, {"pointer": "/more"}),
    ],
)
async def test_problem_names_the_part_of_the_body_that_is_wrong(
    api: httpx.AsyncClient, body: dict[str, object], fault: dict[str, str]
) -> None:
    answer = await api.post("/mailboxes", json=body)
    assert answer.status_code == 400
    (found,) = answer.json()["errors"]
    assert fault.items() <= found.items()


async def test_problem_names_the_parameter_that_is_wrong(api: httpx.AsyncClient) -> None:
    answer = await api.get("/messages", params={"limit": "many"})
    assert [each["parameter"] for each in answer.json()["errors"]] == ["limit"]


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"address": "a\\u0000@example.test"}'])
async def test_body_that_is_no_text_is_refused(api: httpx.AsyncClient, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await api.post("/mailboxes", content=content, headers=headers)
    assert answer.status_code == 400


async def test_body_that_is_too_large_is_refused(api: httpx.AsyncClient) -> None:
    answer = await api.post("/mailboxes", json={"address": "x" * 1_100_000})
    assert answer.status_code == 413
    assert answer.json()["type"] == "/api/v1/docs#problem-too-large"


async def test_new_key_is_shown_once_and_works_as_far_as_it_may(api: httpx.AsyncClient) -> None:
    headers = {"idempotency-key": "a-key"}
    made = await api.post("/admin/keys", json={"name": "build"}, headers=headers)
    assert made.status_code == 201
    new = made.json()
    assert len(new["key"]) == 64
    assert new["key"].startswith(new["prefix"])
    assert "admin" not in new["scopes"]
    bearer = {"authorization": f"Bearer {new['key']}"}
    assert (await api.get("/mailboxes", headers=bearer)).status_code == 200
    assert (await api.get("/admin/keys", headers=bearer)).status_code == 403
    listed = await api.get("/admin/keys")
    assert new["key"] not in listed.text
    assert listed.json()["items"][0]["name"] == "build"
    again = await api.post("/admin/keys", json={"name": "build"}, headers=headers)
    assert again.json() == new


async def test_revoked_key_works_no_more_and_a_rotated_one_for_a_while(
    api: httpx.AsyncClient,
) -> None:
    old = (await api.post("/admin/keys", json={"name": "build"})).json()
    rotated = await api.post(f"/admin/keys/{old['id']}/rotate", json={"overlap_seconds": 60})
    new = rotated.json()
    assert new["scopes"] == old["scopes"]
    for key in (old, new):
        bearer = {"authorization": f"Bearer {key['key']}"}
        assert (await api.get("/mailboxes", headers=bearer)).status_code == 200
    revoked = await api.post(f"/admin/keys/{new['id']}/revoke")
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    bearer = {"authorization": f"Bearer {new['key']}"}
    assert (await api.get("/mailboxes", headers=bearer)).status_code == 401
    trail = (await api.get("/admin/audit", params={"what": "access.key_"})).json()["items"]
    assert [each["action"] for each in trail][:2] == ["access.key_revoked", "access.key_created"]
    assert trail[0]["actor"]["kind"] == "key"


async def test_totals_are_of_the_tenant_and_of_the_hours(api: httpx.AsyncClient) -> None:
    totals = (await api.get("/admin/metrics", params={"hours": 24})).json()
    assert totals["events"]["mailbox.created"] == 1
    everybodys = await api.get("/metrics", headers={"authorization": ""})
    assert everybodys.json() == {"messages": 0, "mailboxes": 1, "domains": 1}


async def test_mailbox_made_and_removed_stands_in_the_audit_trail(api: httpx.AsyncClient) -> None:
    made = (await api.post("/mailboxes", json=BOX)).json()
    assert (await api.delete(f"/mailboxes/{made['id']}")).status_code == 204
    entries = (await api.get("/admin/audit")).json()["items"]
    assert [entry["action"] for entry in entries[:2]] == [
        "access.mailbox_removed",
        "access.mailbox_added",
    ]


async def test_wrong_field_is_named_whatever_it_is_called(api: httpx.AsyncClient) -> None:
    description = (await api.get("/openapi.json")).json()
    schemas = description["components"]["schemas"]
    tried = set()
    for path, item in description["paths"].items():
        for method, operation in item.items():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                name = re.search(r"schemas/(\w+)", str(media["schema"]))
                assert name
                for field in schemas[name[1]]["properties"]:
                    body = {**media["example"], field: {"x": {}}}
                    address = re.sub(r"\{\w+\}", str(uuid4()), path.removeprefix("/api/v1"))
                    answer = await api.request(method, address, json=body)
                    assert answer.status_code == 400, f"{method} {path}: {field}"
                    (fault,) = answer.json()["errors"]
                    assert fault["pointer"] == f"/{field}", f"{method} {path}"
                    tried.add(field)
    assert {"address", "description"} <= tried
