"""A key for domain=A and mailbox=foo reads foo@A, and nothing else by any way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE, Grant
from app.access.permissions import SCOPES
from app.webhooks.endpoints import Wish
from app.webhooks.replays import Range

ADDRESSES = ("foo@a.test", "bar@a.test", "foo@b.test", "@a.test")


@dataclass
class Holder:
    """Who holds the limited key. `messages` has one message of each mailbox by its address."""

    web: httpx.AsyncClient
    mailroom: Mailroom
    headers: Mapping[str, str]
    messages: Mapping[str, UUID]

    async def get(self, path: str, **query: str) -> httpx.Response:
        return await self.web.get(f"/api/v1{path}", params=query, headers=dict(self.headers))

    async def post(self, path: str, content: object) -> httpx.Response:
        return await self.web.post(f"/api/v1{path}", json=content, headers=dict(self.headers))

    async def patch(self, path: str, content: object) -> httpx.Response:
        return await self.web.patch(f"/api/v1{path}", json=content, headers=dict(self.headers))

    async def mailboxes_in(self, path: str, **query: str) -> set[str]:
        answer = await self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return {item["mailbox"] for item in answer.json()["items"]}

    async def link_of_another(self, address: str) -> str:
        """A raw link that a key for everything was given."""
        tenant_id = self.mailroom.mailbox.tenant_id
        minted = await self.mailroom.services.keys.create(COMMAND_LINE, tenant_id)
        answer = await self.web.get(
            f"/api/v1/messages/{self.messages[address]}/raw",
            headers={"authorization": f"Bearer {minted.key}"},
        )
        assert answer.status_code == 303
        return answer.headers["location"]


@pytest.fixture
async def holder(mailroom: Mailroom, web: httpx.AsyncClient) -> Holder:
    services, tenant_id = mailroom.services, mailroom.mailbox.tenant_id
    for name in ("a.test", "b.test"):
        await services.domains.add(name, tenant_id, vouched=True)
    messages, mailboxes = {}, {}
    for address in ADDRESSES:
        is_catch_all = address.startswith("@")
        mailbox = await mailroom.add_mailbox(f"*{address}" if is_catch_all else address)
        mailboxes[address] = mailbox
        recipient = f"anybody{address}" if is_catch_all else address
        head = f"From: x@example.org\r\nSubject: needle\r\nMessage-ID: <{address}@x>\r\n\r\n"
        await mailroom.spool(f"{head}needle {address}\r\n".encode(), recipient)
        await mailroom.take_in()
        messages[address] = (await mailroom.rows(mailbox))[0].id
    indexer = services.indexer()
    await indexer.handle(await mailroom.events(*indexer.types))
    domain = await services.domains.find_receiving("a.test")
    minted = await services.keys.create(
        COMMAND_LINE,
        tenant_id,
        domain_ids=[domain.id],
        mailbox_ids=[mailboxes["foo@a.test"].id, mailboxes["foo@b.test"].id],
    )
    return Holder(web, mailroom, {"authorization": f"Bearer {minted.key}"}, messages)


async def test_lists_and_search_show_its_mailbox_alone(holder: Holder) -> None:
    assert await holder.mailboxes_in("/messages") == {"foo@a.test"}
    for query in ("needle", "in:anywhere", "mailbox:bar@a.test OR needle", "-nothing"):
        assert await holder.mailboxes_in("/search", q=query) <= {"foo@a.test"}
    assert await holder.mailboxes_in("/search", q="needle") == {"foo@a.test"}
    wanted: Sequence[tuple[str, dict[str, str]]] = (("/messages", {}), ("/search", {"q": "needle"}))
    for path, query in wanted:
        found = await holder.mailboxes_in(path, mailbox="foo@a.test", **query)
        assert found == {"foo@a.test"}
        for address in (*ADDRESSES[1:], "nobody@a.test"):
            answer = await holder.get(path, mailbox=address, **query)
            assert answer.status_code == 404


async def test_message_and_its_raw_form_are_there_for_its_mailbox_alone(holder: Holder) -> None:
    for address, message_id in holder.messages.items():
        expected = (200, 303) if address == "foo@a.test" else (404, 404)
        answers = [await holder.get(f"/messages/{message_id}{rest}") for rest in ("", "/raw")]
        assert tuple(answer.status_code for answer in answers) == expected, address


async def test_events_are_its_mailboxs_alone(holder: Holder) -> None:
    own = {str(holder.messages["foo@a.test"])}
    events = (await holder.get("/events", limit="200")).json()["items"]
    assert {event["subject_id"] for event in events if event["subject_type"] == "message"} == own
    assert len({event["mailbox_id"] for event in events}) == 1
    everything = await holder.mailroom.events()
    assert not {event["type"] for event in events} & {"access.key_created", "domain.verified"}
    assert len(events) < len(everything)


async def test_raw_link_of_another_gives_its_holder_no_more_than_the_key(holder: Holder) -> None:
    own = await holder.link_of_another("foo@a.test")
    assert (await holder.web.get(own, headers=dict(holder.headers))).status_code == 200
    for address in ADDRESSES[1:]:
        link = await holder.link_of_another(address)
        answer = await holder.web.get(link, headers=dict(holder.headers))
        assert answer.status_code == 404
        assert "needle" not in answer.text
        assert (await holder.web.get(link)).status_code == 200


async def test_raw_link_is_no_way_in_for_a_revoked_key(holder: Holder) -> None:
    link = await holder.link_of_another("foo@a.test")
    await holder.mailroom.services.database.execute("update api_key set revoked_at = now()")
    answer = await holder.web.get(link, headers=dict(holder.headers))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


async def test_raw_link_of_one_message_is_none_of_another(holder: Holder) -> None:
    own, other = [await holder.link_of_another(name) for name in ("foo@a.test", "bar@a.test")]
    mixed = ".".join([other.rsplit(".", 2)[0], *own.rsplit(".", 2)[1:]])
    assert own != mixed != other
    for link in (mixed, own[:-2], f"{own}x"):
        assert (await holder.web.get(link)).status_code == 404


async def test_webhooks_tell_of_its_mailbox_alone(holder: Holder) -> None:
    services, tenant_id = holder.mailroom.services, holder.mailroom.mailbox.tenant_id
    others = Grant(COMMAND_LINE, tenant_id, SCOPES)
    wide = await services.webhook_endpoints.add(others, Wish(url="https://wide.example/"))
    hook = {"url": "https://hooks.example/", "types": ["ingest.received", "access.*"], "after": 0}
    assert (await holder.post("/webhooks", hook)).status_code == 403
    for address in (*ADDRESSES[1:], "nobody@a.test"):
        mailboxes = ["foo@a.test", address]
        assert (await holder.post("/webhooks", {**hook, "mailboxes": mailboxes})).status_code == 404
    added = await holder.post("/webhooks", {**hook, "mailboxes": ["foo@a.test"]})
    assert added.status_code == 201
    while await services.webhook_replays.advance():
        pass
    path = f"/webhooks/{added.json()['id']}"
    assert [item["id"] for item in (await holder.get("/webhooks")).json()["items"]] == [
        added.json()["id"]
    ]
    told = (await holder.get(f"{path}/deliveries")).json()["items"]
    (delivery,) = told
    shown = (await holder.get(f"{path}/deliveries/{delivery['id']}")).json()
    assert shown["payload"]["data"]["subject_id"] == str(holder.messages["foo@a.test"])
    for change in ({"mailboxes": []}, {"mailboxes": ["bar@a.test"]}):
        answer = await holder.patch(path, change)
        assert answer.status_code in (403, 404)
    for beyond in ("", "/deliveries", "/replays"):
        assert (await holder.get(f"/webhooks/{wide.endpoint.id}{beyond}")).status_code == 404
    for verb in ("test", "replay", "rotate-secret"):
        answer = await holder.post(f"/webhooks/{wide.endpoint.id}/{verb}", {})
        assert answer.status_code == 404


async def test_webhook_that_had_more_mailboxes_shows_no_more_of_them(holder: Holder) -> None:
    services, tenant_id = holder.mailroom.services, holder.mailroom.mailbox.tenant_id
    others = Grant(COMMAND_LINE, tenant_id, SCOPES)
    wish = Wish(url="https://hooks.example/", types=["ingest.received"])
    endpoint = (await services.webhook_endpoints.add(others, wish)).endpoint
    await services.webhook_replays.start(others, endpoint.id, Range())
    while await services.webhook_replays.advance():
        pass
    mine = await services.mailboxes.find("foo@a.test", tenant_id)
    await services.webhook_endpoints.change(others, endpoint.id, Wish(mailbox_ids=[mine.id]))
    path = f"/webhooks/{endpoint.id}/deliveries"
    told = (await holder.get(path)).json()["items"]
    assert [item["mailbox_id"] for item in told] == [str(mine.id)]
    every = await services.webhook_deliveries.list(others, endpoint.id)
    hidden = [row.id for row in every.rows if row.mailbox_id != mine.id]
    assert len(hidden) == len(ADDRESSES) - 1
    for delivery_id in hidden:
        assert (await holder.get(f"{path}/{delivery_id}")).status_code == 404
