"""When a temporary inbox is over, nothing of it is left but bare ids in the log."""

from typing import Any

import pytest
from mailroom import Mailroom

from app.assembly import Services
from app.core.errors import NotFound
from app.directory.bootstrap import ensure_temporary_domain

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
