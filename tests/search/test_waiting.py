"""Waiting for mail: what is there already, and what comes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from conditions import eventually
from mailroom import Mailroom

from app.core.errors import Unavailable
from app.eventlog.read import last_position
from app.inbox.actions import Action
from app.inbox.listing import Access
from app.search.waiting import Waited, Waiting


def mail(subject: str, text: str = "Hi") -> bytes:
    return f"From: ada@example.org\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()


@pytest.fixture
async def waiting(mailroom: Mailroom) -> AsyncIterator[Waiting]:
    async with mailroom.services.feed.running():
        yield mailroom.services.waiting


def access_to(mailroom: Mailroom, *mailbox_ids: UUID) -> Access:
    return Access(mailroom.mailbox.tenant_id, mailbox_ids or None)


async def deliver(mailroom: Mailroom, *subjects: str, to: str | None = None) -> None:
    for subject in subjects:
        await mailroom.spool(mail(subject), *([to] if to else []))
    await mailroom.take_in()


async def begin(
    waiting: Waiting, mailroom: Mailroom, text: str, access: Access | None = None
) -> "asyncio.Task[Waited]":
    """Somebody who waits, and found nothing in the past."""
    task = asyncio.create_task(
        waiting.find_first(access or access_to(mailroom), text, timeout_seconds=30)
    )
    watchers = waiting._watchers._watchers

    async def waits() -> bool:
        return sum(bool(each.found._getters) for each in watchers) == started + 1  # type: ignore[attr-defined]

    started = sum(bool(each.found._getters) for each in watchers)  # type: ignore[attr-defined]
    await eventually(waits)
    return task


def subject_of(waited: Waited) -> str | None:
    return waited.message and waited.message.subject


async def test_newest_that_is_there_is_answered_at_once(
    waiting: Waiting, mailroom: Mailroom
) -> None:
    await deliver(mailroom, "code one", "code two", "other")
    access = access_to(mailroom)
    for text, expected in (
        ("subject:code", "code two"),
        ("", "other"),
        ("code -two", "code one"),
        ("missing", None),
        ("in:trash", None),
    ):
        found = await waiting.find_first(access, text, timeout_seconds=0)
        assert subject_of(found) == expected, text


async def test_spam_and_trash_count_only_when_they_are_named(
    waiting: Waiting, mailroom: Mailroom
) -> None:
    await deliver(mailroom, "code")
    (row,) = await mailroom.rows()
    access = access_to(mailroom)
    await mailroom.services.actions.apply(access, None, Action.TRASH, [row.id], None)
    assert (await waiting.find_first(access, "code", timeout_seconds=0)).message is None
    assert (await waiting.find_first(access, "code in:trash", timeout_seconds=0)).message


async def test_first_that_comes_is_answered(waiting: Waiting, mailroom: Mailroom) -> None:
    await deliver(mailroom, "code before")
    task = await begin(waiting, mailroom, "code after")
    await deliver(mailroom, "other")
    await deliver(mailroom, "code after", "code after all")
    waited = await task
    assert subject_of(waited) == "code after"
    arrivals = await mailroom.events("ingest.received")
    assert waited.position == arrivals[2].position


async def test_mail_that_comes_between_looking_and_listening_is_not_missed(
    waiting: Waiting, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_past = Waiting._find_past

    async def arrive_meanwhile(self: Waiting, *arguments: object) -> object:
        found = await find_past(self, *arguments)  # type: ignore[arg-type]
        await deliver(mailroom, "code")
        return found

    monkeypatch.setattr(Waiting, "_find_past", arrive_meanwhile)
    waited = await waiting.find_first(access_to(mailroom), "code", timeout_seconds=30)
    assert subject_of(waited) == "code"


async def test_many_wait_for_mail_of_one_mailbox_and_each_gets_its_own(
    waiting: Waiting, mailroom: Mailroom
) -> None:
    tasks = [await begin(waiting, mailroom, f"subject:number{each}") for each in range(20)]
    await deliver(mailroom, *(f"number{each}" for each in reversed(range(20))))
    waited = await asyncio.gather(*tasks)
    assert [subject_of(each) for each in waited] == [f"number{each}" for each in range(20)]
    await eventually(lambda: asyncio.sleep(0, not mailroom.services.feed._subscribers))


async def test_only_what_came_since_or_behind_a_position_counts(
    waiting: Waiting, mailroom: Mailroom
) -> None:
    access, clock = access_to(mailroom), mailroom.services.clock
    await deliver(mailroom, "code old")
    clock.moved_seconds += 60  # type: ignore[attr-defined]
    position = await last_position(mailroom.services.database)
    moment = clock.now()

    async def look(**bounds: object) -> str | None:
        found = await waiting.find_first(access, "code", timeout_seconds=0, **bounds)  # type: ignore[arg-type]
        return subject_of(found)

    assert await look() == "code old"
    assert await look(since=moment) is None
    assert await look(after=position) is None
    await deliver(mailroom, "code new")
    assert await look(since=moment) == "code new"
    assert await look(after=position) == "code new"
    assert await look(since=moment + timedelta(hours=1)) is None
    assert await look(after=await last_position(mailroom.services.database)) is None


async def test_position_of_one_answer_leads_to_what_comes_next(
    waiting: Waiting, mailroom: Mailroom
) -> None:
    await deliver(mailroom, "code one")
    first = await waiting.find_first(access_to(mailroom), "code", timeout_seconds=0)
    again = await waiting.find_first(
        access_to(mailroom), "code", timeout_seconds=0, after=first.position
    )
    assert again.message is None
    await deliver(mailroom, "code two")
    second = await waiting.find_first(
        access_to(mailroom), "code", timeout_seconds=0, after=again.position
    )
    assert subject_of(second) == "code two"


async def test_no_more_of_the_past_is_looked_at_than_the_newest(
    waiting: Waiting, mailroom: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.search.waiting.MAX_PAST_MESSAGES", 5)
    await deliver(mailroom, "needle", *(f"hay {each}" for each in range(4)))
    access = access_to(mailroom)
    assert (await waiting.find_first(access, "needle", timeout_seconds=0)).message
    await deliver(mailroom, "more hay")
    assert (await waiting.find_first(access, "needle", timeout_seconds=0)).message is None


async def test_nobody_is_told_of_mail_that_they_may_not_see(
    waiting: Waiting, mailroom: Mailroom
) -> None:
    other = await mailroom.add_mailbox("other@example.test")
    stranger = await mailroom.services.tenants.create("Stranger", "developer")
    limited = access_to(mailroom, other.id)
    for access in (limited, access_to(mailroom), Access(stranger.id)):
        assert (await waiting.find_first(access, "code", timeout_seconds=0)).message is None
    inside = await begin(waiting, mailroom, "code", limited)
    outside = await begin(waiting, mailroom, "", Access(stranger.id))
    nowhere = await begin(waiting, mailroom, "", Access(mailroom.mailbox.tenant_id, ()))
    await deliver(mailroom, "code one")
    await deliver(mailroom, "code two", to="other@example.test")
    assert subject_of(await inside) == "code two"
    for task in (outside, nowhere):
        assert not task.done()
        task.cancel()
    await asyncio.gather(outside, nowhere, return_exceptions=True)
    assert (await waiting.find_first(Access(stranger.id), "", timeout_seconds=0)).message is None


async def test_waiting_ends_when_the_process_stops(waiting: Waiting, mailroom: Mailroom) -> None:
    task = await begin(waiting, mailroom, "code")
    mailroom.services.feed.end()
    with pytest.raises(Unavailable):
        await task


async def test_what_was_not_understood_is_told(waiting: Waiting, mailroom: Mailroom) -> None:
    found = await waiting.find_first(access_to(mailroom), "larger:huge", timeout_seconds=0)
    assert found.notes
