"""Many raw messages as one file, made while it is sent."""

import io
import re
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from unicodedata import normalize
from uuid import UUID

from typing_extensions import Buffer

from app.core.clock import Clock
from app.core.errors import Corrupt, InvalidInput, NotFound
from app.inbox.listing import Access
from app.inbox.signed_links import RawLink, SelectionLink
from app.storage.blobs.keys import raw_key
from app.storage.blobs.port import BlobStore
from app.storage.db.database import Database

MAX_MESSAGES = 200
MISSING_NAME = "missing.txt"
_MAX_SUBJECT_BYTES = 120


@dataclass(frozen=True, slots=True)
class RawArchive:
    """Selections of messages, and the zip archives of them."""

    database: Database
    blobs: BlobStore
    clock: Clock

    async def find(self, link: RawLink) -> str:
        """Where the raw message of a link lies. Raises `NotFound` once it was deleted, or the
        inbox that it came to is over."""
        found = await self._find(link.tenant_id, [link.message_id])
        if [message.storage_key for message in found] != [link.storage_key]:
            raise NotFound("This message is gone.")
        return link.storage_key

    async def select(self, access: Access, message_ids: Sequence[UUID]) -> SelectionLink:
        """Those of the messages that `access` shows. Raises `InvalidInput` for more than
        `MAX_MESSAGES`, and `NotFound` when it shows none."""
        if len(message_ids) > MAX_MESSAGES:
            raise InvalidInput(f"Select at most {MAX_MESSAGES} messages.")
        rows = await self.database.fetch(
            """select id from message
            where id = any($1::uuid[]) and tenant_id = $2
                and ($3::uuid[] is null or mailbox_id = any($3))
            order by received_at, id""",
            list(message_ids),
            access.tenant_id,
            access.mailbox_ids,
        )
        if not rows:
            raise NotFound("None of these messages is there.")
        return SelectionLink(access.tenant_id, [row["id"] for row in rows])

    async def stream(self, link: SelectionLink) -> AsyncIterator[bytes]:
        """A zip archive with a file `.eml` for each message, holding one piece of one message in
        memory at a time. What was deleted since the link was made, or is damaged, is named in a
        file `missing.txt`."""
        names = _Names()
        missing = [str(id) for id in link.message_ids]
        out = _Pieces()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for message in await self._find(link.tenant_id, link.message_ids):
                name = names.choose(message.received_at, message.subject)
                missing.remove(str(message.id))
                try:
                    async for _ in self._add(archive, name, message):
                        yield out.take()
                except (NotFound, Corrupt):
                    missing.append(name)
            if missing:
                archive.writestr(MISSING_NAME, _explain(missing))
        yield out.take()

    async def _find(self, tenant_id: UUID, message_ids: Sequence[UUID]) -> Sequence["_Message"]:
        rows = await self.database.fetch(
            """select message.id, received_at, subject, sha256
            from message join mailbox on mailbox.id = mailbox_id
            where message.id = any($1::uuid[]) and message.tenant_id = $2
                and (expires_at is null or expires_at > $3)
            order by received_at, message.id""",
            list(message_ids),
            tenant_id,
            self.clock.now(),
        )
        return [
            _Message(
                row["id"],
                row["received_at"],
                row["subject"],
                raw_key(tenant_id, row["sha256"]),
            )
            for row in rows
        ]

    async def _add(
        self, archive: zipfile.ZipFile, name: str, message: "_Message"
    ) -> AsyncIterator[None]:
        """Adds one message, and stops after each piece that was written."""
        chunks = self.blobs.stream(message.storage_key)
        # A message that is not there must not leave an empty file behind.
        chunk = await anext(chunks, b"")
        info = zipfile.ZipInfo(name, message.received_at.timetuple()[:6])
        info.compress_type = archive.compression
        with archive.open(info, "w") as entry:
            entry.write(chunk)
            yield
            async for chunk in chunks:
                entry.write(chunk)
                yield


@dataclass(frozen=True, slots=True)
class _Message:
    id: UUID
    received_at: datetime
    subject: str
    storage_key: str


class _Names:
    """Names for the files: safe on every system, and no two alike."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def choose(self, received_at: datetime, subject: str) -> str:
        """`2026-11-22 Notes on the engine.eml`, with a number where that is taken."""
        words = " ".join(_NOT_IN_NAMES.sub(" ", normalize("NFC", subject)).split())
        words = words.encode()[:_MAX_SUBJECT_BYTES].decode(errors="ignore").strip(". ")
        stem = f"{received_at:%Y-%m-%d} {words or 'No subject'}"
        name, number = stem, 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{stem} ({number})"
        self._taken.add(name.casefold())
        return f"{name}.eml"


class _Pieces(io.RawIOBase):
    """A file that can only be written to, and emptied."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        piece = bytes(data)
        self._written.append(piece)
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken


def _explain(missing: Sequence[str]) -> str:
    lines = "\r\n".join(missing)
    return f"These messages were deleted, or can no longer be read:\r\n\r\n{lines}\r\n"


# Letters, digits and what stands between words; no separator of paths, no control, no direction.
_NOT_IN_NAMES = re.compile(r"[^\w .,+=@()-]+")
