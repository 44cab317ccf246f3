"""The sidecar's snapshot follows the directory."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from mailroom import Mailroom

from app.access.grants import SYSTEM, Grant
from app.directory.bootstrap import ensure_temporary_domain
from app.directory.snapshot import RecipientVerdict, SnapshotFile, snapshot_path


@pytest.fixture
async def snapshot(mailroom: Mailroom) -> AsyncIterator[SnapshotFile]:
    path = snapshot_path(mailroom.services.settings)
    task = asyncio.create_task(mailroom.services.snapshot_writer().run())
    file = SnapshotFile(path, mailroom.services.clock)
    await until(lambda: file.current() is not None)
    yield file
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (another process's file)
            await asyncio.sleep(0.005)


def accepts(snapshot: SnapshotFile, address: str) -> bool:
    return snapshot.resolve(address) is RecipientVerdict.ACCEPT


async def test_mailbox_is_accepted_when_it_was_added(
    mailroom: Mailroom, snapshot: SnapshotFile
) -> None:
    assert accepts(snapshot, mailroom.mailbox.address)
    assert snapshot.resolve("new@example.test") is RecipientVerdict.UNKNOWN
    await mailroom.add_mailbox("new@example.test")
    await until(lambda: accepts(snapshot, "new@example.test"))


async def test_catch_all_accepts_every_address_of_its_domain(
    mailroom: Mailroom, snapshot: SnapshotFile
) -> None:
    await mailroom.add_mailbox("*@example.test")
    await until(lambda: accepts(snapshot, "anything@example.test"))


async def test_temporary_inbox_is_refused_when_it_was_deleted(
    mailroom: Mailroom, snapshot: SnapshotFile
) -> None:
    services = mailroom.services
    tenant = await services.tenants.create("Temporary", "temporary")
    await services.domains.add(services.settings.temporary_domain, tenant.id, vouched=True)
    inbox = await services.inboxes.create()
    await until(lambda: accepts(snapshot, inbox.address))
    await services.inboxes.delete(inbox.token)
    await until(lambda: not accepts(snapshot, inbox.address))


async def test_snapshot_is_written_when_redis_is_away(
    mailroom: Mailroom, snapshot: SnapshotFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doorbell is a convenience: the writer looks by itself as well."""

    async def silent(*_: Any) -> None: ...

    monkeypatch.setattr(type(mailroom.services.doorbell), "ring", silent)
    await mailroom.add_mailbox("new@example.test")
    await until(lambda: accepts(snapshot, "new@example.test"))


async def test_snapshot_is_touched_while_nothing_changes(
    mailroom: Mailroom, snapshot: SnapshotFile
) -> None:
    path = snapshot_path(mailroom.services.settings)
    os.utime(path, (0, 0))
    await until(lambda: path.stat().st_mtime > 0)


async def test_new_policy_of_a_domain_is_followed(
    mailroom: Mailroom, snapshot: SnapshotFile
) -> None:
    assert snapshot.resolve("nobody@example.test") is RecipientVerdict.UNKNOWN
    for policy, verdict in (
        ("reply_after_data", RecipientVerdict.REFUSE_AFTER_DATA),
        ("accept_and_discard", RecipientVerdict.ACCEPT),
        ("reject_unknown", RecipientVerdict.UNKNOWN),
    ):
        domains = mailroom.services.domains
        domain = await domains.find_receiving("Example.TEST")
        await domains.change(domain, recipient_policy=policy)
        await until(lambda v=verdict: snapshot.resolve("nobody@example.test") is v)


async def test_suspended_domain_gets_451_first_and_550_in_the_end(
    mailroom: Mailroom, snapshot: SnapshotFile
) -> None:
    for status, verdict in (
        ("soft_rejected", RecipientVerdict.SOFT_REJECTED),
        ("suspended", RecipientVerdict.SUSPENDED),
        ("verified", RecipientVerdict.ACCEPT),
    ):
        await mailroom.services.database.execute("update domain set status = $1", status)
        await until(lambda v=verdict: snapshot.resolve(mailroom.mailbox.address) is v)


async def test_domain_of_temporary_inboxes_does_not_tell_which_exist(
    mailroom: Mailroom, snapshot: SnapshotFile
) -> None:
    services = mailroom.services
    domain = services.settings.temporary_domain
    await ensure_temporary_domain(services.tenants, services.domains, domain)
    inbox = await services.inboxes.create()
    await until(lambda: snapshot.resolve(inbox.address) is RecipientVerdict.ACCEPT)
    assert snapshot.resolve(f"never@{domain}") is RecipientVerdict.ACCEPT
    await services.inboxes.delete(inbox.token)
    domain = await services.domains.find_receiving("example.test")
    await services.domains.change(domain, recipient_policy="reply_after_data")
    await until(lambda: snapshot.resolve("x@example.test") is RecipientVerdict.REFUSE_AFTER_DATA)
    assert snapshot.resolve(inbox.address) is RecipientVerdict.ACCEPT


async def test_route_is_accepted_as_long_as_it_leads_somewhere(
    mailroom: Mailroom, snapshot: SnapshotFile
) -> None:
    services, mailbox = mailroom.services, mailroom.mailbox
    grant = Grant(SYSTEM, mailbox.tenant_id, frozenset())
    changes = services.directory_changes
    assert snapshot.resolve("sales@example.test") is RecipientVerdict.UNKNOWN
    alias = await changes.add_route(grant, "sales@example.test", [mailbox.id])
    await until(lambda: accepts(snapshot, "sales@example.test"))
    assert accepts(snapshot, "SALES+spring@example.test")
    await changes.add_route(grant, "list-*@example.test", [mailbox.id])
    await until(lambda: accepts(snapshot, "list-eu@example.test"))
    await changes.remove_route(grant, alias.id)
    await until(lambda: not accepts(snapshot, "sales@example.test"))
    await services.mailboxes.close(mailbox.id, mailbox.tenant_id)
    await until(lambda: not accepts(snapshot, "list-eu@example.test"))
