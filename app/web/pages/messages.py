"""The pages of one message, the same for a temporary inbox and a signed-in one."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any, TypeVar
from uuid import UUID

from litestar import Request
from litestar.background_tasks import BackgroundTask
from litestar.response import Redirect, Stream, Template
from markupsafe import Markup

from app.core.errors import PillarboxError
from app.core.log import get_logger
from app.inbox.invitations import find_invitation
from app.inbox.listing import EVERYTHING, Access
from app.inbox.reading import AttachmentView, MessageView, Reading
from app.inbox.signed_links import ImageLink, PictureLink, RawLink, SignedLinks
from app.inbox.view import View
from app.mime.file_dangers import Danger, find_danger
from app.mime.html import SafeHtml, sanitise_html
from app.mime.html_links import link_addresses
from app.mime.html_quotes import fold_quotes
from app.mime.parse import parse_message
from app.mime.quotes import split_quote
from app.storage.blobs.keys import raw_key
from app.storage.blobs.port import BlobStore
from app.web.pages.downloads import send_file
from app.web.security import MAIL_POLICY

# HTML up to this length comes with its page; a longer one would hold up the words around it.
MAX_INCLUDED_CHARS = 64 * 1024
MAX_PICTURE_URL_CHARS = 2000
MAX_PICTURES = 500
_MAX_HEADER_BYTES = 256 * 1024
# What is longer is worked on in a thread, so that other pages need not wait for it.
_QUICK_CHARS = 16 * 1024

_Result = TypeVar("_Result")
_log = get_logger("web")


@dataclass(frozen=True, slots=True)
class MessagePages:
    """Renders messages that `access` shows. Every method raises `NotFound` for any other.

    Of the address's query, `view` says what is shown (`text`, `headers`, `print`, else the
    message as it was meant) and `pictures=1` that pictures on the web are fetched.
    """

    reading: Reading
    blobs: BlobStore
    links: SignedLinks

    async def show(
        self,
        request: Request[Any, Any, Any],
        access: Access,
        message_id: UUID,
        *,
        base_url: str,
        context: Mapping[str, Any],
        listed: View = EVERYTHING,
        marks_read: bool = True,
    ) -> Template:
        """The page, or for htmx what changes of it. `listed` is the list that it was opened from.

        That the message was read is remembered once the answer is on its way, if `marks_read`.
        """
        message = await self.reading.open(access, message_id)
        seen = BackgroundTask(self._mark_read, message) if marks_read else None
        pictures = request.query_params.get("pictures") == "1"
        shown = request.query_params.get("view", "")
        if shown == "print":
            return await self._print(message, pictures=pictures)
        if shown not in ("text", "headers"):
            shown = "html" if message.html else "text"
        # The database looks for the messages beside it while the mail is made safe.
        neighbours, described = await asyncio.gather(
            self.reading.neighbours(access, listed, message),
            self._describe(message, shown, pictures),
        )
        is_fragment = request.headers.get("hx-request") == "true"
        return Template(
            "messages/_message.html" if is_fragment else "messages/show.html",
            context={
                **context,
                **described,
                "base_url": base_url,
                "message": message,
                "attachments": _list_attachments(message, shown),
                "invitation": await find_invitation(self.blobs, message.attachments),
                "shown": shown,
                "pictures": pictures,
                "is_fragment": is_fragment,
                "is_printed": False,
                "previous_id": neighbours.newer,
                "next_id": neighbours.older,
            },
            background=seen,
        )

    async def body(
        self, request: Request[Any, Any, Any], access: Access, message_id: UUID
    ) -> Template:
        """The document for the sandboxed frame, where it does not come with the page."""
        message = await self.reading.open(access, message_id)
        pictures = request.query_params.get("pictures") == "1"
        safe = await self._sanitise(message, pictures=pictures)
        return _as_document(message, await _fold(safe.html), is_printed=False)

    async def raw(self, access: Access, message_id: UUID) -> Redirect:
        """A fresh signed link to the raw message."""
        message = await self.reading.open(access, message_id)
        link = RawLink(message.tenant_id, message.sha256.hex(), message.id)
        return Redirect(self.links.sign_raw(link), status_code=303)

    async def attachment(self, access: Access, message_id: UUID, attachment_id: UUID) -> Stream:
        """The attachment as a download, never shown in place."""
        attachment = await self.reading.find_attachment(access, message_id, attachment_id)
        return await send_file(self.blobs, attachment.storage_key, attachment.file_name)

    async def _describe(
        self, message: MessageView, shown: str, pictures: bool
    ) -> Mapping[str, object]:
        """What the template needs for the part that is shown, and only that."""
        if shown == "headers":
            return await self._describe_headers(message)
        if shown == "text":
            return await _soon(len(message.text), _describe_text, message.text)
        if len(message.html) > MAX_INCLUDED_CHARS:
            is_remote = bool(_REMOTE_SOURCE.search(message.html))
            return {"html": None, "blocked_images": is_remote and not pictures}
        safe = await self._sanitise(message, pictures=pictures)
        blocked = 0 if pictures else safe.remote_images_blocked
        return {"html": await _fold(safe.html), "blocked_images": blocked}

    async def _describe_headers(self, message: MessageView) -> Mapping[str, object]:
        head = b""
        async for chunk in self.blobs.stream(raw_key(message.tenant_id, message.sha256)):
            head += chunk
            if b"\r\n\r\n" in head or len(head) > _MAX_HEADER_BYTES:
                break
        head = head.partition(b"\r\n\r\n")[0][:_MAX_HEADER_BYTES]
        return {
            "headers": parse_message(head + b"\r\n\r\n").headers,
            "raw_headers": head.decode(errors="replace"),
        }

    async def _print(self, message: MessageView, *, pictures: bool) -> Template:
        """A document of its own, as a browser prints only what it sees of a frame."""
        if message.html:
            html = (await self._sanitise(message, pictures=pictures)).html
        else:
            html = f"<pre>{escape(message.text, quote=False)}</pre>"
        return _as_document(message, html, is_printed=True)

    async def _sanitise(self, message: MessageView, *, pictures: bool) -> SafeHtml:
        shown = {
            attachment.content_id: ImageLink(attachment.storage_key, attachment.content_type)
            for attachment in message.attachments
            if attachment.content_id
        }

        @cache
        def cid_url(content_id: str) -> str:
            link = shown.get(content_id)
            return self.links.sign_image(link) if link else ""

        signed: dict[str, str] = {}

        def remote_image(url: str) -> str:
            if not pictures or len(url) > MAX_PICTURE_URL_CHARS:
                return ""
            if url not in signed and len(signed) < MAX_PICTURES:
                signed[url] = self.links.sign_picture(PictureLink(url))
            return signed.get(url, "")

        def sanitise() -> SafeHtml:
            return sanitise_html(message.html, remote_image=remote_image, cid_url=cid_url)

        return await _soon(len(message.html), sanitise)

    async def _mark_read(self, message: MessageView) -> None:
        try:
            await self.reading.mark_read(message)
        except PillarboxError as error:
            _log.warning("message.not_marked_read", reason=type(error).__name__)


def _describe_text(text: str) -> Mapping[str, object]:
    written, quoted = split_quote(text)
    # `link_addresses` escapes.
    return {
        "written": Markup(link_addresses(written.rstrip())),  # noqa: S704
        "quoted": Markup(link_addresses(quoted.strip("\r\n"))),  # noqa: S704
    }


def _list_attachments(message: MessageView, shown: str) -> Sequence[tuple[AttachmentView, Danger]]:
    """What is shown inside the message is not named beside it once more."""
    return [
        (attachment, find_danger(attachment.file_name, attachment.content_type))
        for attachment in message.attachments
        if shown != "html" or not attachment.is_inline
    ]


def _as_document(message: MessageView, html: str, *, is_printed: bool) -> Template:
    return Template(
        "messages/body.html",
        context={"message": message, "html": html, "is_printed": is_printed},
        headers={"content-security-policy": MAIL_POLICY},
    )


async def _fold(html: str) -> str:
    return await _soon(len(html), fold_quotes, html)


async def _soon(size_chars: int, work: Callable[..., _Result], *arguments: object) -> _Result:
    """At once where that is quick, else in a thread."""
    if size_chars <= _QUICK_CHARS:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


# What loads by itself: cheap to find, and not worth more where the page does not sanitise.
_REMOTE_SOURCE = re.compile(r"\bsrc\s*=\s*[\"']?\s*(?:https?:)?//", re.I)
