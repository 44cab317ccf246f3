"""Actions change what they say, tell of it, and can be taken back."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from clocks import MovableClock
from mailroom import Mailroom

from app.core.errors import InvalidInput, NotFound
from app.eventlog.types import EventType
from app.inbox.actions import MAX_MESSAGES, UNDO_TTL, Action
from app.inbox.listing import Access, MessageRow

STATES = {
    Action.ARCHIVE: ("folder", "archive"),
    Action.SPAM: ("folder", "spam"),
    Action.TRASH: ("folder", "trash"),
    Action.READ: ("is_read", True),
    Action.STAR: ("is_starred", True),
}


@pytest.fixture
async def user_id(mailroom: Mailroom) -> UUID:
    user = await mailroom.services.users.add("a@example.test", mailroom.mailbox.tenant_id, "agent")
    return user.id


@pytest.fixture
async def rows(mailroom: Mailroom) -> Sequence[MessageRow]:
    for number in range(3):
        await mailroom.spool(f"From: a@example.org\r\nSubject: {number}\r\n\r\nHi\r\n".encode())
    await mailroom.take_in()
    return await mailroom.rows()


def access_of(mailroom: Mailroom) -> Access:
    return Access(mailroom.mailbox.tenant_id)


@pytest.mark.parametrize(("action", "state"), STATES.items())
async def test_messages_change_and_change_back_when_it_is_undone(
    mailroom: Mailroom,
    user_id: UUID,
    rows: Sequence[MessageRow],
    action: Action,
    state: tuple[str, object],
) -> None:
    actions, access = mailroom.services.actions, access_of(mailroom)
    ids = [row.id for row in rows[:2]]
    done = await actions.apply(access, user_id, action, ids)
    assert set(done.message_ids) == set(ids)
    values = [getattr(row, state[0]) for row in await mailroom.rows()]
    assert values == [state[1], state[1], getattr(rows[2], state[0])]
    updated = await mailroom.events(EventType.MESSAGE_UPDATED)
    assert {event.subject_id for event in updated} == set(ids)
    assert all(event.data == {state[0]: state[1]} for event in updated)

    assert done.undo_id is not None
    await actions.undo(access, user_id, done.undo_id)
    assert await mailroom.rows() == rows
    assert len(await mailroom.events(EventType.MESSAGE_UPDATED)) == 4
    with pytest.raises(NotFound):
        await actions.undo(access, user_id, done.undo_id)


async def test_undo_leaves_alone_what_was_so_before(
    mailroom: Mailroom, user_id: UUID, rows: Sequence[MessageRow]
) -> None:
    actions, access = mailroom.services.actions, access_of(mailroom)
    await actions.apply(access, user_id, Action.ARCHIVE, [rows[0].id])
    await actions.apply(access, user_id, Action.SPAM, [rows[1].id])
    before = await mailroom.rows()
    done = await actions.apply(access, user_id, Action.TRASH, [row.id for row in rows])
    assert done.undo_id is not None
    await actions.undo(access, user_id, done.undo_id)
    assert await mailroom.rows() == before
    done = await actions.apply(access, user_id, Action.ARCHIVE, [rows[0].id])
    assert done.undo_id is None


async def test_labels_go_on_and_off_and_back(
    mailroom: Mailroom, user_id: UUID, rows: Sequence[MessageRow]
) -> None:
    services, access = mailroom.services, access_of(mailroom)
    label = await services.labels.ensure(access.tenant_id, " Unpaid  bills ")
    assert label == await services.labels.ensure(access.tenant_id, "unpaid bills".title().upper())
    ids = [row.id for row in rows]
    await services.actions.apply(access, user_id, Action.LABEL, ids[:1], label.id)
    done = await services.actions.apply(access, user_id, Action.LABEL, ids, label.id)
    assert set(done.message_ids) == set(ids[1:])
    assert done.undo_id is not None
    await services.actions.undo(access, user_id, done.undo_id)
    labelled = [row.id for row in await mailroom.rows() if row.labels]
    assert labelled == ids[:1]
    done = await services.actions.apply(access, user_id, Action.UNLABEL, ids, label.id)
    assert list(done.message_ids) == ids[:1]
    await services.labels.remove(access.tenant_id, label.id)
    with pytest.raises(NotFound):
        await services.actions.apply(access, user_id, Action.LABEL, ids, label.id)


async def test_others_messages_labels_and_steps_are_out_of_reach(
    mailroom: Mailroom, user_id: UUID, rows: Sequence[MessageRow]
) -> None:
    services = mailroom.services
    other = await services.tenants.create("Other", "developer")
    stranger = (await services.users.add("b@other.test", other.id, "owner")).id
    ids = [row.id for row in rows]
    done = await services.actions.apply(Access(other.id), stranger, Action.TRASH, ids)
    assert not done.message_ids
    nothing = Access(mailroom.mailbox.tenant_id, ())
    assert not (await services.actions.apply(nothing, user_id, Action.TRASH, ids)).message_ids
    label = await services.labels.ensure(other.id, "Theirs")
    with pytest.raises(NotFound):
        await services.actions.apply(access_of(mailroom), user_id, Action.LABEL, ids, label.id)
    mine = await services.actions.apply(access_of(mailroom), user_id, Action.TRASH, ids)
    assert mine.undo_id is not None
    for access, user in ((Access(other.id), user_id), (access_of(mailroom), stranger)):
        with pytest.raises(NotFound):
            await services.actions.undo(access, user, mine.undo_id)


async def test_undo_is_refused_and_forgotten_after_a_day(
    mailroom: Mailroom, user_id: UUID, rows: Sequence[MessageRow], clock: MovableClock
) -> None:
    actions, access = mailroom.services.actions, access_of(mailroom)
    done = await actions.apply(access, user_id, Action.STAR, [rows[0].id])
    assert done.undo_id is not None
    clock.moved_seconds = UNDO_TTL.total_seconds() + 1
    with pytest.raises(NotFound):
        await actions.undo(access, user_id, done.undo_id)
    assert await actions.forget_old_steps() == 1
    assert await actions.forget_old_steps() == 0


async def test_too_many_messages_are_refused(mailroom: Mailroom, user_id: UUID) -> None:
    ids = [uuid4() for _ in range(MAX_MESSAGES + 1)]
    with pytest.raises(InvalidInput):
        await mailroom.services.actions.apply(access_of(mailroom), user_id, Action.READ, ids)
    with pytest.raises(InvalidInput):
        await mailroom.services.actions.apply(access_of(mailroom), user_id, Action.LABEL, ids[:1])


@pytest.mark.parametrize("name", ["", "  ", "x" * 61])
async def test_label_without_a_usable_name_is_refused(mailroom: Mailroom, name: str) -> None:
    with pytest.raises(InvalidInput):
        await mailroom.services.labels.ensure(mailroom.mailbox.tenant_id, name)
