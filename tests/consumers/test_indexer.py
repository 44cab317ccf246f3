"""The index agrees with the database, message by message, whatever happened to either."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from conditions import eventually
from mailroom import Mailroom

from app.assembly import Services, assemble
from app.consumers.indexer import Indexer, take_care_while_leading
from app.eventlog.consumer import ConsumerRunner
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.inbox.listing import Access
from app.search.port import IndexBroken
from app.settings import Settings


@pytest.fixture(params=["whoosh", "postgres"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    return replace(settings, search_engine=request.param)


@asynccontextmanager
async def indexing(services: Services) -> AsyncIterator[Indexer]:
    """The indexer at work, as its process runs it; leaving ends it on the spot."""
    indexer, leader = services.indexer(), uuid4()
    tasks = [
        asyncio.create_task(ConsumerRunner(indexer, services.log, leader).run()),
        asyncio.create_task(take_care_while_leading(indexer, leader)),
    ]
    try:
        yield indexer
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def receive(mailroom: Mailroom, count: int, *recipients: str) -> None:
    for number in range(count):
        head = f"From: a@x.test\r\nSubject: word{number}\r\nMessage-ID: <{uuid4()}@x>\r\n\r\n"
        await mailroom.spool(head.encode() + b"needle\r\n", *recipients)
    await mailroom.take_in()


async def stored(services: Services, mailbox_id: UUID) -> set[UUID]:
    rows = await services.database.fetch("select id from message where mailbox_id = $1", mailbox_id)
    return {row["id"] for row in rows}


async def agrees(services: Services, mailbox_id: UUID) -> None:
    """Waits until the index holds what the database holds, no more and no less."""

    async def same() -> bool:
        try:
            indexed = await services.search_index.message_ids(mailbox_id)
        except IndexBroken:
            return False
        return (
            indexed == await stored(services, mailbox_id) and not await services.rebuilds.waiting()
        )

    await eventually(same)


async def hits(services: Services, tenant_id: UUID, words: str) -> int:
    return len((await services.search.find(Access(tenant_id), words)).rows)


async def test_mail_is_found_and_told_of_once_each(mailroom: Mailroom) -> None:
    services, mailbox = mailroom.services, mailroom.mailbox
    async with indexing(services):
        await receive(mailroom, 5)
        await agrees(services, mailbox.id)
        await eventually(lambda: told(mailroom, 5))
    received = await mailroom.events(EventType.INGEST_RECEIVED)
    indexed = await mailroom.events(EventType.INDEXER_INDEXED)
    facts = [
        {(e.subject_id, e.trace_id, e.mailbox_id, e.tenant_id) for e in events}
        for events in (received, indexed)
    ]
    assert facts[0] == facts[1]
    assert await hits(services, mailbox.tenant_id, "needle") == 5
    assert await hits(services, mailbox.tenant_id, "subject:word3") == 1


async def told(mailroom: Mailroom, count: int) -> bool:
    return len(await mailroom.events(EventType.INDEXER_INDEXED)) == count


async def test_events_handled_twice_change_nothing(mailroom: Mailroom) -> None:
    services, mailbox = mailroom.services, mailroom.mailbox
    await receive(mailroom, 3)
    indexer = services.indexer()
    events = await mailroom.events(*indexer.types)
    for _ in range(2):
        await indexer.handle(events)
    assert await services.search_index.message_ids(mailbox.id) == await stored(services, mailbox.id)
    assert await hits(services, mailbox.tenant_id, "needle") == 3


async def test_deleted_message_is_found_no_more(mailroom: Mailroom) -> None:
    services, mailbox = mailroom.services, mailroom.mailbox
    async with indexing(services):
        await receive(mailroom, 3)
        await agrees(services, mailbox.id)
        (first, *_) = sorted(await stored(services, mailbox.id))
        await delete(mailroom, first)
        await agrees(services, mailbox.id)
    assert await hits(services, mailbox.tenant_id, "needle") == 2


async def delete(mailroom: Mailroom, message_id: UUID) -> None:
    mailbox = mailroom.mailbox
    async with mailroom.services.log.transaction() as transaction:
        await transaction.connection.execute("delete from message where id = $1", message_id)
        transaction.tell(
            NewEvent(
                EventType.MESSAGE_DELETED,
                trace_id=uuid4(),
                subject=("message", message_id),
                tenant_id=mailbox.tenant_id,
                mailbox_id=mailbox.id,
            )
        )


async def test_message_deleted_before_it_was_indexed_is_passed_over(mailroom: Mailroom) -> None:
    services, mailbox = mailroom.services, mailroom.mailbox
    await receive(mailroom, 2)
    (first, *_) = sorted(await stored(services, mailbox.id))
    await delete(mailroom, first)
    async with indexing(services):
        await eventually(lambda: told(mailroom, 1))
        await agrees(services, mailbox.id)


async def test_nothing_of_an_expired_mailbox_is_left(
    mailroom: Mailroom, settings: Settings
) -> None:
    services, mailbox = mailroom.services, mailroom.mailbox
    async with indexing(services):
        await receive(mailroom, 2)
        await agrees(services, mailbox.id)
        await services.database.execute(
            "update mailbox set expires_at = now() where id = $1", mailbox.id
        )
        await services.removal.remove_expired_mailboxes()

        async def is_gone() -> bool:
            return not await services.search_index.message_ids(mailbox.id)

        await eventually(is_gone)
        await services.rebuilds.request(None)
    assert not list(index_files(settings, mailbox.id))
    assert await services.database.fetch_value("select count(*) from search_index") == 0
    assert await services.database.fetch_value("select count(*) from correspondent") == 0


async def test_rebuild_of_a_mailbox_that_goes_meanwhile_brings_nothing_back(
    mailroom: Mailroom, settings: Settings
) -> None:
    services, mailbox = mailroom.services, mailroom.mailbox
    await receive(mailroom, 2)
    indexer = services.indexer()
    await indexer.handle(await mailroom.events(*indexer.types))
    await services.rebuilds.request([mailbox.id])
    (rebuild,) = await services.rebuilds.waiting()
    await services.database.execute("delete from message")
    await services.database.execute("delete from mailbox where id = $1", mailbox.id)
    await indexer._rebuild(rebuild)
    assert not list(index_files(settings, mailbox.id))
    assert not await services.search_index.message_ids(mailbox.id)


@pytest.fixture
def whoosh_only(settings: Settings) -> None:
    if settings.search_engine != "whoosh":
        pytest.skip("the database cannot lose a part of itself")


def index_files(settings: Settings, mailbox_id: UUID) -> Iterator[Path]:
    for file in settings.search_folder.rglob("*"):
        if file.is_file() and str(mailbox_id).replace("-", "") in str(file).replace("-", ""):
            yield file


def delete_index(settings: Settings, mailbox_id: UUID) -> None:
    shutil.rmtree(settings.search_folder)


def empty_every_file(settings: Settings, mailbox_id: UUID) -> None:
    for file in index_files(settings, mailbox_id):
        file.write_bytes(b"")


def cut_every_file(settings: Settings, mailbox_id: UUID) -> None:
    for file in index_files(settings, mailbox_id):
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])


def fill_with_nonsense(settings: Settings, mailbox_id: UUID) -> None:
    for file in index_files(settings, mailbox_id):
        file.write_bytes(b"\x80\x04nonsense" * 50)


@pytest.mark.parametrize(
    "harm", [delete_index, empty_every_file, cut_every_file, fill_with_nonsense]
)
async def test_index_is_built_anew_when_it_was_harmed(
    mailroom: Mailroom, settings: Settings, whoosh_only: None, harm: object
) -> None:
    services, mailbox = mailroom.services, mailroom.mailbox
    async with indexing(services):
        await receive(mailroom, 4)
        await agrees(services, mailbox.id)
    assert list(index_files(settings, mailbox.id))
    harm(settings, mailbox.id)
    again = assemble(settings)
    async with again.running(), indexing(again):
        await receive(mailroom, 1)
        await agrees(again, mailbox.id)
        assert await hits(again, mailbox.tenant_id, "needle") == 5
        await eventually(lambda: told(mailroom, 5))


async def test_index_is_built_anew_when_it_lost_its_last_commits(
    mailroom: Mailroom, settings: Settings, whoosh_only: None, tmp_path: Path
) -> None:
    """As a power cut leaves it: the database knows of more than the folder holds."""
    services, mailbox = mailroom.services, mailroom.mailbox
    async with indexing(services):
        await receive(mailroom, 2)
        await agrees(services, mailbox.id)
        shutil.copytree(settings.search_folder, tmp_path / "then")
        await receive(mailroom, 2)
        await agrees(services, mailbox.id)
        await eventually(lambda: told(mailroom, 4))
    shutil.rmtree(settings.search_folder)
    shutil.copytree(tmp_path / "then", settings.search_folder)
    again = assemble(settings)
    async with again.running(), indexing(again):
        await agrees(again, mailbox.id)
        assert await hits(again, mailbox.tenant_id, "needle") == 4


async def test_everything_is_indexed_when_the_engine_is_another(
    mailroom: Mailroom, settings: Settings
) -> None:
    services, mailbox = mailroom.services, mailroom.mailbox
    async with indexing(services):
        await receive(mailroom, 3)
        await agrees(services, mailbox.id)
    other = "postgres" if settings.search_engine == "whoosh" else "whoosh"
    again = assemble(replace(settings, search_engine=other))
    async with again.running(), indexing(again):
        await agrees(again, mailbox.id)
        assert await hits(again, mailbox.tenant_id, "needle") == 3


async def test_searches_are_answered_while_the_index_is_built_anew(mailroom: Mailroom) -> None:
    services, mailbox = mailroom.services, mailroom.mailbox
    await receive(mailroom, 300)
    indexer = services.indexer()
    await indexer.handle(await mailroom.events(*indexer.types))
    ids = sorted(await stored(services, mailbox.id))
    found = []

    class Watched:
        """Looks in while the rebuild reads, and lets one message come and another go."""

        async def note_progress(self, mailbox_id: UUID, done: int, total: int) -> None:
            page = await services.search.find(Access(mailbox.tenant_id), "needle", limit=200)
            found.append((len(page.rows), list(page.notes)))
            if done == 0:
                await delete(mailroom, ids[0])
                await receive(mailroom, 1)
                after = (await mailroom.events(*indexer.types))[-2:]
                await indexer.handle(after)

    await services.rebuilds.request([mailbox.id])
    (rebuild,) = await services.rebuilds.waiting()
    watched = replace_progress(indexer, Watched())
    await watched._rebuild(rebuild)
    assert len(found) >= 2
    assert set(map(str, found)) == {str((200, []))}
    assert await services.search_index.message_ids(mailbox.id) == await stored(services, mailbox.id)


def replace_progress(indexer: Indexer, watched: object) -> Indexer:
    rebuilds = indexer.rebuilds

    class Rebuilds(type(rebuilds)):
        async def note_progress(self, mailbox_id: UUID, done: int, total: int) -> None:
            await super().note_progress(mailbox_id, done, total)
            await watched.note_progress(mailbox_id, done, total)

    indexer.rebuilds = Rebuilds(rebuilds.database, rebuilds.clock, rebuilds.engine)
    return indexer
