"""The invitation that came with a message, for its page."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.core.errors import Corrupt, NotFound
from app.inbox.reading import AttachmentView
from app.mime.calendar import MAX_CALENDAR_BYTES, Invitation, read_invitation
from app.storage.blobs.port import BlobStore

_MAX_READ = 3


@dataclass(frozen=True, slots=True)
class InvitationView:
    """What to show, and the attachment to save it from."""

    invitation: Invitation
    attachment_id: UUID


async def find_invitation(
    blobs: BlobStore, attachments: Sequence[AttachmentView]
) -> InvitationView | None:
    """The first calendar with an event in it, among the first few. Raises `Unavailable`."""
    for attachment in [one for one in attachments if _is_calendar(one)][:_MAX_READ]:
        try:
            data = await blobs.get(attachment.storage_key)
        except (NotFound, Corrupt):
            continue
        if invitation := await asyncio.to_thread(read_invitation, data):
            return InvitationView(invitation, attachment.id)
    return None


def _is_calendar(attachment: AttachmentView) -> bool:
    is_named_so = attachment.file_name.lower().endswith(".ics")
    is_calendar = attachment.content_type in ("text/calendar", "application/ics") or is_named_so
    return is_calendar and attachment.size_bytes <= MAX_CALENDAR_BYTES
