"""When a temporary inbox is over, nothing of it is left but bare ids in the log."""

from typing import Any

import pytest
from clocks import MovableClock
from mailroom import Mailroom

from app.assembly import Services
from app.core.errors import NotFound
from app.directory.bootstrap import ensure_temporary_domain
from app.eventlog.types import EventType
from app.inbox.actions import Action
from app.inbox.listing import Access
from app.inbox.removal import TRASH_TTL

MAIL = (
    b"From: a@example.org\r\nSubject: secret words\r\nMessage-ID: <x@example.org>\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nText\r\n--b\r\n'
    b'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="f.pdf"\r\n'
    b"\r\nfile\r\n--b--\r\n"
)


async def objects(services: Services) -> list[str]:
    return [blob.key async for blob in services.blobs.list("")]


async def test_rows_and_objects_are_gone_when_an_inbox_expired(
    mailroom: Mailroom, clock: Any
) -> None:
    services = mailroom.services
    await ensure_temporary_domain(
        services.tenants, services.domains, services.settings.temporary_domain
    )
    inbox = await services.inboxes.create()
    await mailroom.spool(MAIL, inbox.address)
    await mailroom.take_in()
    assert len(await objects(services)) == 2

    clock.moved_seconds = services.settings.temporary_ttl_seconds + 1
    with pytest.raises(NotFound):
        await services.inboxes.open(inbox.token)
    assert await services.removal.remove_expired_mailboxes() == 1
    clock.moved_seconds += 61
    await services.removal.remove_released_objects()

    assert await objects(services) == []
    for table in ("message", "message_body", "attachment", "raw_blob", "released_object"):
        assert await services.database.fetch_value(f"select count(*) from {table}") == 0
    assert not await services.database.fetch_value(
        "select exists (select from mailbox where id = $1)", inbox.mailbox_id
    )
    everything = str(await mailroom.events())
    for trace in ("secret words", inbox.address, inbox.token, "f.pdf"):
        assert trace not in everything
    assert (await mailroom.events("mailbox.expired"))[0].subject_id == inbox.mailbox_id


async def test_raw_message_stays_when_another_mailbox_still_refers_to_it(
    mailroom: Mailroom, clock: Any
) -> None:
    services = mailroom.services
    other = await mailroom.add_mailbox("other@example.test")
    await mailroom.spool(MAIL, mailroom.mailbox.address, other.address)
    await mailroom.take_in()
    await services.database.execute("update mailbox set expires_at = now() where id = $1", other.id)
    clock.moved_seconds = 1
    await services.removal.remove_expired_mailboxes()
    clock.moved_seconds = 62
    await services.removal.remove_released_objects()
    (row,) = await mailroom.rows()
    raw = [key for key in await objects(services) if key.startswith("raw/")]
    assert raw == [f"raw/{mailroom.mailbox.tenant_id}/{row.sha256.hex()}"]


async def test_mailbox_of_a_day_ahead_is_left_alone(mailroom: Mailroom) -> None:
    assert await mailroom.services.removal.remove_expired_mailboxes() == 0


async def test_trash_is_emptied_after_its_time_and_not_before(
    mailroom: Mailroom, clock: MovableClock
) -> None:
    for number in range(2):
        await mailroom.spool(f"From: a@example.org\r\nSubject: {number}\r\n\r\nHi\r\n".encode())
    await mailroom.take_in()
    kept, trashed = [row.id for row in await mailroom.rows()]
    services = mailroom.services
    user = await services.users.add("a@example.test", mailroom.mailbox.tenant_id, "agent")
    access = Access(mailroom.mailbox.tenant_id)
    await services.actions.apply(access, user.id, Action.TRASH, [trashed])

    clock.moved_seconds = TRASH_TTL.total_seconds() - 60
    assert await services.removal.empty_trash() == 0
    clock.moved_seconds += 120
    assert await services.removal.empty_trash() == 1
    assert [row.id for row in await mailroom.rows()] == [kept]
    (event,) = await mailroom.events(EventType.MESSAGE_DELETED)
    assert (event.subject_id, event.data) == (trashed, {"reason": "trash_emptied"})
    clock.moved_seconds += 120
    assert await services.removal.remove_released_objects() == 1
