"""How much a temporary inbox takes in: hard limits, counted from its making to its end.

What an inbox received counts for ever: deleting a message makes no room, as the limits are there
for the machine that takes the mail in. Nothing here is told to a sender (docs/smtp.md says why).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from app.settings import Settings
from app.storage.db.database import Connection, Database

_HOUR = timedelta(hours=1)
_COLUMNS = """inbox_usage.mailbox_id, message_count, size_bytes, hour_began_at, hour_message_count,
    discarded_count"""


class Excess(StrEnum):
    """The limit that a message would break."""

    MESSAGE_TOO_LARGE = "message_too_large"
    INBOX_FULL = "inbox_full"
    TOO_MANY_AN_HOUR = "too_many_an_hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporaryLimits:
    """Of each inbox; 0 for no limit."""

    max_message_bytes: int
    max_messages: int
    max_inbox_bytes: int
    messages_per_hour: int

    @classmethod
    def read(cls, settings: Settings) -> Self:
        return cls(
            max_message_bytes=settings.temporary_max_message_bytes,
            max_messages=settings.temporary_max_messages,
            max_inbox_bytes=settings.temporary_max_inbox_bytes,
            messages_per_hour=settings.temporary_messages_per_hour,
        )


@dataclass(slots=True)
class InboxUsage:
    """What one inbox took in. The hour is one of the clock that begins with its first message."""

    mailbox_id: UUID
    message_count: int
    size_bytes: int
    hour_began_at: datetime
    hour_message_count: int
    discarded_count: int = 0

    def excess(self, size_bytes: int, limits: TemporaryLimits, now: datetime) -> Excess | None:
        """Why a message of this size is not kept; None when it may be."""
        if limits.max_message_bytes and size_bytes > limits.max_message_bytes:
            return Excess.MESSAGE_TOO_LARGE
        if self.is_full(limits, size_bytes):
            return Excess.INBOX_FULL
        if self.is_busy(limits, now):
            return Excess.TOO_MANY_AN_HOUR
        return None

    def is_full(self, limits: TemporaryLimits, size_bytes: int = 1) -> bool:
        """Whether there is no room for a message of this size."""
        return bool(
            (limits.max_messages and self.message_count >= limits.max_messages)
            or (limits.max_inbox_bytes and self.size_bytes + size_bytes > limits.max_inbox_bytes)
        )

    def is_busy(self, limits: TemporaryLimits, now: datetime) -> bool:
        """Whether as many came this hour as may."""
        return bool(
            limits.messages_per_hour
            and now < self.hour_ends_at
            and self.hour_message_count >= limits.messages_per_hour
        )

    @property
    def hour_ends_at(self) -> datetime:
        return self.hour_began_at + _HOUR

    def add(self, size_bytes: int, now: datetime) -> None:
        """One more message is kept."""
        if now >= self.hour_ends_at:
            self.hour_began_at, self.hour_message_count = now, 0
        self.message_count += 1
        self.size_bytes += size_bytes
        self.hour_message_count += 1


async def read_usage(database: Database, mailbox_id: UUID) -> InboxUsage | None:
    """None while nothing came."""
    row = await database.fetch_one(
        f"select {_COLUMNS} from inbox_usage where mailbox_id = $1", mailbox_id
    )
    return InboxUsage(**row) if row else None


async def lock_usage(
    connection: Connection, mailbox_ids: Collection[UUID], now: datetime
) -> Mapping[UUID, InboxUsage]:
    """The usage of each of these inboxes, which nobody else changes until the transaction ends."""
    if not mailbox_ids:
        return {}
    rows = await connection.fetch(
        f"""insert into inbox_usage (mailbox_id, tenant_id, hour_began_at)
        select id, tenant_id, $2 from mailbox where id = any($1::uuid[]) order by id
        on conflict (mailbox_id) do update set mailbox_id = inbox_usage.mailbox_id
        returning {_COLUMNS}""",
        list(mailbox_ids),
        now,
    )
    return {row["mailbox_id"]: InboxUsage(**row) for row in rows}


async def save_usage(connection: Connection, usages: Sequence[InboxUsage]) -> None:
    """Writes back what `lock_usage` gave."""
    await connection.executemany(
        """update inbox_usage set message_count = $2, size_bytes = $3, hour_began_at = $4,
            hour_message_count = $5, discarded_count = $6
        where mailbox_id = $1""",
        [
            (
                usage.mailbox_id,
                usage.message_count,
                usage.size_bytes,
                usage.hour_began_at,
                usage.hour_message_count,
                usage.discarded_count,
            )
            for usage in usages
        ],
    )
