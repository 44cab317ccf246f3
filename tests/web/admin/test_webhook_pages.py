"""Webhooks, as an administrator adds, watches and removes them."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from administrator import Administrator, sign_in
from http_host import Host, hosting

from app.assembly import Services
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.settings import Networks

LIST = "/admin/webhooks"


@pytest.fixture
async def owner(services: Services, web: httpx.AsyncClient) -> Administrator:
    tenant = await services.tenants.create("Acme", "developer")
    await services.domains.add("acme.test", tenant.id, vouched=True)
    return await sign_in(services, web, tenant)


@pytest.fixture
async def receiver() -> AsyncIterator[Host]:
    async with hosting(b"HTTP/1.1 204 No Content\r\nx-seen: <b>yes</b>\r\n\r\n") as host:
        yield host


def secret_of(answer: httpx.Response) -> str:
    assert answer.status_code == 201, (answer.status_code, answer.text[-1500:])
    shown = re.findall(r"<code>(whsec_[A-Za-z0-9+/=]{44})</code>", answer.text)
    assert len(shown) == 1
    return str(shown[0])


async def add(owner: Administrator, url: str = "https://hooks.acme.test/in", **fields: Any) -> str:
    """The address of its page."""
    secret_of(await owner.send(f"{LIST}/new", LIST, url=url, **fields))
    links = (await owner.read(LIST)).css("tbody th a")
    return str(links[-1].attributes["href"])


async def deliver(services: Services) -> None:
    """What is due, also to this machine."""
    settings = replace(services.settings, egress_allow=Networks.parse("127.0.0.0/8"))
    await replace(services, settings=settings).webhook_deliverer().deliver_due()


async def tell(services: Services, owner: Administrator, *kinds: EventType) -> None:
    async with services.log.transaction() as transaction:
        for kind in kinds:
            trace_id = services.ids.new()
            subject = ("message", trace_id)
            transaction.tell(
                NewEvent(kind, trace_id=trace_id, subject=subject, tenant_id=owner.tenant.id)
            )


async def test_empty_list_says_what_a_webhook_is_for(owner: Administrator) -> None:
    page = await owner.read(LIST)
    assert "No webhooks yet." in await owner.text(LIST)
    assert page.css_matches("a[href='/api/v1/docs#webhooks']")


async def test_secret_is_shown_once_and_rotated(services: Services, owner: Administrator) -> None:
    made = await owner.send(f"{LIST}/new", LIST, url="https://hooks.acme.test/in")
    secret = secret_of(made)
    assert "standardwebhooks" in made.text
    path = str((await owner.read(LIST)).css_first("tbody th a").attributes["href"])
    for page in (LIST, path, f"{path}/change", f"{path}/rotate", f"{path}/remove"):
        assert secret not in (await owner.web.get(page)).text
    rotated = await owner.send(f"{path}/rotate", f"{path}/rotate", overlap="week")
    assert secret_of(rotated) != secret
    assert "the old one signs too" in rotated.text
    assert "Signs too, until" in await owner.text(path)
    at_once = await owner.send(f"{path}/rotate", f"{path}/rotate", overlap="none")
    assert "does not sign any more" in at_once.text
    assert "Signs too" not in await owner.text(path)
    assert (await owner.send(f"{path}/rotate", f"{path}/rotate", overlap="x")).status_code == 400


async def test_form_takes_what_is_ticked(services: Services, owner: Administrator) -> None:
    box = await services.mailboxes.add("box@acme.test", owner.tenant.id)
    path = await add(
        owner,
        description="Billing",
        types=["ingest.received", "access.*"],
        mailbox_ids=[str(box.id)],
        ordered="yes",
    )
    page = await owner.text(path)
    for words in ("What people and keys change, Mail arrived", "box@acme.test", "Strictly one"):
        assert words in page
    assert "2 kinds of events, one mailbox" in await owner.text(LIST)
    form = await owner.read(f"{path}/change")
    ticked = {each.attributes["value"] for each in form.css("[name=types][checked]")}
    assert ticked == {"ingest.received", "access.*"}
    change = f"{path}/change"
    assert (await owner.send(change, change, types=[], mailbox_ids=[])).status_code == 303
    page = await owner.text(path)
    assert "All events, but what people and keys change" in page
    assert "All of them" in page


async def test_group_stays_a_group_when_something_else_is_changed(
    services: Services, owner: Administrator
) -> None:
    path = await add(owner)
    await services.database.execute("update webhook_endpoint set types = '{message.*}'")
    change = f"{path}/change"
    assert len((await owner.read(change)).css("[name=types][checked]")) > 3
    assert (await owner.send(change, change, description="New name")).status_code == 303
    assert await services.database.fetch_value("select types from webhook_endpoint") == [
        "message.*"
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"url": ""},
        {"url": "ftp://acme.test/"},
        {"url": "javascript:alert(1)"},
        {"description": "x" * 201},
        {"types": ["nothing.such"]},
        {"mailbox_ids": ["nonsense"]},
        {"mailbox_ids": ["00000000-0000-0000-0000-000000000001"]},
        {"others": "nobody@acme.test"},
        {"start": "x"},
        {"start": "missed"},
        {"start": "moment"},
        {"start": "moment", "since": "yesterday"},
        {"start": "position", "position": "-1"},
        {"start": "position", "position": "9" * 19},
    ],
)
async def test_form_says_what_is_wrong_and_adds_nothing(
    owner: Administrator, fields: dict[str, Any]
) -> None:
    answer = await owner.send(
        f"{LIST}/new", LIST, **{"url": "https://hooks.acme.test/", "description": "kept"} | fields
    )
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "whsec_" not in answer.text
    assert "No webhooks yet." in await owner.text(LIST)


async def test_new_one_begins_with_older_events(services: Services, owner: Administrator) -> None:
    await tell(services, owner, EventType.MESSAGE_UPDATED, EventType.INDEXER_INDEXED)
    path = await add(owner, start="position", position="0", types=["indexer.indexed"])
    assert await services.webhook_replays.advance()
    page = await owner.text(path)
    assert "1 event sent" in page
    assert "Made searchable" in page
    assert "Message changed" not in page


async def test_test_shows_what_was_sent_and_answered(
    services: Services, owner: Administrator, receiver: Host
) -> None:
    path = await add(owner, f"http://127.0.0.1:{receiver.port}/in")
    sent = (await owner.send(path, f"{path}/test")).headers["location"]
    assert "Waiting" in await owner.text(sent)
    await deliver(services)
    page = await owner.text(sent)
    for words in ("Delivered", "204 Taken", "x-seen: <b>yes</b>", "webhook.test"):
        assert words in page
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    assert body.decode() in page
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert headers["webhook-id"] in page
    assert headers["webhook-timestamp"] in page
    assert headers["webhook-signature"] not in page
    assert "Delivered" in await owner.text(path)


async def test_failure_is_told_and_what_failed_is_sent_again(
    services: Services, owner: Administrator, receiver: Host
) -> None:
    receiver.answer = b"HTTP/1.1 500 Oops\r\n\r\n"
    await tell(services, owner, EventType.INGEST_RECEIVED)
    path = await add(
        owner, f"http://127.0.0.1:{receiver.port}/in", start="all", types="ingest.received"
    )
    await services.webhook_replays.advance()
    await deliver(services)
    assert "500 Server error" in await owner.text(path)
    assert "Failing" in await owner.text(LIST)
    delivery = (await owner.read(path)).css_first("a[href*='/deliveries/']").attributes["href"]
    assert "Next try" in await owner.text(str(delivery))
    receiver.answer = b"HTTP/1.1 200 OK\r\n\r\n"
    resent = await owner.send(str(delivery), f"{delivery}/resend")
    assert resent.headers["location"] == f"{delivery}?done=resent"
    await deliver(services)
    page = await owner.text(str(delivery))
    assert "Delivered" in page
    assert page.index("500 Server error") < page.index("200 Taken")
    assert (
        receiver.requests[0].partition(b"webhook-id: ")[2][:36]
        == (receiver.requests[1].partition(b"webhook-id: ")[2][:36])
    )


async def test_log_is_filtered_and_walked(services: Services, owner: Administrator) -> None:
    path = await add(owner)
    await tell(services, owner, *[EventType.MESSAGE_UPDATED] * 60)
    await owner.send(f"{path}/replay", f"{path}/replay", start="all")
    await services.webhook_replays.advance()
    first = await owner.read(f"{path}?state=pending")
    more = first.css_first("#more-rows a")
    assert more
    rest = await owner.web.get(str(more.attributes["hx-get"]), headers={"hx-request": "true"})
    assert "<main" not in rest.text
    shown = [len(re.findall("/deliveries/", html)) for html in (first.html or "", rest.text)]
    assert shown[0] == 50
    assert shown[1] >= 10
    assert "None like that." in await owner.text(f"{path}?state=failed")
    assert (await owner.web.get(f"{path}?state=x")).status_code == 400


async def test_switched_off_one_sends_nothing_until_it_is_on_again(
    services: Services, owner: Administrator
) -> None:
    path = await add(owner)
    await owner.send(path, f"{path}/switch-off")
    page = await owner.read(path)
    assert "Switched off" in await owner.text(path)
    assert not page.css(f"form[action='{path}/test']")
    csrf = page.css_first("[name=csrf_token]").attributes["value"]
    assert (
        await owner.web.post(f"{path}/test", data={"csrf_token": csrf or ""})
    ).status_code == 400
    await tell(services, owner, EventType.MESSAGE_UPDATED)
    await owner.send(path, f"{path}/switch-on")
    assert "On" in await owner.text(LIST)
    replay = f"{path}/replay"
    form = await owner.read(replay)
    assert form.css_matches("[name=start][value=missed][checked]")
    assert (await owner.send(replay, replay)).headers["location"] == f"{path}?done=replaying"
    await services.webhook_replays.advance()
    assert "Message changed" in await owner.text(path)


@pytest.mark.parametrize(
    ("reason", "words"), [("gone", "it wants no more"), ("failing", "kept failing")]
)
async def test_page_says_why_it_was_switched_off(
    services: Services, owner: Administrator, reason: str, words: str
) -> None:
    path = await add(owner)
    await services.database.execute(
        """update webhook_endpoint set state = 'disabled', disabled_reason = $1,
            disabled_at = now(), disabled_position = 0""",
        reason,
    )
    assert words in await owner.text(path)
    assert "Switched off" in await owner.text(LIST)


async def test_chart_counts_the_days_of_the_events(
    services: Services, owner: Administrator
) -> None:
    path = await add(owner)
    await tell(services, owner, EventType.MESSAGE_UPDATED, EventType.MESSAGE_DELETED)
    await owner.send(f"{path}/replay", f"{path}/replay", start="all")
    await services.webhook_replays.advance()
    await services.database.execute(
        """update webhook_delivery set state = 'failed', finished_at = now()
        where type = 'message.deleted'"""
    )
    chart = (await owner.read(path)).css_first(".chart tbody tr")
    assert chart
    numbers = [int(cell.text()) for cell in chart.css("td")]
    assert numbers[-1] == 1
    assert sum(numbers) >= 2


async def test_webhook_is_removed_after_a_question(
    services: Services, owner: Administrator
) -> None:
    path = await add(owner)
    assert "hooks.acme.test" in await owner.text(f"{path}/remove")
    removed = await owner.send(f"{path}/remove", f"{path}/remove")
    assert removed.headers["location"] == f"{LIST}?done=removed"
    assert "No webhooks yet." in await owner.text(LIST)
    assert (await owner.web.get(path)).status_code == 404
    assert "Removed a webhook" in await owner.text("/admin/audit")
