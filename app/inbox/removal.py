"""Removing mailboxes whose time is over, with everything in them, and objects nobody refers to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.core.clock import Clock
from app.core.ids import Ids
from app.core.log import get_logger
from app.eventlog.append import EventLog
from app.eventlog.event import NewEvent
from app.eventlog.types import EventType
from app.storage.blobs.keys import split_raw_key
from app.storage.blobs.port import BlobStore
from app.storage.db.database import Connection, Database, Record
from app.storage.released import release_objects, release_raw_messages

_log = get_logger("removal")
_MESSAGES_PER_TRANSACTION = 500
_OBJECTS_PER_PASS = 500
_ROWS_PER_PASS = 5000

# A raw message may be stored a moment before the row that refers to it is committed.
RELEASE_GRACE = timedelta(seconds=60)
TRASH_TTL = timedelta(days=30)
REFUSED_MAIL_TTL = timedelta(days=30)
_OF_MESSAGE = "id, tenant_id, mailbox_id, trace_id, sha256"


@dataclass(frozen=True, slots=True)
class Removal:
    """What runs on a schedule to make removed things gone."""

    database: Database
    log: EventLog
    blobs: BlobStore
    clock: Clock
    ids: Ids

    async def remove_expired_mailboxes(self) -> int:
        """Removes every mailbox past its time. Returns how many. Safe to run twice at once."""
        rows = await self.database.fetch(
            """select id, tenant_id from mailbox
            where expires_at <= $1 order by expires_at limit 500""",
            self.clock.now(),
        )
        for row in rows:
            removed = 0
            while count := await self._remove_messages(row["id"]):
                removed += count
            await self._remove_mailbox(row["id"], row["tenant_id"])
            _log.info(
                "mailbox.expired",
                tenant_id=str(row["tenant_id"]),
                mailbox_id=str(row["id"]),
                messages=removed,
                outcome="removed",
            )
        return len(rows)

    async def remove_released_objects(self) -> int:
        """Deletes objects released longer ago than the grace. Returns how many."""
        rows = await self.database.fetch(
            """select id, storage_key from released_object
            where released_at <= $1 order by released_at limit $2""",
            self.clock.now() - RELEASE_GRACE,
            _OBJECTS_PER_PASS,
        )
        for row in rows:
            if not await self._is_referred_to(row["storage_key"]):
                await self.blobs.delete(row["storage_key"])
            await self.database.execute("delete from released_object where id = $1", row["id"])
        return len(rows)

    async def empty_trash(self) -> int:
        """Deletes messages that have lain in the trash for `TRASH_TTL`. Returns how many."""
        async with self.log.transaction() as transaction:
            messages = await transaction.connection.fetch(
                f"""select {_OF_MESSAGE} from message
                where folder = 'trash' and trashed_at <= $1
                order by trashed_at limit $2 for update skip locked""",
                self.clock.now() - TRASH_TTL,
                _MESSAGES_PER_TRANSACTION,
            )
            await self._delete(transaction.connection, messages)
            for message in messages:
                transaction.tell(
                    NewEvent(
                        EventType.MESSAGE_DELETED,
                        trace_id=message["trace_id"],
                        subject=("message", message["id"]),
                        tenant_id=message["tenant_id"],
                        mailbox_id=message["mailbox_id"],
                        data={"reason": "trash_emptied"},
                    )
                )
        return len(messages)

    async def remove_old_refused_mail(self) -> int:
        """Forgets what was refused longer than `REFUSED_MAIL_TTL` ago. Returns how many went."""
        rows = await self.database.fetch(
            """delete from refused_mail where id = any(array(
                select id from refused_mail where refused_at <= $1 order by refused_at limit $2))
            returning id""",
            self.clock.now() - REFUSED_MAIL_TTL,
            _ROWS_PER_PASS,
        )
        return len(rows)

    async def _is_referred_to(self, storage_key: str) -> bool:
        """A replayed item may have stored the same raw message anew. Attachments never return:
        their keys hold the id of their message."""
        parts = split_raw_key(storage_key)
        return parts is not None and await self.database.fetch_value(
            "select exists (select from raw_blob where tenant_id = $1 and sha256 = $2)", *parts
        )

    async def _remove_messages(self, mailbox_id: UUID) -> int:
        async with self.database.transaction() as connection:
            messages = await connection.fetch(
                f"""select {_OF_MESSAGE} from message where mailbox_id = $1
                order by id limit $2 for update""",
                mailbox_id,
                _MESSAGES_PER_TRANSACTION,
            )
            await self._delete(connection, messages)
        return len(messages)

    async def _delete(self, connection: Connection, messages: Sequence[Record]) -> None:
        message_ids = [message["id"] for message in messages]
        keys = await connection.fetch(
            "select storage_key from attachment where message_id = any($1::uuid[])", message_ids
        )
        await connection.execute("delete from message where id = any($1::uuid[])", message_ids)
        now = self.clock.now()
        await release_objects(
            connection, [row["storage_key"] for row in keys], ids=self.ids, now=now
        )
        await release_raw_messages(
            connection,
            [(message["tenant_id"], message["sha256"]) for message in messages],
            ids=self.ids,
            now=now,
        )

    async def _remove_mailbox(self, mailbox_id: UUID, tenant_id: UUID) -> None:
        async with self.log.transaction() as transaction:
            gone = await transaction.connection.fetchval(
                """delete from mailbox where id = $1
                and not exists (select from message where mailbox_id = $1) returning true""",
                mailbox_id,
            )
            if gone:
                transaction.tell(
                    NewEvent(
                        EventType.MAILBOX_EXPIRED,
                        trace_id=self.ids.new(),
                        subject=("mailbox", mailbox_id),
                        tenant_id=tenant_id,
                        mailbox_id=mailbox_id,
                    )
                )
