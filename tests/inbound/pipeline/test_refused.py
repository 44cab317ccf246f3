"""Notes of refused mail become rows and events of the right tenant, once each."""

from dataclasses import replace as _replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from mailroom import Mailroom

from app.assembly import Services
from app.core.errors import Unavailable
from app.inbound.pipeline.refused import RefusedMailReader
from app.inbox.refused import RefusedRow, list_refused
from app.storage.refused_mail import RefusedMail, RefusedMailFolder


@pytest.fixture
def reader(mailroom: Mailroom) -> RefusedMailReader:
    return mailroom.services.refused_mail_reader()


def make_note(services: Services, **changes: Any) -> RefusedMail:
    note = RefusedMail(
        id=services.ids.new(),
        trace_id=uuid4(),
        refused_at=services.clock.now(),
        client_address="192.0.2.1",
        client_name="mail.example.org",
        mail_from="ada@example.org",
        recipient="nobody@example.test",
        code=550,
        enhanced_code="5.1.1",
        cause="unknown_recipient",
        reply="550 5.1.1 No such mailbox here",
    )
    return msgspec.structs.replace(note, **changes)


async def rows_of(mailroom: Mailroom, tenant_id: Any = None, **wanted: Any) -> list[RefusedRow]:
    page = await list_refused(
        mailroom.services.database, tenant_id or mailroom.mailbox.tenant_id, **wanted
    )
    return list(page.rows)


async def test_note_becomes_a_row_and_an_event_without_addresses(
    mailroom: Mailroom, reader: RefusedMailReader
) -> None:
    note = make_note(mailroom.services, sampled_out=4)
    reader.folder.write([note])
    assert await reader.take_what_is_there() == 1
    (row,) = await rows_of(mailroom)
    assert (row.id, row.mail_from, row.recipient) == (note.id, note.mail_from, note.recipient)
    assert (row.reply, row.client_name, row.sampled_out) == (note.reply, note.client_name, 4)
    (event,) = await mailroom.events("message.rejected")
    assert (event.subject_type, event.subject_id) == ("refused_mail", note.id)
    assert (event.tenant_id, event.mailbox_id) == (mailroom.mailbox.tenant_id, None)
    assert event.trace_id == note.trace_id
    assert event.data == {
        "code": 550,
        "enhanced_code": "5.1.1",
        "cause": "unknown_recipient",
        "sampled_out": 4,
    }
    assert not reader.folder.waiting()


async def test_note_that_is_read_twice_changes_nothing(
    mailroom: Mailroom, reader: RefusedMailReader
) -> None:
    """A worker that is killed after its commit finds the file again."""
    note = make_note(mailroom.services)
    for _ in range(2):
        reader.folder.write([note, note])
        await reader.take_what_is_there()
    assert len(await rows_of(mailroom)) == 1
    assert len(await mailroom.events("message.rejected")) == 1


async def test_notes_wait_while_the_database_is_away(
    mailroom: Mailroom, reader: RefusedMailReader
) -> None:
    reader.folder.write([make_note(mailroom.services)])
    await mailroom.services.database.close()
    with pytest.raises(Unavailable):
        await reader.take_what_is_there()
    assert len(reader.folder.waiting()) == 1
    await mailroom.services.database.open()
    assert await reader.take_what_is_there() == 1


async def test_tenant_sees_its_own_domains_only(
    mailroom: Mailroom, reader: RefusedMailReader
) -> None:
    other = await mailroom.services.tenants.create("Other", "enterprise")
    await mailroom.services.domains.add("other.test", other.id, vouched=True)
    reader.folder.write(
        [
            make_note(mailroom.services),
            make_note(mailroom.services, recipient="X@Other.TEST"),
            make_note(mailroom.services, recipient="x@nobody.test"),
            make_note(mailroom.services, recipient="no address"),
        ]
    )
    assert await reader.take_what_is_there() == 2
    assert [row.recipient for row in await rows_of(mailroom)] == ["nobody@example.test"]
    assert [row.recipient for row in await rows_of(mailroom, other.id)] == ["X@Other.TEST"]
    events = await mailroom.events("message.rejected")
    assert {event.tenant_id for event in events} == {mailroom.mailbox.tenant_id, other.id}


async def test_claim_that_was_not_proven_shows_nothing(
    mailroom: Mailroom, reader: RefusedMailReader
) -> None:
    thief = await mailroom.services.tenants.create("Thief", "developer")
    await mailroom.services.domains.add("example.test", thief.id, vouched=False)
    await mailroom.services.domains.add("claimed.test", thief.id, vouched=False)
    reader.folder.write(
        [
            make_note(mailroom.services),
            make_note(mailroom.services, recipient="x@claimed.test"),
        ]
    )
    assert await reader.take_what_is_there() == 1
    assert await rows_of(mailroom, thief.id) == []
    assert len(await rows_of(mailroom)) == 1


async def test_event_names_the_mailbox_when_the_recipient_is_one(
    mailroom: Mailroom, reader: RefusedMailReader
) -> None:
    reader.folder.write([make_note(mailroom.services, recipient="Box@Example.test")])
    await reader.take_what_is_there()
    (event,) = await mailroom.events("message.rejected")
    assert event.mailbox_id == mailroom.mailbox.id


async def test_damaged_and_strange_notes_stop_nothing(
    mailroom: Mailroom, reader: RefusedMailReader
) -> None:
    strange = make_note(
        mailroom.services, mail_from="\0" + "x" * 5000, client_name="\0", cause="x" * 99
    )
    reader.folder.write([strange])
    (file,) = reader.folder.waiting()
    file.write_bytes(b"garbage\n" + file.read_bytes() + b'{"id"')
    (reader.folder.path / "0.jsonl").write_bytes(b"")
    assert await reader.take_what_is_there() == 1
    assert not reader.folder.waiting()


async def test_more_than_an_append_takes_come_in_parts(
    mailroom: Mailroom, reader: RefusedMailReader
) -> None:
    reader.folder.write([make_note(mailroom.services) for _ in range(1001)])
    assert await reader.take_what_is_there() == 1001


async def test_old_rows_are_removed_and_others_stay(
    mailroom: Mailroom, reader: RefusedMailReader
) -> None:
    old = mailroom.services.clock.now() - timedelta(days=31)
    new = make_note(mailroom.services)
    reader.folder.write([make_note(mailroom.services, refused_at=old), new])
    await reader.take_what_is_there()
    assert await mailroom.services.removal.remove_old_refused_mail() == 1
    assert [row.id for row in await rows_of(mailroom)] == [new.id]


async def test_folder_lies_beside_the_spool(services: Services) -> None:
    settings = services.settings
    assert RefusedMailFolder.of(settings).path == settings.spool_folder / "refused"
    in_bucket = _replace(settings, spool_url="s3:spool", s3_bucket_name="b")
    assert RefusedMailFolder.of(in_bucket).path == settings.pillarbox_data / "refused"
