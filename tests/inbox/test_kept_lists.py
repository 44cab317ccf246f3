"""A list is kept while nothing happens, and is never another than the one that is read anew."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
from clocks import MovableClock
from mailroom import Mailroom

from app.inbox.actions import Action
from app.inbox.kept_lists import KeptPage
from app.inbox.listing import Access, list_messages
from app.inbox.removal import TRASH_TTL
from app.inbox.sidebar import read_counts, read_sidebar
from app.inbox.view import Folder, View

INBOX = View(folder=Folder.INBOX)
TRASH = View(folder=Folder.TRASH)
VIEWS = (INBOX, TRASH, View(folder=Folder.ARCHIVE), View(starred=True), View(unread=True))


@dataclass
class Reader:
    """Somebody who looks at the lists of the mailroom's tenant."""

    mailroom: Mailroom
    clock: MovableClock
    user_id: UUID

    @property
    def access(self) -> Access:
        return Access(self.mailroom.mailbox.tenant_id)

    async def look(
        self, view: View = INBOX, access: Access | None = None, cursor: str | None = None
    ) -> KeptPage:
        services = self.mailroom.services
        sidebar = await read_sidebar(services.database, self.access.tenant_id)
        return await services.kept_lists.read(access or self.access, view, cursor, sidebar)

    async def receive(self, subject: str) -> None:
        await self.mailroom.spool(f"From: a@example.org\r\nSubject: {subject}\r\n\r\nHi".encode())
        await self.mailroom.take_in()

    async def act(self, action: Action, label_id: UUID | None = None) -> UUID | None:
        """On the newest message. The step that takes it back."""
        newest = (await self.mailroom.rows())[0].id
        actions = self.mailroom.services.actions
        done = await actions.apply(self.access, self.user_id, action, [newest], label_id)
        return done.undo_id


@pytest.fixture
async def reader(mailroom: Mailroom, clock: MovableClock) -> Reader:
    services, tenant_id = mailroom.services, mailroom.mailbox.tenant_id
    user = await services.users.add("a@example.test", tenant_id, "agent")
    reader = Reader(mailroom, clock, user.id)
    for number in range(3):
        await reader.receive(str(number))
    return reader


async def test_list_is_not_read_again_when_nothing_happened_in_the_tenant(reader: Reader) -> None:
    first = await reader.look()
    elsewhere = await reader.mailroom.services.tenants.create("Other", "developer")
    await reader.mailroom.services.labels.ensure(elsewhere.id, "Theirs")
    assert await reader.look() is first


async def read_a_message(reader: Reader) -> None:
    reading = reader.mailroom.services.reading
    newest = (await reader.mailroom.rows())[0].id
    await reading.mark_read(await reading.open(reader.access, newest))


async def label_and_unlabel(reader: Reader) -> None:
    label = await reader.mailroom.services.labels.ensure(reader.access.tenant_id, "Bills")
    await reader.act(Action.LABEL, label.id)
    await reader.look()
    await reader.act(Action.UNLABEL, label.id)


async def remove_a_label(reader: Reader) -> None:
    labels = reader.mailroom.services.labels
    label = await labels.ensure(reader.access.tenant_id, "Bills")
    await reader.act(Action.LABEL, label.id)
    await reader.look()
    await labels.remove(reader.access.tenant_id, label.id)


async def undo_a_step(reader: Reader) -> None:
    undo_id = await reader.act(Action.ARCHIVE)
    await reader.look()
    assert undo_id is not None
    await reader.mailroom.services.actions.undo(reader.access, reader.user_id, undo_id)


async def empty_the_trash(reader: Reader) -> None:
    await reader.act(Action.TRASH)
    reader.clock.moved_seconds += TRASH_TTL.total_seconds() + 1
    assert (await reader.look(TRASH)).page.rows
    assert await reader.mailroom.services.removal.empty_trash() == 1


HAPPENINGS: dict[str, Callable[[Reader], Awaitable[object]]] = {
    "arrival": lambda reader: reader.receive("new"),
    "opening": read_a_message,
    "starring": lambda reader: reader.act(Action.STAR),
    "archiving": lambda reader: reader.act(Action.ARCHIVE),
    "labelling": label_and_unlabel,
    "a label's end": remove_a_label,
    "undoing": undo_a_step,
    "emptying the trash": empty_the_trash,
}


@pytest.mark.parametrize("happening", HAPPENINGS.values(), ids=HAPPENINGS.keys())
async def test_list_is_what_the_database_holds_whatever_happened(
    reader: Reader, happening: Callable[[Reader], Awaitable[object]]
) -> None:
    database, tenant_id = reader.mailroom.services.database, reader.access.tenant_id
    before = [await reader.look(view) for view in VIEWS]
    await happening(reader)
    after = [await reader.look(view) for view in VIEWS]
    for kept, view in zip(after, VIEWS, strict=True):
        assert kept.page == await list_messages(database, reader.access, view)
        assert kept.counts == await read_counts(database, tenant_id)
    assert all(now is not then for now, then in zip(after, before, strict=True))


async def test_lists_are_kept_apart_for_each_view_page_and_access(reader: Reader) -> None:
    other = await reader.mailroom.add_mailbox("other@example.test")
    everything = await reader.look()
    assert len(everything.page.rows) == 3
    assert (await reader.look(View(folder=Folder.ARCHIVE))).page.rows == ()
    assert (await reader.look(access=reader.access.narrow(other.id))).page.rows == ()
    assert (await reader.look(access=Access(reader.access.tenant_id, []))).page.rows == ()
    assert (await reader.look(cursor="0-" + "0" * 32)).page.rows == ()
    assert await reader.look() is everything


async def test_list_is_read_again_after_a_while_though_nothing_was_told(
    reader: Reader,
) -> None:
    await reader.look()
    await reader.mailroom.services.database.execute("delete from message")
    reader.clock.moved_seconds += 16
    assert (await reader.look()).page.rows == ()
