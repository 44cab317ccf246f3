"""The event log over the API: asked, waited for, followed and taken along."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from application import begin_answer, serving
from conditions import eventually
from litestar import Litestar
from mailroom import Mailroom

from app.access.grants import COMMAND_LINE
from app.assembly import Services, assemble
from app.directory.mailboxes import Mailbox
from app.eventlog.event import Event
from app.eventlog.partitions import read_partitions
from app.eventlog.read import EventFilter, read_events
from app.main import web_application
from app.settings import Settings
from app.web.rendering import format_iso

MAIL = b"From: a@example.org\r\nSubject: %d\r\n\r\nHi\r\n"


@dataclass
class Reader:
    """A program with a key for everything, and one with a key for a single mailbox."""

    app: Litestar
    serving: Services
    web: httpx.AsyncClient
    mailroom: Mailroom
    other: Mailbox
    key: str
    limited_key: str

    async def get(self, query: str = "", *, limited: bool = False) -> httpx.Response:
        key = self.limited_key if limited else self.key
        headers = {"authorization": f"Bearer {key}"}
        return await self.web.get(f"/api/v1/events{query}", headers=headers)

    async def positions(self, query: str = "", *, limited: bool = False) -> Sequence[int]:
        answer = await self.get(query, limited=limited)
        assert answer.status_code == 200, answer.text
        return [item["position"] for item in answer.json()["items"]]

    async def deliver(self, count: int = 1) -> None:
        """So many mails to each of both mailboxes."""
        for number in range(count):
            await self.mailroom.spool(MAIL % number + uuid4().bytes.hex().encode())
            await self.mailroom.spool(
                MAIL % number + uuid4().bytes.hex().encode(), self.other.address
            )
        await self.mailroom.take_in()

    async def events(self, **wanted: Any) -> Sequence[Event]:
        of_tenant = EventFilter(self.other.tenant_id, **wanted)
        return await read_events(
            self.mailroom.services.database, after=0, wanted=of_tenant, limit=1000
        )

    def begin_waiting(self, query: str, **headers: str) -> asyncio.Task[httpx.Response]:
        async def ask() -> httpx.Response:
            return await self.get(query)

        return asyncio.create_task(ask())

    async def is_followed(self, count: int = 1) -> bool:
        return len(self.serving.feed._subscribers) == count


@pytest.fixture
async def reader(settings: Settings, mailroom: Mailroom) -> AsyncIterator[Reader]:
    services = assemble(settings, clock=mailroom.services.clock)
    app = web_application(services)
    other = await mailroom.add_mailbox("other@example.test")
    keys, tenant_id = mailroom.services.keys, mailroom.mailbox.tenant_id
    key = (await keys.create(COMMAND_LINE, tenant_id)).key
    limited = (await keys.create(COMMAND_LINE, tenant_id, mailbox_ids=[other.id])).key
    async with serving(app) as web:
        yield Reader(app, services, web, mailroom, other, key, limited)


async def test_log_is_asked_for_a_type_a_group_a_mailbox_a_subject_a_trace_and_a_time(
    reader: Reader,
) -> None:
    await reader.deliver(2)
    everything = await reader.events()
    first = next(event for event in everything if event.type == "ingest.received")

    async def check(query: str, **wanted: Any) -> None:
        expected = [event.position for event in await reader.events(**wanted)]
        assert expected, query
        assert len(expected) < len(everything), query
        assert await reader.positions(f"?limit=200&{query}") == expected, query

    await check("type=ingest.received", types=["ingest.received"])
    await check("type=ingest.*", types=["ingest.received"])
    await check(
        "type=mailbox.*&type=objectstore.uploaded",
        types=["mailbox.created", "objectstore.uploaded"],
    )
    await check("mailbox=other@example.test", mailbox_ids=[reader.other.id])
    await check(f"subject={first.subject_id}", subject_id=first.subject_id)
    await check(f"trace={first.trace_id}", trace_id=first.trace_id)
    moment = first.created_at.isoformat().replace("+00:00", "Z")
    await check(f"since={moment}", since=first.created_at)
    await check(f"until={moment}", until=first.created_at)
    assert await reader.positions(f"?since={moment}&until={moment}") == []


async def test_pages_follow_one_another_and_an_empty_one_says_how_far_was_looked(
    reader: Reader,
) -> None:
    await reader.deliver(3)
    last = (await reader.events())[-1].position
    seen, after = [], 0
    while True:
        page = (await reader.get(f"?after={after}&limit=2&type=ingest.received")).json()
        after = page["next_cursor"]
        if not page["items"]:
            break
        seen += [item["position"] for item in page["items"]]
    assert seen == [event.position for event in await reader.events(types=["ingest.received"])]
    assert after == last


@pytest.mark.parametrize(
    "query",
    [
        *("type=ingest.recieved", "type=*", "subject=x", "trace=1", "since=yesterday", "wait=31"),
        *("wait=-1", "after=-1", "until=2026-13-01T00:00:00Z", "since=0001-01-01T00:00:00%2B14:00"),
    ],
)
async def test_question_that_cannot_be_answered_is_refused(reader: Reader, query: str) -> None:
    for path in ("", "/stream", "/export"):
        if path and query.startswith("wait"):
            continue
        assert (await reader.get(f"{path}?{query}")).status_code == 400, path


async def test_mailbox_that_is_not_there_or_out_of_reach_is_not_found(reader: Reader) -> None:
    for path in ("", "/stream", "/export"):
        for address in ("nobody@example.test", "box@example.test"):
            answer = await reader.get(f"{path}?mailbox={address}", limited=True)
            assert answer.status_code == 404


async def test_limited_key_sees_its_mailbox_alone_in_every_way(reader: Reader) -> None:
    await reader.deliver(2)
    own = [event.position for event in await reader.events(mailbox_ids=[reader.other.id])]
    theirs = (await reader.events(mailbox_ids=[reader.mailroom.mailbox.id]))[-1]
    assert await reader.positions("?limit=200", limited=True) == own
    for query in (f"?subject={theirs.subject_id}", f"?trace={theirs.trace_id}"):
        assert await reader.positions(query, limited=True) == []
    lines = (await reader.get("/export", limited=True)).text.splitlines()
    assert [msgspec.json.decode(line)["position"] for line in lines] == own
    waiting = asyncio.create_task(
        reader.get(f"?wait=30&after={own[-1]}&type=ingest.received", limited=True)
    )
    await eventually(reader.is_followed)
    await reader.mailroom.spool(MAIL % 77)
    await reader.mailroom.take_in()
    await reader.deliver()
    items = (await waiting).json()["items"]
    assert {item["mailbox_id"] for item in items} == {str(reader.other.id)}


async def test_wait_ends_at_the_first_wanted_event(reader: Reader) -> None:
    after = (await reader.events())[-1].position
    waiting = reader.begin_waiting(f"?after={after}&wait=30&type=ingest.*")
    await eventually(reader.is_followed)
    await reader.mailroom.add_mailbox("third@example.test")
    await reader.deliver()
    page = (await waiting).json()
    assert page["items"][0]["type"] == "ingest.received"
    assert page["next_cursor"] == page["items"][-1]["position"]
    assert await reader.is_followed(0)


async def test_wait_is_over_at_once_when_there_is_something_or_nothing_can_come(
    reader: Reader,
) -> None:
    assert len(await reader.positions("?wait=30&limit=1")) == 1
    past = format_iso(reader.serving.clock.now() - timedelta(days=1))
    async with asyncio.timeout(25):
        assert await reader.positions(f"?wait=30&until={past}") == []


async def test_wait_ends_empty_when_nothing_came(reader: Reader) -> None:
    last = (await reader.events())[-1].position
    page = (await reader.get(f"?after={last}&wait=1")).json()
    assert page == {"items": [], "next_cursor": last}
    assert await reader.is_followed(0)


async def test_wait_ends_when_the_process_stops(reader: Reader) -> None:
    waiting = reader.begin_waiting("?wait=30&type=ingest.received")
    await eventually(reader.is_followed)
    reader.serving.feed.end()
    async with asyncio.timeout(25):
        assert (await waiting).json()["items"] == []


async def test_wait_ends_when_the_client_goes_away(reader: Reader) -> None:
    gone = asyncio.Event()
    sent: list[Any] = []

    async def receive() -> Mapping[str, object]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "GET",
        "path": "/api/v1/events",
        "raw_path": b"/api/v1/events",
        "root_path": "",
        "query_string": b"wait=30&type=ingest.received",
        "client": ("192.0.2.1", 5),
        "server": ("pillarbox.test", 80),
        "headers": [(b"authorization", f"Bearer {reader.key}".encode())],
    }
    asking = asyncio.ensure_future(reader.app(scope, receive, send))
    await eventually(reader.is_followed)
    gone.set()
    async with asyncio.timeout(25):
        await asking
    assert await reader.is_followed(0)


async def test_late_reader_is_told_of_the_gap_and_where_to_go_on(reader: Reader) -> None:
    database = reader.mailroom.services.database
    first, second, *_ = await read_partitions(database)
    await database.execute(f"drop table {first.table}")
    for path in ("", "/stream", "/export"):
        for after in (1, second.first - 2):
            answer = await reader.get(f"{path}?after={after}")
            assert answer.status_code == 410
            problem = answer.json()
            assert problem["type"].endswith("#problem-position-gone")
            assert problem["next_cursor"] == second.first - 1
            assert str(second.first - 1) in problem["detail"]
    for after in (0, second.first - 1):
        assert (await reader.get(f"?after={after}")).status_code == 200


async def test_export_is_every_event_on_a_line_of_its_own(reader: Reader) -> None:
    await reader.deliver(3)
    answer = await reader.get("/export?type=ingest.*&type=objectstore.*")
    assert answer.headers["content-type"].startswith("application/jsonl")
    assert "attachment" in answer.headers["content-disposition"]
    listed = (await reader.get("?limit=200&type=ingest.*&type=objectstore.*")).json()["items"]
    assert [msgspec.json.decode(line) for line in answer.text.splitlines()] == listed
    (third,) = (
        await reader.get(f"/export?after={listed[-2]['position']}&type=ingest.*&type=objectstore.*")
    ).text.splitlines()
    assert msgspec.json.decode(third) == listed[-1]


async def follow(
    reader: Reader, query: str, until: int, last_event_id: str = ""
) -> Sequence[tuple[int, Mapping[str, Any]]]:
    """What a stream sent up to a position, as (id, data)."""
    told: list[tuple[int, Mapping[str, Any]]] = []
    done = asyncio.Event()
    buffer = b""

    async def receive() -> Mapping[str, object]:
        await done.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal buffer
        buffer += message.get("body", b"")
        if message["type"] == "http.response.body" and not message.get("more_body"):
            done.set()
        *chunks, buffer = buffer.split(b"\n\n")
        for chunk in chunks:
            if chunk.startswith(b":"):
                continue
            lines = dict(line.split(": ", 1) for line in chunk.decode().splitlines())
            told.append((int(lines["id"]), msgspec.json.decode(lines["data"])))
            if told[-1][0] >= until:
                done.set()

    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": "GET",
        "path": "/api/v1/events/stream",
        "root_path": "",
        "raw_path": b"/api/v1/events/stream",
        "query_string": query.encode(),
        "client": ("192.0.2.1", 5),
        "server": ("pillarbox.test", 80),
        "headers": [
            (b"authorization", f"Bearer {reader.key}".encode()),
            (b"last-event-id", last_event_id.encode()),
        ],
    }
    async with asyncio.timeout(60):
        await reader.app(scope, receive, send)
    return told


async def test_stream_tells_everything_once_from_where_it_was_left(reader: Reader) -> None:
    await reader.deliver(2)
    half = (await reader.events())[-1].position
    first = await follow(reader, "after=2&type=ingest.*&type=message.*", half)
    following = asyncio.create_task(
        follow(reader, "after=2&type=ingest.*", half + 4, last_event_id=str(first[-1][0]))
    )
    await eventually(reader.is_followed)
    await reader.deliver(2)
    told = [*first, *await following]
    expected = [e for e in await reader.events(types=["ingest.received"]) if e.position > 2]
    assert [position for position, _ in told] == [event.position for event in expected]
    assert all(data["position"] == position for position, data in told)


async def test_stream_is_refused_for_a_place_that_is_none(reader: Reader) -> None:
    for wrong in (b"x", b"-1", b"9" * 19):
        answer = await begin_answer(
            reader.app,
            "GET",
            "/api/v1/events/stream",
            authorization=f"Bearer {reader.key}".encode(),
            last_event_id=wrong,
        )
        assert answer.status == 400


async def test_stream_ends_when_its_key_is_revoked(reader: Reader) -> None:
    following = asyncio.create_task(follow(reader, "type=ingest.*", 10**9))
    await eventually(reader.is_followed)
    keys, tenant_id = reader.mailroom.services.keys, reader.other.tenant_id
    for row in (await keys.list(tenant_id)).rows:
        await keys.revoke(COMMAND_LINE, tenant_id, row.id)
    reader.serving.clock.moved_seconds += 60  # type: ignore[attr-defined]
    await reader.deliver()
    assert await following == []
