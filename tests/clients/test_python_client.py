"""The Python client, against the real application over HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from mailroom import PREFIX, Mailroom
from pillarbox_client import ConnectionFailed, Pillarbox, Problem
from web_process import serving_process

from app.access.grants import COMMAND_LINE
from app.access.permissions import SCOPES
from app.settings import Settings

MAIL = (
    b"From: ada@example.org\r\nSubject: %d\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nHi\r\n--b\r\n'
    b"Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\n"
    b"%%PDF\r\n--b--\r\n"
)


@pytest.fixture
async def key(mailroom: Mailroom) -> str:
    for number in range(120):
        await mailroom.spool(MAIL % number)
    await mailroom.take_in()
    tenant_id = mailroom.mailbox.tenant_id
    return (await mailroom.services.keys.create(COMMAND_LINE, tenant_id, SCOPES)).key


@pytest.fixture
def pillarbox(settings: Settings, key: str) -> Iterator[Pillarbox]:
    with serving_process(settings) as url, Pillarbox(url, key) as client:
        yield client


def test_client_reads_and_changes_what_there_is(pillarbox: Pillarbox) -> None:
    messages = list(pillarbox.messages.list(folder="inbox"))
    assert [message.subject for message in messages] == [str(each) for each in range(119, -1, -1)]
    assert messages[0].sender == "ada@example.org"
    assert messages[0].received_at.tzinfo is not None
    whole = pillarbox.messages.get(messages[0].id)
    assert whole.text.strip() == "Hi"
    assert pillarbox.messages.raw(whole.id) == PREFIX + MAIL % 119
    assert pillarbox.messages.attachment(whole.id, whole.attachments[0].id) == b"%PDF"
    label = pillarbox.labels.ensure("Bills")
    changed = pillarbox.messages.change(whole.id, is_read=True, add_labels=[label.id])
    assert (changed.is_read, list(changed.labels)) == (True, [label])
    assert [each.id for each in pillarbox.messages.list(label_id=label.id)] == [whole.id]
    pillarbox.messages.trash(whole.id)
    assert len(list(pillarbox.messages.search("in:trash"))) == 1
    events = list(pillarbox.events.walk(types=["ingest.*"]))
    assert len(events) == 120
    assert pillarbox.events.read(after=10**9).events == []
    assert pillarbox.events.read(trace_id=whole.trace_id, types=["ingest.received"]).events == [
        event for event in events if event.trace_id == whole.trace_id
    ]
    following = pillarbox.events.follow(after=events[-2].position, types=["ingest.*", "mailbox.*"])
    assert next(following) == events[-1]

    with ThreadPoolExecutor(1) as aside:
        heard = aside.submit(next, following)
        box = pillarbox.mailboxes.create("new@example.test", display_name="New")
        assert (heard.result(60).type, heard.result().subject_id) == ("mailbox.created", box.id)
    assert pillarbox.mailboxes.get(box.id) == box
    assert [each.address for each in pillarbox.mailboxes.list("new")] == ["new@example.test"]
    with pytest.raises(Problem) as refused:
        pillarbox.mailboxes.create("new@example.test")
    assert (refused.value.status, refused.value.kind) == (409, "already-exists")
    pillarbox.mailboxes.delete(box.id)
    with pytest.raises(Problem) as missing:
        pillarbox.mailboxes.get(box.id)
    assert missing.value.kind == "not-found"

    new = pillarbox.keys.create("build", idempotency_key="once")
    assert pillarbox.keys.create("build", idempotency_key="once") == new
    rotated = pillarbox.keys.rotate(new.id, overlap_seconds=60)
    assert pillarbox.keys.get(new.id).replaced_by == rotated.id
    assert pillarbox.keys.revoke(rotated.id).state == "revoked"
    assert pillarbox.keys.totals().events["ingest.received"] == 120


def answering(*answers: httpx.Response | Exception) -> tuple[Pillarbox, list[httpx.Request]]:
    """A client whose server gives these answers one after the other, and what it was sent."""
    sent: list[httpx.Request] = []
    left = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        found = next(left)
        if isinstance(found, Exception):
            raise found
        return found

    pauses: list[float] = []
    client = Pillarbox(
        *("http://pillarbox.test", "key"),
        transport=httpx.MockTransport(answer),
        sleep=pauses.append,
        attempts=3,
    )
    client.pauses = pauses  # type: ignore[attr-defined]
    return client, sent


BUSY = {"type": "/api/v1/docs#problem-too-many-requests", "title": "Too many", "detail": "Wait."}
EVENT = {
    **{name: str(uuid4()) for name in ("id", "trace_id", "subject_id")},
    "type": "ingest.received",
    "subject_type": "message",
    "mailbox_id": None,
    "data": {},
    "created_at": "2026-11-22T09:30:00Z",
}
LABEL = {"id": str(uuid4()), "name": "Bills", "colour": "amber"}


def test_write_is_sent_again_under_the_same_name_when_the_server_is_busy_or_away() -> None:
    client, sent = answering(
        httpx.Response(429, json=BUSY, headers={"retry-after": "7"}),
        httpx.ConnectError("away"),
        httpx.Response(201, json=LABEL),
    )
    assert client.labels.ensure("Bills").name == "Bills"
    assert len({request.headers["idempotency-key"] for request in sent}) == 1
    first, second = client.pauses  # type: ignore[attr-defined]
    assert first == 7
    assert 0 < second <= 1


def test_client_gives_up_after_its_attempts() -> None:
    client, sent = answering(*[httpx.Response(503, json=BUSY)] * 3)
    with pytest.raises(Problem):
        client.labels.ensure("Bills")
    assert len(sent) == 3
    client, sent = answering(*[httpx.ReadTimeout("late")] * 3)
    with pytest.raises(ConnectionFailed):
        client.labels.ensure("Bills")


def test_follower_goes_on_where_it_was_when_the_server_was_away() -> None:
    def page(*positions: int) -> httpx.Response:
        items = [{**EVENT, "position": position} for position in positions]
        return httpx.Response(200, json={"items": items, "next_cursor": max(positions, default=9)})

    client, sent = answering(page(3, 4), *[httpx.ConnectError("away")] * 4, page(), page(12))
    following = client.events.follow(types=["ingest.*", "email.sent"])
    assert [next(following).position for _ in range(3)] == [3, 4, 12]
    assert [request.url.params["after"] for request in sent] == ["0", *["4"] * 5, "9"]
    assert sent[0].url.params.get_list("type") == ["ingest.*", "email.sent"]


def test_follower_that_comes_too_late_is_told_where_to_go_on() -> None:
    gone = {**BUSY, "type": "/api/v1/docs#problem-position-gone", "next_cursor": 99}
    client, _ = answering(httpx.Response(410, json=gone))
    with pytest.raises(Problem) as refused:
        next(client.events.follow(after=5))
    assert (refused.value.kind, refused.value.next_position) == ("position-gone", 99)


def test_refusal_is_not_sent_again_and_need_not_be_ours() -> None:
    client, sent = answering(httpx.Response(502, text="<h1>Bad gateway</h1>"))
    with pytest.raises(Problem) as refused:
        next(client.messages.list())
    assert (refused.value.status, refused.value.kind) == (502, "")
    assert len(sent) == 1


def test_waiting_goes_on_where_the_last_answer_ended() -> None:
    nothing = {"message": None, "links": [], "codes": [], "attachments": [], "notes": []}
    client, sent = answering(
        httpx.Response(200, json={**nothing, "position": 7}),
        httpx.Response(503, json=BUSY),
        httpx.Response(200, json=AWAITED),
    )
    message = client.wait_for_message(mailbox="box@example.test", match="code", timeout_seconds=500)
    assert message is not None
    assert (message.subject, message.codes, message.position) == ("Hi", ("4938",), 9)
    assert message.links[0].url == "https://a.example"
    asked = [dict(request.url.params) for request in sent]
    assert {each["timeout"] for each in asked} == {"120"}
    assert [each.get("after") for each in asked] == [None, "7", "7"]
    client, sent = answering(httpx.Response(200, json={**nothing, "position": 7}))
    assert client.wait_for_message(timeout_seconds=0) is None
    assert sent[0].url.params["timeout"] == "0"


AWAITED = {
    "message": {
        **dict.fromkeys(("mailbox", "from", "to", "snippet", "sha256", "cc", "text", "html"), ""),
        "id": str(uuid4()),
        "trace_id": str(uuid4()),
        "subject": "Hi",
        "size_bytes": 1,
        "received_at": "2026-11-22T09:30:00Z",
        "date": None,
        "ticket_id": None,
        "folder": "inbox",
        "is_read": False,
        "is_starred": False,
        "labels": [],
        "authentication": {"spf": None, "dkim": None, "dmarc": None},
        "attachments": [],
    },
    "links": [{"url": "https://a.example", "text": "Confirm"}],
    "codes": ["4938"],
    "attachments": [],
    "position": 9,
    "notes": [],
}
