"""What people do to messages, one or many at once, and how it is undone.

Each action sets one thing: the folder, a flag or a label. What it changed is remembered as an
`undo_step`, which is gone after a day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from app.core.clock import Clock
from app.core.errors import InvalidInput, NotFound
from app.core.ids import Ids
from app.eventlog.append import EventLog, Transaction
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.inbox.listing import Access
from app.inbox.view import Folder
from app.storage.db.database import Connection, Record

MAX_MESSAGES = 200
UNDO_TTL = timedelta(days=1)


class Action(StrEnum):
    ARCHIVE = "archive"
    INBOX = "inbox"
    SPAM = "spam"
    NOT_SPAM = "not_spam"
    TRASH = "trash"
    READ = "read"
    UNREAD = "unread"
    STAR = "star"
    UNSTAR = "unstar"
    LABEL = "label"
    UNLABEL = "unlabel"


# action -> the column that it sets and to what; labels are rows of their own.
_SETS: Mapping[Action, tuple[str, str | bool]] = {
    Action.ARCHIVE: ("folder", Folder.ARCHIVE.value),
    Action.INBOX: ("folder", Folder.INBOX.value),
    Action.SPAM: ("folder", Folder.SPAM.value),
    Action.NOT_SPAM: ("folder", Folder.INBOX.value),
    Action.TRASH: ("folder", Folder.TRASH.value),
    Action.READ: ("is_read", True),
    Action.UNREAD: ("is_read", False),
    Action.STAR: ("is_starred", True),
    Action.UNSTAR: ("is_starred", False),
}


class _Step(msgspec.Struct, frozen=True):
    """How to go back: the column and each message's value before, or the label and whether each
    message had it."""

    column: str
    values: dict[UUID, str | bool]
    label_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`message_ids` are those that changed; without any there is nothing to undo."""

    message_ids: Sequence[UUID]
    undo_id: UUID | None


