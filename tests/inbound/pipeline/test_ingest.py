"""What the pipeline makes of items: each once, whole, or in quarantine with a reason."""

import asyncio
import hashlib
from email.message import EmailMessage
from typing import Any

import pytest
from mailroom import PREFIX, Mailroom

from app.core.errors import Unavailable
from app.inbox.listing import Access
from app.storage.blobs.keys import quarantine_key, raw_key
from app.storage.blobs.port import BlobStore


def compose(subject: str = "Hello", message_id: str | None = "<one@example.org>") -> bytes:
    message = EmailMessage()
    message["From"] = "Ada <ada@example.org>"
    message["To"] = "box@example.test"
    message["Subject"] = subject
    message["Date"] = "Sun, 22 Nov 2026 06:00:00 +0000"
    if message_id:
        message["Message-ID"] = message_id
    message.set_content("The text.")
    message.add_attachment(b"\x00\x01", maintype="application", subtype="pdf", filename="a b.pdf")
    return message.as_bytes().replace(b"\n", b"\r\n")


async def test_message_is_listed_and_its_raw_bytes_kept_when_an_item_is_taken_in(
    mailroom: Mailroom,
) -> None:
    data = compose()
    await mailroom.spool(data)
    await mailroom.take_in()
    (row,) = await mailroom.rows()
    assert (row.from_name, row.subject, row.attachment_count) == ("Ada", "Hello", 1)
    assert row.sha256 == hashlib.sha256(PREFIX + data).digest()
    stored = await mailroom.services.blobs.get(raw_key(mailroom.mailbox.tenant_id, row.sha256))
    assert stored == PREFIX + data


async def test_attachment_is_an_object_of_its_own_when_a_message_has_one(
    mailroom: Mailroom,
) -> None:
    await mailroom.spool(compose())
    await mailroom.take_in()
    (row,) = await mailroom.rows()
    view = await mailroom.services.reading.open(Access(mailroom.mailbox.tenant_id), row.id)
    (attachment,) = view.attachments
    assert (attachment.file_name, attachment.size_bytes) == ("a b.pdf", 2)
    folder = f"{mailroom.mailbox.tenant_id}/{row.id}/"
    assert attachment.storage_key.startswith(folder)
    assert await mailroom.services.blobs.get(attachment.storage_key) == b"\x00\x01"


async def test_log_tells_of_the_message_under_the_trace_of_its_item(mailroom: Mailroom) -> None:
    metadata = await mailroom.spool(compose())
    await mailroom.take_in()
    (row,) = await mailroom.rows()
    events = [e for e in await mailroom.events() if e.trace_id == metadata.trace_id]
    assert [event.type for event in events] == ["objectstore.uploaded", "ingest.received"]
    assert {event.subject_id for event in events} == {row.id}
    assert events[1].data["item_id"] == str(metadata.item_id)
    assert events[1].data["sha256"] == row.sha256.hex()


async def test_message_is_stored_once_and_told_as_duplicate_when_it_is_sent_again(
    mailroom: Mailroom,
) -> None:
    for _ in range(3):
        await mailroom.spool(compose())
    await mailroom.take_in()
    await mailroom.spool(compose())
    await mailroom.take_in()
    (row,) = await mailroom.rows()
    duplicates = await mailroom.events("message.duplicate")
    assert [event.subject_id for event in duplicates] == [row.id] * 3


async def test_message_is_kept_and_marked_when_its_id_comes_again_with_other_content(
    mailroom: Mailroom,
) -> None:
    await mailroom.spool(compose("First"))
    await mailroom.spool(compose("Second"))
    await mailroom.take_in()
    rows = await mailroom.rows()
    access = Access(mailroom.mailbox.tenant_id)
    marks = {
        row.subject: (await mailroom.services.reading.open(access, row.id)).is_variant
        for row in rows
    }
    assert marks == {"First": False, "Second": True}


async def test_each_mailbox_gets_its_message_when_an_envelope_names_several(
    mailroom: Mailroom,
) -> None:
    other = await mailroom.add_mailbox("other@example.test")
    everything = await mailroom.add_mailbox("*@example.test")
    await mailroom.spool(
        compose(),
        "Box+tag@Example.test",
        "box@example.test",
        "other@example.test",
        "x@example.test",
    )
    await mailroom.take_in()
    for mailbox in (mailroom.mailbox, other, everything):
        assert len(await mailroom.rows(mailbox)) == 1
    references = await mailroom.services.database.fetch_value(
        "select reference_count from raw_blob"
    )
    assert references == 3


async def test_nothing_happens_twice_when_an_item_is_read_again(mailroom: Mailroom) -> None:
    """As after a crash between the commit and the reader hearing of it."""
    await mailroom.spool(compose())
    await mailroom.take_in()
    before = await mailroom.events()
    await mailroom.services.database.execute("delete from spool_position")
    mailroom.drain.positions.clear()
    await mailroom.take_in()
    assert len(await mailroom.rows()) == 1
    assert await mailroom.events() == before


async def test_each_item_is_taken_once_when_two_workers_read_one_spool(mailroom: Mailroom) -> None:
    rival = mailroom.services.drain(await mailroom.services.spool.open_reader())
    tasks = [asyncio.create_task(drain.run()) for drain in (mailroom.drain, rival)]
    for number in range(30):
        await mailroom.spool(compose(message_id=f"<{number}@example.org>"))
    while len(await mailroom.rows()) < 30:
        assert not any(task.done() for task in tasks)
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    assert len(await mailroom.rows()) == 30
    assert await mailroom.events("message.duplicate") == []


