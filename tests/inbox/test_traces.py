"""When a temporary inbox is over nothing that came to it is left anywhere, but bare ids."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import asyncpg
import httpx
import pytest
from clocks import MovableClock
from conditions import eventually
from mailroom import PREFIX, Mailroom
from redis import Redis

from app.assembly import Services
from app.directory.bootstrap import ensure_temporary_domain
from app.eventlog.consumer import ConsumerRunner
from app.eventlog.types import EventType
from app.inbound.pipeline.arrival import Arrival
from app.inbox.actions import Action
from app.inbox.listing import Access
from app.settings import Settings
from app.storage.refused_mail import RefusedMail, RefusedMailFolder
from app.storage.spool.port import Item, Position

MARK = "zanzibarquokka"
# One word in every place that a message has for words.
MAIL = (
    f"From: {MARK} <{MARK}@{MARK}.test>\r\nTo: {MARK}\r\nSubject: {MARK} subject\r\n"
    f"Message-ID: <{MARK}@x>\r\nIn-Reply-To: <{MARK}.1@x>\r\nReferences: <{MARK}.2@x>\r\n"
    'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    f"--b\r\nContent-Type: text/plain\r\n\r\n{MARK} text\r\n"
    f"--b\r\nContent-Type: text/html\r\n\r\n<p>{MARK} html</p>\r\n"
    "--b\r\nContent-Type: application/octet-stream\r\n"
    f'Content-Disposition: attachment; filename="{MARK}.bin"\r\n\r\n{MARK} file\r\n--b--\r\n'
).encode()


@pytest.fixture(params=["whoosh", "postgres"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return replace(settings, search_engine=request.param)


@asynccontextmanager
async def indexing(services: Services) -> AsyncIterator[None]:
    runner = asyncio.create_task(ConsumerRunner(services.indexer(), services.log, uuid4()).run())
    try:
        yield
    finally:
        runner.cancel()
        await asyncio.gather(runner, return_exceptions=True)


async def places(services: Services, *marks: str) -> set[str]:
    """Tables, files and keys that hold any of these words, in whatever case."""
    found = set()
    wanted = [mark.lower() for mark in marks]
    connection = await asyncpg.connect(services.database.url)
    tables = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
    for (table,) in tables:
        for row in await connection.fetch(f'select t::text as line from "{table}" as t'):
            if any(mark in row["line"].lower() for mark in wanted):
                found.add(table)
    await connection.close()
    data = services.settings.pillarbox_data
    for folder in (data / "blobs", data / "search", data / "outbox", data / "spool" / "refused"):
        for file in [file for file in folder.rglob("*") if file.is_file()]:
            content = str(file).lower().encode() + file.read_bytes().lower()
            if any(mark.encode() in content for mark in wanted):
                found.add(str(file.relative_to(data)))
    assert services.settings.redis_url
    with Redis.from_url(services.settings.redis_url.reveal()) as redis:
        for key in redis.scan_iter():
            if any(mark.encode() in key.lower() for mark in wanted):
                found.add(f"redis {key!r}")
    return found


async def test_nothing_is_left_when_an_inbox_is_over(
    mailroom: Mailroom, clock: MovableClock, web: httpx.AsyncClient
) -> None:
    services = mailroom.services
    domain = services.settings.temporary_domain
    await ensure_temporary_domain(services.tenants, services.domains, domain)
    inbox = await services.inboxes.create()
    name = inbox.address.partition("@")[0]
    operator = await services.users.add("op@example.test", inbox.tenant_id, "owner")
    access = Access(inbox.tenant_id)

    async with indexing(services):
        await mailroom.spool(MAIL, inbox.address)
        await mailroom.take_in()

        async def is_found() -> bool:
            return len((await services.search.find(access, MARK)).rows) == 1

        await eventually(is_found)
        (message,) = (await services.search.find(access, MARK)).rows
        await services.actions.apply(access, operator.id, Action.ARCHIVE, [message.id])
        url = f"/t/{inbox.token}/m/{message.id}"
        links = [(await web.get(f"{url}/raw")).headers["location"]]
        assert [(await web.get(link)).status_code for link in links] == [200]
        await leave_in_quarantine(mailroom, inbox.address)
        await leave_refusal(services, inbox.address)
        await services.refused_mail_reader().take_what_is_there()

        before = await places(services, MARK, name)
        assert {"message", "message_body", "attachment", "mailbox", "quarantine"} <= before
        assert "correspondent" in before
        assert any(place.startswith("blobs/") for place in before)
        assert any(place.startswith("search") for place in before)

        clock.moved_seconds = services.settings.temporary_ttl_seconds + 1
        for link in (*links, url, f"{url}/body", f"{url}/raw"):
            assert (await web.get(link)).status_code == 404
        assert await services.removal.remove_expired_mailboxes() == 1
        assert await services.quarantine.drop_expired() == 1
        clock.moved_seconds += 61
        await services.removal.remove_released_objects()

        async def is_gone() -> bool:
            return not await places(services, MARK, name, inbox.token)

        await eventually(is_gone)

    for link in (*links, url, f"{url}/body", f"{url}/raw"):
        assert (await web.get(link)).status_code == 404
    assert not (await services.search.find(access, MARK)).rows
    for event in await mailroom.events():
        if event.mailbox_id == inbox.mailbox_id:
            plain = {**event.data, **event.data.get("passage", {})}
            plain.pop("passage", None)
            assert not {type(value) for value in plain.values()} - {str, int, bool}
    assert await mailroom.events(EventType.MAILBOX_EXPIRED)


async def leave_in_quarantine(mailroom: Mailroom, address: str) -> None:
    metadata = await mailroom.spool(b"Subject: x\r\n\r\n", address)
    item = Item(Position("smtp", 0, 0), metadata, PREFIX + MAIL)
    pipeline = mailroom.services.pipeline("folder")
    await pipeline._refuse(Arrival(item), "parse", f"It says {MARK}", None)


async def leave_refusal(services: Services, address: str) -> None:
    note = RefusedMail(
        id=uuid4(),
        trace_id=uuid4(),
        refused_at=services.clock.now(),
        client_address="192.0.2.1",
        client_name=MARK,
        mail_from=f"{MARK}@x.test",
        recipient=address,
        code=552,
        enhanced_code="5.3.4",
        cause="too_large",
        reply="552",
    )
    folder = RefusedMailFolder.of(services.settings)
    assert folder.write([note])