@dataclass(frozen=True, slots=True)
class Actions:
    """Changing messages that an `Access` shows. Others are left alone without a word."""

    log: EventLog
    clock: Clock
    ids: Ids

    async def apply(
        self,
        access: Access,
        user_id: UUID | None,
        action: Action,
        message_ids: Sequence[UUID],
        label_id: UUID | None = None,
    ) -> Outcome:
        """Only what a person does can be undone: `user_id` is None for a program.

        Raises `InvalidInput` for more than `MAX_MESSAGES`, `NotFound` for an unknown label.
        """
        if len(message_ids) > MAX_MESSAGES:
            raise InvalidInput(f"At most {MAX_MESSAGES} messages can be changed at once.")
        async with self.log.transaction() as transaction:
            rows = await _lock(transaction.connection, access, message_ids)
            if action in _SETS:
                step = await self._set(transaction, rows, *_SETS[action])
            else:
                if label_id is None:
                    raise InvalidInput("Say which label.")
                await _require_label(transaction.connection, access.tenant_id, label_id)
                step = await self._label(transaction, rows, label_id, action is Action.LABEL)
            if not step.values:
                return Outcome((), None)
            if user_id is None:
                return Outcome(list(step.values), None)
            undo_id = await self._remember(transaction.connection, access, user_id, step)
        return Outcome(list(step.values), undo_id)

    async def undo(self, access: Access, user_id: UUID, undo_id: UUID) -> Outcome:
        """Puts things back as they were. Raises `NotFound` when that was done or is too old."""
        async with self.log.transaction() as transaction:
            before = await transaction.connection.fetchval(
                """delete from undo_step where id = $1 and tenant_id = $2 and user_id = $3
                    and created_at > $4 returning before""",
                undo_id,
                access.tenant_id,
                user_id,
                self.clock.now() - UNDO_TTL,
            )
            if before is None:
                raise NotFound("This cannot be undone any more.")
            step = msgspec.json.decode(before, type=_Step)
            changed: list[UUID] = []
            for value in sorted(set(step.values.values()), key=str):
                ids = [id for id, before in step.values.items() if before == value]
                rows = await _lock(transaction.connection, access, ids)
                if step.label_id is None:
                    back = await self._set(transaction, rows, step.column, value)
                else:
                    back = await self._label(transaction, rows, step.label_id, bool(value))
                changed += back.values
        return Outcome(changed, None)

    async def forget_old_steps(self) -> int:
        """Returns how many."""
        done = await self.log.database.fetch(
            "delete from undo_step where created_at <= $1 returning id",
            self.clock.now() - UNDO_TTL,
        )
        return len(done)

    async def _set(
        self, transaction: Transaction, rows: Sequence[Record], column: str, value: str | bool
    ) -> _Step:
        changing = [row for row in rows if row[column] != value]
        trashed_at = self.clock.now() if value == Folder.TRASH else None
        await transaction.connection.execute(
            f"""update message set {column} = $2
                {", trashed_at = $3" if column == "folder" else ""}
            where id = any($1::uuid[])""",
            [row["id"] for row in changing],
            value,
            *([trashed_at] if column == "folder" else []),
        )
        for row in changing:
            transaction.tell(_updated(row, {column: value}))
        return _Step(column, {row["id"]: row[column] for row in changing})

    async def _label(
        self, transaction: Transaction, rows: Sequence[Record], label_id: UUID, wanted: bool
    ) -> _Step:
        ids = [row["id"] for row in rows]
        if wanted:
            sql = """insert into message_label (id, tenant_id, label_id, message_id, received_at)
                select new.id, tenant_id, label.id, message.id, received_at
                from unnest($1::uuid[], $3::uuid[]) as new (message_id, id)
                join message on message.id = new.message_id
                join label using (tenant_id) where label.id = $2
                on conflict do nothing returning message_id"""
            arguments: list[Any] = [ids, label_id, [self.ids.new() for _ in ids]]
        else:
            sql = """delete from message_label where message_id = any($1::uuid[])
                and label_id = $2 returning message_id"""
            arguments = [ids, label_id]
        done = await transaction.connection.fetch(sql, *arguments)
        changed = {row["message_id"] for row in done}
        what = "label_added" if wanted else "label_removed"
        for row in rows:
            if row["id"] in changed:
                transaction.tell(_updated(row, {what: str(label_id)}))
        return _Step("label", {id: not wanted for id in ids if id in changed}, label_id)

    async def _remember(
        self, connection: Connection, access: Access, user_id: UUID, step: _Step
    ) -> UUID:
        undo_id = self.ids.new()
        await connection.execute(
            """insert into undo_step (id, tenant_id, user_id, before, created_at)
            values ($1, $2, $3, $4, $5)""",
            undo_id,
            access.tenant_id,
            user_id,
            msgspec.json.encode(step).decode(),
            self.clock.now(),
        )
        return undo_id


async def _lock(
    connection: Connection, access: Access, message_ids: Sequence[UUID]
) -> Sequence[Record]:
    """In the order of their ids, so that two who change the same messages do not wait crosswise."""
    rows: Sequence[Record] = await connection.fetch(
        """select id, tenant_id, mailbox_id, trace_id, folder, is_read, is_starred from message
        where id = any($1::uuid[]) and tenant_id = $2
            and ($3::uuid[] is null or mailbox_id = any($3))
        order by id for no key update""",
        list(message_ids),
        access.tenant_id,
        access.mailbox_ids,
    )
    return rows


async def _require_label(connection: Connection, tenant_id: UUID, label_id: UUID) -> None:
    if not await connection.fetchval(
        "select true from label where id = $1 and tenant_id = $2 for key share",
        label_id,
        tenant_id,
    ):
        raise NotFound("There is no such label.")


def _updated(row: Record, data: Mapping[str, Any]) -> NewEvent:
    return NewEvent(
        EventType.MESSAGE_UPDATED,
        trace_id=row["trace_id"],
        subject=("message", row["id"]),
        tenant_id=row["tenant_id"],
        mailbox_id=row["mailbox_id"],
        data=data,
    )
