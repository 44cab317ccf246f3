"""A temporary inbox keeps within its limits, whoever sends what, and its owner is told."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from clocks import MovableClock
from hypothesis import given
from hypothesis import strategies as st
from mailroom import PREFIX, Mailroom

from app.directory.bootstrap import ensure_temporary_domain
from app.directory.mailboxes import Mailbox
from app.eventlog.types import EventType
from app.inbound.pipeline.arrival import Arrival
from app.inbox.temporary import TemporaryInbox
from app.inbox.temporary_limits import InboxUsage, TemporaryLimits
from app.settings import Settings
from app.storage.spool.port import Item, Position

MESSAGES, INBOX_BYTES, MESSAGE_BYTES, AN_HOUR = 6, 20_000, 5000, 4


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings,
        temporary_max_messages=MESSAGES,
        temporary_max_inbox_bytes=INBOX_BYTES,
        temporary_max_message_bytes=MESSAGE_BYTES,
        temporary_messages_per_hour=AN_HOUR,
        temporary_max_ttl_seconds=6 * 3600,
    )


@pytest.fixture
async def inbox(mailroom: Mailroom) -> TemporaryInbox:
    services = mailroom.services
    await ensure_temporary_domain(
        services.tenants, services.domains, services.settings.temporary_domain
    )
    return await services.inboxes.create()


def compose(size_bytes: int = 300) -> bytes:
    head = f"From: a@x.test\r\nSubject: s\r\nMessage-ID: <{uuid4()}@x>\r\n\r\n".encode()
    return head + b"x" * (size_bytes - len(head) - 2) + b"\r\n"


async def send(mailroom: Mailroom, count: int, *recipients: str, size_bytes: int = 300) -> None:
    for _ in range(count):
        await mailroom.spool(compose(size_bytes), *recipients)
    await mailroom.take_in()


def mailbox_of(inbox: TemporaryInbox) -> Mailbox:
    return Mailbox(inbox.mailbox_id, inbox.tenant_id, inbox.address, inbox.expires_at)


async def kept(mailroom: Mailroom, inbox: TemporaryInbox) -> int:
    return len(await mailroom.rows(mailbox_of(inbox)))


async def reasons(mailroom: Mailroom) -> list[str]:
    return [event.data["reason"] for event in await mailroom.events(EventType.MESSAGE_DELETED)]


async def test_no_more_is_kept_in_an_hour_than_may_and_the_next_hour_has_room(
    mailroom: Mailroom, inbox: TemporaryInbox, clock: MovableClock
) -> None:
    await send(mailroom, AN_HOUR + 2, inbox.address)
    assert await kept(mailroom, inbox) == AN_HOUR
    assert await reasons(mailroom) == ["too_many_an_hour"] * 2
    seen = await mailroom.services.inboxes.open(inbox.token)
    assert (seen.discarded_count, seen.is_full) == (2, False)
    assert seen.busy_until

    await mailroom.services.inboxes.extend(inbox.token)
    clock.moved_seconds = 3599
    await mailroom.services.inboxes.extend(inbox.token)
    clock.moved_seconds = 3602
    await send(mailroom, 1, inbox.address)
    assert await kept(mailroom, inbox) == AN_HOUR + 1
    assert (await mailroom.services.inboxes.open(inbox.token)).busy_until is None


async def test_inbox_is_full_when_it_took_as_many_messages_as_it_may(
    mailroom: Mailroom, inbox: TemporaryInbox, clock: MovableClock
) -> None:
    await send(mailroom, AN_HOUR, inbox.address)
    await mailroom.services.inboxes.extend(inbox.token)
    clock.moved_seconds = 3590
    await mailroom.services.inboxes.extend(inbox.token)
    clock.moved_seconds = 3602
    await send(mailroom, AN_HOUR, inbox.address)
    assert await kept(mailroom, inbox) == MESSAGES
    assert await reasons(mailroom) == ["inbox_full"] * (AN_HOUR * 2 - MESSAGES)
    assert (await mailroom.services.inboxes.open(inbox.token)).is_full


async def test_inbox_is_full_when_it_took_as_many_bytes_as_it_may(
    mailroom: Mailroom, inbox: TemporaryInbox
) -> None:
    await send(mailroom, 3, inbox.address, size_bytes=MESSAGE_BYTES)
    await send(mailroom, 1, inbox.address, size_bytes=INBOX_BYTES - 3 * MESSAGE_BYTES)
    assert await kept(mailroom, inbox) == 4
    await send(mailroom, 1, inbox.address)
    assert await reasons(mailroom) == ["inbox_full"]
    assert (await mailroom.services.inboxes.open(inbox.token)).is_full


async def test_message_is_discarded_when_it_is_too_large_and_kept_where_it_is_not(
    mailroom: Mailroom, inbox: TemporaryInbox
) -> None:
    await send(mailroom, 1, inbox.address, size_bytes=MESSAGE_BYTES)
    both = (inbox.address, mailroom.mailbox.address)
    await send(mailroom, 1, *both, size_bytes=MESSAGE_BYTES + 1)
    assert await kept(mailroom, inbox) == 1
    assert len(await mailroom.rows()) == 1
    assert await reasons(mailroom) == ["message_too_large"]
    assert (await mailroom.services.inboxes.open(inbox.token)).discarded_count == 1


async def test_objects_of_what_was_discarded_go_and_those_of_others_stay(
    mailroom: Mailroom, inbox: TemporaryInbox, clock: MovableClock
) -> None:
    services = mailroom.services
    await send(mailroom, AN_HOUR, inbox.address)
    await send(mailroom, 1, inbox.address, mailroom.mailbox.address)
    await send(mailroom, 2, inbox.address)
    clock.moved_seconds = 61
    await services.removal.remove_released_objects()
    raw = {blob.key async for blob in services.blobs.list("raw/")}
    rows = [*await mailroom.rows(mailbox_of(inbox)), *await mailroom.rows()]
    owners = [inbox.tenant_id] * AN_HOUR + [mailroom.mailbox.tenant_id]
    assert raw == {f"raw/{o}/{r.sha256.hex()}" for o, r in zip(owners, rows, strict=True)}


async def test_message_that_was_recorded_keeps_its_files_when_it_comes_again_to_a_full_inbox(
    mailroom: Mailroom, inbox: TemporaryInbox, clock: MovableClock
) -> None:
    services = mailroom.services
    data = PREFIX + (
        b'Subject: s\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
        b"Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=f.pdf\r\n\r\n"
        b"file\r\n--b--\r\n"
    )
    metadata = await mailroom.spool(data.removeprefix(PREFIX), inbox.address)
    await mailroom.take_in()
    await send(mailroom, AN_HOUR, inbox.address)
    again = Arrival(Item(Position("smtp", 0, 0), metadata, data))
    await services.pipeline("folder").take_in([again], None)
    clock.moved_seconds = 61
    await services.removal.remove_released_objects()
    assert len([blob async for blob in services.blobs.list(f"{inbox.tenant_id}/")]) == 1
    assert (await services.inboxes.open(inbox.token)).discarded_count == 1


async def test_same_message_counts_once_when_it_comes_again(
    mailroom: Mailroom, inbox: TemporaryInbox
) -> None:
    data = compose()
    for _ in range(AN_HOUR + 2):
        await mailroom.spool(data, inbox.address)
        await mailroom.take_in()
    await send(mailroom, AN_HOUR - 1, inbox.address)
    assert await kept(mailroom, inbox) == AN_HOUR
    assert await reasons(mailroom) == []


async def test_limits_hold_when_several_workers_take_mail_in_at_once(
    mailroom: Mailroom, inbox: TemporaryInbox
) -> None:
    async def take_in(number: int) -> None:
        for _ in range(3):
            metadata = await mailroom.spool(b"", inbox.address)
            item = Item(Position("smtp", 0, 0), metadata, PREFIX + compose())
            await mailroom.services.pipeline(f"spool {number}").take_in([Arrival(item)], None)

    await asyncio.gather(*(take_in(number) for number in range(4)))
    assert await kept(mailroom, inbox) == AN_HOUR


async def test_mailbox_of_another_plan_has_no_limits(mailroom: Mailroom) -> None:
    await send(mailroom, MESSAGES + 2, mailroom.mailbox.address, size_bytes=MESSAGE_BYTES + 1)
    assert len(await mailroom.rows()) == MESSAGES + 2


async def test_item_that_nobody_could_parse_goes_when_its_inbox_is_over(
    mailroom: Mailroom, inbox: TemporaryInbox, clock: MovableClock
) -> None:
    services = mailroom.services
    recipients = [
        (inbox.address.upper(),),
        (inbox.address.replace("@", "+tag@"), f"nobody@{services.settings.temporary_domain}"),
        (inbox.address, mailroom.mailbox.address),
    ]
    for names in recipients:
        metadata = await mailroom.spool(compose(), *names)
        item = Item(Position("smtp", 0, 0), metadata, PREFIX + compose())
        await services.pipeline("folder")._refuse(Arrival(item), "parse", "unreadable", None)
    assert await services.quarantine.drop_expired() == 0
    clock.moved_seconds = services.settings.temporary_ttl_seconds + 1
    assert await services.quarantine.drop_expired() == 2
    assert len(await mailroom.quarantined()) == 1


async def test_time_of_an_inbox_ends_however_often_it_is_extended(
    mailroom: Mailroom, inbox: TemporaryInbox, clock: MovableClock
) -> None:
    inboxes = mailroom.services.inboxes
    for minute in range(0, 360, 50):
        clock.moved_seconds = minute * 60
        await inboxes.extend(inbox.token)
    seen = await inboxes.open(inbox.token)
    assert seen.expires_at == seen.last_expires_at == inbox.last_expires_at
    page_says = timedelta(hours=6) - (seen.expires_at - clock.now()) - timedelta(seconds=350 * 60)
    assert abs(page_says) < timedelta(seconds=20)


async def test_owner_is_told_on_the_page(
    mailroom: Mailroom, inbox: TemporaryInbox, web: httpx.AsyncClient
) -> None:
    url = f"/t/{inbox.token}"
    page = (await web.get(url)).text
    assert "not kept" not in page
    assert "Extend" in page
    await send(mailroom, AN_HOUR + 1, inbox.address)
    page = (await web.get(url)).text
    assert "Too much mail came within an hour." in page
    assert "1 mail was not kept" in page
    await mailroom.services.database.execute(
        "update inbox_usage set message_count = $1, discarded_count = 3", MESSAGES
    )
    page = (await web.get(url)).text
    assert "This inbox is full." in page
    assert "3 mails were not kept" in page


async def test_open_page_hears_at_once_that_a_mail_was_not_kept(
    mailroom: Mailroom, inbox: TemporaryInbox
) -> None:
    services = mailroom.services
    await send(mailroom, AN_HOUR + 1, inbox.address)
    (event,) = await mailroom.events(EventType.MESSAGE_DELETED)
    assert (event.mailbox_id, event.tenant_id) == (inbox.mailbox_id, inbox.tenant_id)
    assert event.subject_type == "message"
    assert not await services.database.fetch_value(
        "select exists (select from message where id = $1)", event.subject_id
    )


LIMITS = TemporaryLimits(
    max_message_bytes=100, max_messages=20, max_inbox_bytes=500, messages_per_hour=5
)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@given(st.lists(st.tuples(st.integers(1, 150), st.integers(0, 1500)), max_size=60))
def test_no_order_of_sizes_and_times_breaks_a_limit(arrivals: list[tuple[int, int]]) -> None:
    usage, now = InboxUsage(UUID(int=1), 0, 0, NOW, 0), NOW
    hours: dict[datetime, int] = {}
    for size_bytes, pause_seconds in arrivals:
        now += timedelta(seconds=pause_seconds)
        if usage.excess(size_bytes, LIMITS, now) is None:
            assert size_bytes <= LIMITS.max_message_bytes
            usage.add(size_bytes, now)
            hours[usage.hour_began_at] = hours.get(usage.hour_began_at, 0) + 1
        assert usage.message_count <= LIMITS.max_messages
        assert usage.size_bytes <= LIMITS.max_inbox_bytes
    assert all(count <= LIMITS.messages_per_hour for count in hours.values())
