"""The page of events: what is shown of whom, page by page, as a file, and as it happens."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from application import serving
from clocks import MovableClock
from mailroom import Mailroom
from selectolax.lexbor import LexborHTMLParser

from app.access.grants import SYSTEM, Grant
from app.access.permissions import ROLE_PERMISSIONS
from app.access.sessions import Session
from app.assembly import Services, assemble
from app.eventlog.event import Event
from app.eventlog.read import EventFilter, read_newest
from app.main import web_application
from app.settings import Settings
from app.web.assets import STATIC_FOLDER, Assets
from app.web.pages.events import EventPages
from app.web.rendering import create_environment


@dataclass
class SignedIn:
    client: httpx.AsyncClient
    mailroom: Mailroom
    session: Session

    @property
    def services(self) -> Services:
        return self.mailroom.services

    async def page(self, path: str = "/events", **headers: str) -> LexborHTMLParser:
        answer = await self.client.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return LexborHTMLParser(answer.text)

    async def positions(self, path: str = "/events") -> Sequence[int]:
        rows = (await self.page(path)).css("#rows .row")
        return [int((row.attributes["id"] or "").removeprefix("e-")) for row in rows]

    async def events(self, **wanted: Any) -> Sequence[Event]:
        """Newest first."""
        return await read_newest(
            self.services.database,
            before=None,
            wanted=EventFilter(self.session.tenant_id, **wanted),
            limit=1000,
        )

    async def deliver(self, count: int, address: str = "") -> None:
        for number in range(count):
            text = f"From: Ada <a@example.org>\r\nSubject: s{number} {uuid4()}\r\n\r\nHi\r\n"
            await self.mailroom.spool(text.encode(), *([address] if address else []))
        await self.mailroom.take_in()


@pytest.fixture
async def signed_in(mailroom: Mailroom, settings: Settings) -> AsyncIterator[SignedIn]:
    services = mailroom.services
    user = await services.users.add("a@example.test", mailroom.mailbox.tenant_id, "viewer")
    link = await services.sign_in.create_link(user.id)
    async with serving(web_application(assemble(settings, clock=services.clock))) as client:
        answer = await client.post(f"/sign-in/{link}")
        session = (await services.sessions.find(answer.cookies["pillarbox"])).session
        yield SignedIn(client, mailroom, session)


async def test_newest_come_first_and_the_rest_page_by_page(signed_in: SignedIn) -> None:
    await signed_in.deliver(40)
    expected = [event.position for event in await signed_in.events()]
    seen: list[int] = []
    path = "/events"
    while path:
        page = await signed_in.page(path)
        rows = page.css("#rows .row")
        seen += [int((row.attributes["id"] or "").removeprefix("e-")) for row in rows]
        more = page.css_first("#more")
        path = "" if "hidden" in more.attributes else more.css_first("a").attributes["href"] or ""
    assert seen == expected
    rest = await signed_in.page(f"/events?cursor={expected[49]}", **{"hx-request": "true"})
    assert rest.css_first("h1") is None
    assert rest.css_first(".row") is not None


async def test_rows_say_in_words_what_happened_to_what_and_lead_to_its_story(
    signed_in: SignedIn,
) -> None:
    await signed_in.deliver(1)
    event = (await signed_in.events(types=["ingest.received"]))[0]
    row = (await signed_in.page()).css_first(f"[id='e-{event.position:019d}']")
    assert row.css_first(".from").text() == "Mail arrived"
    assert row.css_first(".subject").text().startswith("s0 ")
    assert row.css_first(".mailbox").text() == "box@example.test"
    assert row.css_first("a").attributes["href"] == f"/trace/{event.trace_id}"
    assert "UTC" in (row.css_first("time").attributes["title"] or "")


async def test_only_what_is_asked_for_is_shown_drawn_and_exported(
    signed_in: SignedIn, clock: MovableClock
) -> None:
    other = await signed_in.mailroom.add_mailbox("other@example.test")
    await signed_in.deliver(2)
    clock.moved_seconds += 7200
    await signed_in.deliver(1, other.address)
    first = (await signed_in.events(types=["ingest.received"]))[-1]
    cut = first.created_at + timedelta(hours=1)

    async def check(query: str, **wanted: Any) -> None:
        expected = [event.position for event in await signed_in.events(**wanted)]
        assert expected, query
        assert await signed_in.positions(f"/events?{query}") == expected, query
        file = await signed_in.client.get(f"/events/export.jsonl?{query}")
        lines = [msgspec.json.decode(line)["position"] for line in file.text.splitlines()]
        assert lines == expected[::-1], query

    await check("")
    await check("since=hour", since=cut)
    await check(f"end={cut:%Y-%m-%dT%H:%M}", until=cut.replace(second=0, microsecond=0))
    await check(f"start={cut:%Y-%m-%dT%H:%M}", since=cut.replace(second=0, microsecond=0))
    await check("what=storing", types=["objectstore.uploaded", "indexer.indexed"])
    await check(f"mailbox={other.id}", mailbox_ids=[other.id])
    await check(f"q={first.trace_id}", trace_id=first.trace_id)
    await check(f"q={first.subject_id}", subject_id=first.subject_id)
    chart = (await signed_in.page("/events?what=mail&since=day")).css_first(".chart")
    assert chart.css_first("figcaption .number").text() == "3"
    assert [cell.text() for cell in chart.css("tbody td")] == ["2", "1"]
    assert (await signed_in.page(f"/events?q={first.trace_id}")).css_first(".chart") is None
    assert (await signed_in.page("/events?what=webhooks")).css_first(".empty h2").text()


async def test_nothing_of_another_tenant_is_shown(signed_in: SignedIn) -> None:
    services = signed_in.services
    stranger = await services.tenants.create("Stranger", "developer")
    await services.domains.add("stranger.test", stranger.id, vouched=True)
    box = await services.mailboxes.add("box@stranger.test", stranger.id)
    await signed_in.deliver(1, box.address)
    theirs = await read_newest(
        services.database, before=None, wanted=EventFilter(stranger.id), limit=100
    )
    assert theirs
    assert not {event.position for event in theirs} & set(await signed_in.positions())
    for event in theirs:
        for query in (f"q={event.trace_id}", f"q={event.subject_id}", f"mailbox={box.id}"):
            assert await signed_in.positions(f"/events?{query}") == []
            assert (await signed_in.client.get(f"/events/export.jsonl?{query}")).text == ""


@pytest.mark.parametrize(
    "query",
    [
        *("what=nothing", "since=ever", "mailbox=x", "q=x", "start=now", "cursor=x", "cursor=-1"),
        *("end=2026-11-31T00:00", "end=0000-01-01T00:00", "start=1999-12-31T23:59"),
    ],
)
async def test_address_that_no_form_of_ours_makes_is_refused(
    signed_in: SignedIn, query: str
) -> None:
    assert (await signed_in.client.get(f"/events?{query}")).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        *("start=2026-11-01T00:00&end=2026-10-01T00:00", "start=2000-01-01T00:00"),
        *("end=2999-12-31T23:59", "start=2999-12-31T23:59", "end=2000-01-01T00:00"),
    ],
)
async def test_time_that_is_turned_round_or_at_the_ends_of_the_calendar_shows_what_is_in_it(
    signed_in: SignedIn, query: str
) -> None:
    assert (await signed_in.client.get(f"/events?{query}")).status_code == 200


async def test_open_page_is_told_of_each_event_once_from_where_it_was_left(
    signed_in: SignedIn,
) -> None:
    services = signed_in.services
    pages = EventPages(
        services.database,
        services.mailboxes,
        services.feed,
        create_environment(services.clock, Assets.of(STATIC_FOLDER)),
        services.clock,
    )
    session = signed_in.session
    grant = Grant(SYSTEM, session.tenant_id, ROLE_PERMISSIONS["viewer"])
    wanted = EventFilter(session.tenant_id, types=["ingest.received", "message.deleted"])

    async def follow(after: int, count: int) -> Sequence[int]:
        told: list[int] = []
        async for chunk in pages.follow(grant, services.sessions, session, wanted, after):
            told += [int(found) for found in re.findall(rb"\nid: (\d+)\n", chunk)]
            if len(told) >= count:
                break
        return told

    await signed_in.deliver(3)
    first = await follow(0, 3)
    await signed_in.deliver(2)
    async with services.feed.running():
        second = await follow(first[-1], 2)
    expected = [event.position for event in await signed_in.events(types=wanted.types)]
    assert [*first, *second] == expected[::-1]


async def test_open_page_is_told_nothing_more_when_its_session_ended(
    signed_in: SignedIn,
) -> None:
    services, session = signed_in.services, signed_in.session
    await signed_in.deliver(1)
    ended = replace(session, id=uuid4())
    pages = EventPages(
        services.database,
        services.mailboxes,
        services.feed,
        create_environment(services.clock, Assets.of(STATIC_FOLDER)),
        services.clock,
    )
    grant = Grant(SYSTEM, session.tenant_id, ROLE_PERMISSIONS["viewer"])
    wanted = EventFilter(session.tenant_id)
    told = [each async for each in pages.follow(grant, services.sessions, ended, wanted, 0)]
    assert told == [b": connected\n\n"]
