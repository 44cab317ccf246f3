"""The step that makes bytes durable in the object store, before any row speaks of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.inbound.pipeline.arrival import Refusal, Routed, stored_attachment_key
from app.storage.blobs.keys import quarantine_key, raw_key
from app.storage.blobs.port import BlobStore
from app.storage.spool.port import ItemMetadata

# S3 keeps at most 2 KB of metadata with an object.
_MAX_MAILBOX_IDS = 32


@dataclass(frozen=True, slots=True)
class Storekeeper:
    blobs: BlobStore

    async def store(self, routed: Sequence[Routed], refusals: Sequence[Refusal]) -> None:
        """All raw messages, attachments and refused items. Storing again changes nothing.

        Raises `Unavailable`; some objects may be stored then.
        """
        await self.blobs.put_many(
            [
                *(blob for entry in routed for blob in _blobs(entry)),
                *(
                    (quarantine_key(r.arrival.item.metadata.item_id), r.arrival.item.raw, {})
                    for r in refusals
                    if not r.arrival.from_quarantine
                ),
            ]
        )


def _blobs(entry: Routed) -> Sequence[tuple[str, bytes, Mapping[str, str]]]:
    item, sha256 = entry.parsed.arrival.item, entry.parsed.sha256
    mailboxes_of: dict[str, list[str]] = {}
    for delivery in entry.deliveries:
        key = raw_key(delivery.mailbox.tenant_id, sha256)
        mailboxes_of.setdefault(key, []).append(str(delivery.mailbox.id))
    raw = [
        (key, item.raw, _describe(item.metadata, mailbox_ids))
        for key, mailbox_ids in mailboxes_of.items()
    ]
    attachments: list[tuple[str, bytes, Mapping[str, str]]] = [
        (stored_attachment_key(delivery, part), part.content, {})
        for delivery in entry.deliveries
        for part in entry.parsed.message.attachments
    ]
    return [*raw, *attachments]


def _describe(metadata: ItemMetadata, mailbox_ids: Sequence[str]) -> Mapping[str, str]:
    """What a raw message does not say itself, so that rows could be made from objects again."""
    return {
        "item-id": str(metadata.item_id),
        "trace-id": str(metadata.trace_id),
        "received-at": metadata.received_at.isoformat(),
        "source": metadata.source,
        "prefix-size-bytes": str(metadata.prefix_size_bytes),
        "mailbox-ids": " ".join(mailbox_ids[:_MAX_MAILBOX_IDS]),
    }
