"""The rows that a message becomes."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.core.ids import derive_id
from app.inbound.pipeline.arrival import Delivery, Routed, stored_attachment_key
from app.mime.addresses import Mailbox
from app.storage.db.database import Connection

_MAX_HEADER_CHARACTERS = 10_000


async def insert(
    connection: Connection, table: str, rows: Sequence[Mapping[str, Any]]
) -> set[UUID]:
    """Inserts what is not there yet and returns the ids of what was inserted."""
    if not rows:
        return set()
    columns = ", ".join(rows[0])
    key = next(iter(rows[0]))
    inserted = await connection.fetch(
        f"""insert into {table} ({columns})
        select {columns} from json_populate_recordset(null::{table}, $1::json)
        on conflict do nothing returning {key}""",
        msgspec.json.encode(rows).decode(),
    )
    return {row[key] for row in inserted}


def message_row(entry: Routed, delivery: Delivery) -> Mapping[str, Any]:
    parsed, message = entry.parsed, entry.parsed.message
    metadata = parsed.arrival.item.metadata
    sender = message.from_[0] if message.from_ else None
    return {
        "id": delivery.message_id,
        "tenant_id": delivery.mailbox.tenant_id,
        "mailbox_id": delivery.mailbox.id,
        "trace_id": metadata.trace_id,
        "identity": _bytea(parsed.identity),
        "fingerprint": _bytea(parsed.fingerprint),
        "is_variant": False,
        "sha256": _bytea(parsed.sha256),
        "content_sha256": _bytea(parsed.content_sha256),
        "size_bytes": len(parsed.arrival.item.raw),
        "envelope_from": metadata.envelope.mail_from,
        "client_address": metadata.client_address,
        "client_name": metadata.client_name.replace("\0", ""),
        "from_name": sender.name if sender else "",
        "from_address": sender.address if sender else metadata.envelope.mail_from,
        "to_header": _header(message.to),
        "cc_header": _header(message.cc),
        "subject": message.subject,
        "snippet": message.snippet,
        "message_id": message.message_id,
        "in_reply_to": " ".join(message.in_reply_to) or None,
        "reference_ids": " ".join(message.references) or None,
        "date_header": message.date,
        "received_at": metadata.received_at,
        "attachment_count": sum(not part.is_inline for part in message.attachments),
        "is_read": False,
        "is_starred": False,
        "folder": "spam" if parsed.classification.is_spam else "inbox",
        "is_bounce": parsed.classification.is_bounce,
        "is_auto_reply": parsed.classification.is_auto_reply,
        "defects": message.defects,
    }


def body_row(entry: Routed, delivery: Delivery) -> Mapping[str, Any]:
    return {
        "message_id": delivery.message_id,
        "tenant_id": delivery.mailbox.tenant_id,
        "text": entry.parsed.message.text,
        "html": entry.parsed.message.html,
    }


def attachment_rows(entry: Routed, delivery: Delivery) -> Sequence[Mapping[str, Any]]:
    return [
        {
            "id": derive_id(delivery.message_id, number.to_bytes(4, "big")),
            "tenant_id": delivery.mailbox.tenant_id,
            "message_id": delivery.message_id,
            "part_number": number,
            "file_name": part.file_name,
            "storage_key": stored_attachment_key(delivery, part),
            "content_type": part.content_type,
            "content_id": part.content_id,
            "is_inline": part.is_inline,
            "size_bytes": part.size_bytes,
        }
        for number, part in enumerate(entry.parsed.message.attachments, start=1)
    ]


def _header(mailboxes: Sequence[Mailbox]) -> str:
    return ", ".join(str(mailbox) for mailbox in mailboxes)[:_MAX_HEADER_CHARACTERS]


def _bytea(value: bytes) -> str:
    return "\\x" + value.hex()
