"""Stored messages as search reads them: for its index, and one by one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from uuid import UUID

from app.search.matching import StoredMessage
from app.search.port import Document
from app.storage.db.database import Database, Record

_PER_BATCH = 200
# More than an engine keeps of one message: a body of many megabytes need not travel for it.
_MAX_TEXT_CHARACTERS = 200_000
_MAX_EXCERPTED_CHARACTERS = 20_000

_COLUMNS = f"""message.id as message_id, message.tenant_id, message.mailbox_id, received_at,
    subject, from_name as sender_name, from_address as sender_address, to_header as "to",
    cc_header as cc, left(coalesce(text, ''), {_MAX_TEXT_CHARACTERS}) as text,
    array(select file_name from attachment
        where attachment.message_id = message.id and file_name <> '' order by part_number
    ) as file_names"""
_DOCUMENT = f"""
select {_COLUMNS}
from message left join message_body on message_body.message_id = message.id
"""
_STORED = f"""
select {_COLUMNS}, identity, folder, size_bytes, attachment_count, mailbox.address,
    is_read as read, is_starred as starred, is_bounce as bounce, is_auto_reply as auto_reply,
    array(select name from message_label join label on label.id = label_id
        where message_label.message_id = message.id) as labels
from message join mailbox on mailbox.id = message.mailbox_id
left join message_body on message_body.message_id = message.id
where message.id = any($1::uuid[])
"""
_FLAGS = ("read", "starred", "bounce", "auto_reply")


async def read_documents(database: Database, message_ids: Sequence[UUID]) -> Sequence[Document]:
    """Those of these messages that are there."""
    rows = await database.fetch(
        f"{_DOCUMENT} where message.id = any($1::uuid[])", list(message_ids)
    )
    return [Document(**row) for row in rows]


async def read_stored(
    database: Database, message_ids: Sequence[UUID]
) -> Mapping[UUID, StoredMessage]:
    """Those of these messages that are there, with all that can be asked of them."""
    rows = await database.fetch(_STORED, list(message_ids))
    return {row["message_id"]: _to_stored(row) for row in rows}


async def read_mailbox(database: Database, mailbox_id: UUID) -> AsyncIterator[Sequence[Document]]:
    """All messages of a mailbox in batches, oldest first.

    One that arrives or is deleted meanwhile may be among them or not.
    """
    after = (datetime.min.replace(tzinfo=UTC), UUID(int=0))
    while rows := await database.fetch(
        """select received_at, id from message
        where mailbox_id = $1 and (received_at, id) > ($2, $3)
        order by received_at, id limit $4""",
        mailbox_id,
        *after,
        _PER_BATCH,
    ):
        yield await read_documents(database, [row["id"] for row in rows])
        after = (rows[-1]["received_at"], rows[-1]["id"])


async def read_texts(database: Database, message_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """How the bodies of these messages begin, as far as somebody would look into them."""
    rows = await database.fetch(
        f"""select message_id, left(text, {_MAX_EXCERPTED_CHARACTERS}) as text
        from message_body where message_id = any($1::uuid[])""",
        list(message_ids),
    )
    return {row["message_id"]: row["text"] for row in rows}


def _to_stored(row: Record) -> StoredMessage:
    return StoredMessage(
        document=Document(**{each.name: row[each.name] for each in fields(Document)}),
        identity=row["identity"],
        flags=frozenset(flag for flag in _FLAGS if row[flag]),
        folder=row["folder"],
        labels=row["labels"],
        size_bytes=row["size_bytes"],
        attachment_count=row["attachment_count"],
        mailbox_address=row["address"],
    )