async def test_item_is_kept_in_quarantine_when_no_recipient_has_a_mailbox(
    mailroom: Mailroom,
) -> None:
    data = compose()
    metadata = await mailroom.spool(data, "nobody@example.test")
    await mailroom.take_in()
    ((item_id, stage, _),) = await mailroom.quarantined()
    assert (item_id, stage) == (metadata.item_id, "route")
    kept = await mailroom.services.blobs.get(quarantine_key(item_id))
    assert kept == PREFIX + data
    assert [e.subject_id for e in await mailroom.events("message.quarantined")] == [item_id]


async def test_quarantined_item_is_delivered_when_it_is_retried_after_the_cause_is_mended(
    mailroom: Mailroom,
) -> None:
    metadata = await mailroom.spool(compose(), "nobody@example.test")
    await mailroom.take_in()
    pipeline = mailroom.services.pipeline("quarantine")
    assert not await mailroom.services.quarantine.retry(metadata.item_id, pipeline)
    mailbox = await mailroom.add_mailbox("nobody@example.test")
    assert await mailroom.services.quarantine.retry(metadata.item_id, pipeline)
    assert len(await mailroom.rows(mailbox)) == 1
    assert await mailroom.quarantined() == []


async def test_mail_for_a_closed_temporary_inbox_leaves_nothing_behind(mailroom: Mailroom) -> None:
    services = mailroom.services
    tenant = await services.tenants.create("Temporary", "temporary")
    await services.domains.add(services.settings.temporary_domain, tenant.id, vouched=True)
    inbox = await services.inboxes.create()
    await services.inboxes.delete(inbox.token)
    await mailroom.spool(compose(), inbox.address)
    await mailroom.take_in()
    assert await mailroom.quarantined() == []
    told = await mailroom.events("message.deleted")
    assert [event.data["reason"] for event in told] == ["no_mailbox"]


async def test_mail_for_nobody_is_discarded_where_the_domain_accepts_everything(
    mailroom: Mailroom,
) -> None:
    domains = mailroom.services.domains
    await domains.change(
        await domains.find_receiving("example.test"), recipient_policy="accept_and_discard"
    )
    await mailroom.spool(compose(), "nobody@example.test")
    await mailroom.spool(compose(), "nobody@example.test", mailroom.mailbox.address)
    await mailroom.take_in()
    assert await mailroom.quarantined() == []
    assert len(await mailroom.rows()) == 1
    told = await mailroom.events("message.deleted")
    assert [event.data["reason"] for event in told] == ["no_mailbox"]


class FailingBlobs:
    """A store that refuses what a test names, or everything."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self.refused = b""
        self.is_down = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    async def check(self) -> None:
        if self.is_down:
            raise Unavailable("The object store is down.")

    async def put_many(self, blobs: Any) -> None:
        await self.check()
        if self.refused and any(
            key.startswith("raw/") and self.refused in data for key, data, _ in blobs
        ):
            raise Unavailable("This object was not taken.")
        await self._blobs.put_many(blobs)


@pytest.fixture
def failing_blobs(mailroom: Mailroom) -> FailingBlobs:
    blobs = FailingBlobs(mailroom.services.blobs)
    object.__setattr__(mailroom.drain.pipeline.storekeeper, "blobs", blobs)
    return blobs


async def test_reader_waits_where_it_is_when_the_object_store_is_down(
    mailroom: Mailroom, failing_blobs: FailingBlobs
) -> None:
    failing_blobs.is_down = True
    await mailroom.spool(compose())
    with pytest.raises(Unavailable):
        await mailroom.take_in()
    assert await mailroom.rows() == ()
    assert await mailroom.drain.load_positions() == {}
    failing_blobs.is_down = False
    await mailroom.take_in()
    assert len(await mailroom.rows()) == 1


async def test_item_waits_for_its_next_try_and_delays_nobody_when_only_it_is_refused(
    mailroom: Mailroom, failing_blobs: FailingBlobs, clock: Any
) -> None:
    failing_blobs.refused = b"Refused"
    for subject in ("Before", "Refused", "After"):
        await mailroom.spool(compose(subject, message_id=f"<{subject}@example.org>"))
    await mailroom.take_in()
    assert {row.subject for row in await mailroom.rows()} == {"Before", "After"}
    failing_blobs.refused = b""
    clock.moved_seconds = 60
    await mailroom.take_in()
    assert {row.subject for row in await mailroom.rows()} == {"Before", "Refused", "After"}
    assert await mailroom.services.database.fetch("select from spool_deferred") == []


async def test_item_ends_in_quarantine_when_its_tries_are_used_up(
    mailroom: Mailroom, failing_blobs: FailingBlobs, clock: Any
) -> None:
    failing_blobs.refused = b"Subject: Hello"
    metadata = await mailroom.spool(compose())
    for _ in range(10):
        assert await mailroom.quarantined() == []
        await mailroom.take_in()
        clock.moved_seconds += 3600
    ((item_id, stage, _),) = await mailroom.quarantined()
    assert (item_id, stage) == (metadata.item_id, "store")
    assert await mailroom.services.database.fetch("select from spool_deferred") == []
