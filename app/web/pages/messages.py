"""The pages of one message, the same for a temporary inbox and a signed-in one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar.response import Redirect, Stream, Template

from app.inbox.listing import Access
from app.inbox.reading import MessageView, Reading
from app.inbox.signed_links import ImageLink, RawLink, SignedLinks
from app.mime.html import SafeHtml, sanitise_html
from app.mime.parse import parse_message
from app.storage.blobs.keys import raw_key
from app.storage.blobs.port import BlobStore
from app.web.pages.downloads import send_file
from app.web.security import MAIL_POLICY

_MAX_HEADER_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class MessagePages:
    """Renders messages that `access` shows. Every method raises `NotFound` for any other."""

    reading: Reading
    blobs: BlobStore
    links: SignedLinks

    async def show(
        self,
        access: Access,
        message_id: UUID,
        *,
        base_url: str,
        view: str,
        context: Mapping[str, Any],
    ) -> Template:
        """The message in one of its views: html, text or headers."""
        message = await self.reading.open(access, message_id)
        await self.reading.mark_read(message)
        neighbours = await self.reading.neighbours(message)
        if view not in ("text", "headers"):
            view = "html" if message.html else "text"
        blocked = (await self._sanitise(message)).remote_images_blocked if view == "html" else 0
        return Template(
            "messages/show.html",
            context={
                **context,
                "base_url": base_url,
                "message": message,
                "view": view,
                "headers": await self._headers(message) if view == "headers" else (),
                "blocked_images": blocked,
                "previous_id": neighbours.newer,
                "next_id": neighbours.older,
            },
        )

    async def body(self, access: Access, message_id: UUID) -> Template:
        """The document for the sandboxed frame."""
        message = await self.reading.open(access, message_id)
        return Template(
            "messages/body.html",
            context={"html": (await self._sanitise(message)).html},
            headers={"content-security-policy": MAIL_POLICY},
        )

    async def raw(self, access: Access, message_id: UUID) -> Redirect:
        """A fresh signed link to the raw message."""
        message = await self.reading.open(access, message_id)
        link = RawLink(message.tenant_id, message.sha256.hex(), message.id)
        return Redirect(self.links.sign_raw(link), status_code=303)

    async def attachment(self, access: Access, message_id: UUID, attachment_id: UUID) -> Stream:
        """The attachment as a download, never shown in place."""
        attachment = await self.reading.find_attachment(access, message_id, attachment_id)
        return await send_file(self.blobs, attachment.storage_key, attachment.file_name)

    async def _sanitise(self, message: MessageView) -> SafeHtml:
        """In a thread: a large mail takes seconds, and other pages must not wait for it."""
        pictures = {
            attachment.content_id: ImageLink(attachment.storage_key, attachment.content_type)
            for attachment in message.attachments
            if attachment.content_id
        }

        def cid_url(content_id: str) -> str:
            link = pictures.get(content_id)
            return self.links.sign_image(link) if link else ""

        return await asyncio.to_thread(
            sanitise_html, message.html, remote_image=lambda _: "", cid_url=cid_url
        )

    async def _headers(self, message: MessageView) -> Sequence[tuple[str, str]]:
        head = b""
        async for chunk in self.blobs.stream(raw_key(message.tenant_id, message.sha256)):
            head += chunk
            if b"\r\n\r\n" in head or len(head) > _MAX_HEADER_BYTES:
                break
        return parse_message(head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n").headers
