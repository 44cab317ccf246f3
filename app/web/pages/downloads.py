"""Bytes that a signed link opens, and how a browser is told to treat them."""

from collections.abc import AsyncIterator
from urllib.parse import quote

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from app.core.errors import NotFound
from app.inbox.signed_links import SHOWN_IN_PLACE, SignedLinks
from app.storage.blobs.port import BlobStore
from app.web.given import Given

_ONLY_BYTES = "default-src 'none'; sandbox"


@get("/raw/{token:str}")
async def download_raw(
    token: FromPath[str], links: Given[SignedLinks], blobs: Given[BlobStore]
) -> Stream:
    """The raw message, byte for byte as it was stored."""
    link = links.open_raw(token)
    return await send_file(
        blobs, link.storage_key, f"{link.message_id}.eml", content_type="message/rfc822"
    )


@get("/image/{token:str}")
async def show_image(
    token: FromPath[str], links: Given[SignedLinks], blobs: Given[BlobStore]
) -> Stream:
    """A picture inside a message, for the frame that shows it."""
    link = links.open_image(token)
    if link.content_type not in SHOWN_IN_PLACE:
        raise NotFound("This is no picture.")
    return Stream(
        await _opened(blobs.stream(link.storage_key)),
        media_type=link.content_type,
        headers={
            "content-security-policy": _ONLY_BYTES,
            "cross-origin-resource-policy": "cross-origin",
            "cache-control": "private, max-age=600",
        },
    )


async def send_file(
    blobs: BlobStore, key: str, name: str, *, content_type: str = "application/octet-stream"
) -> Stream:
    """An object as a download that no browser opens in place. Raises `NotFound`."""
    return Stream(
        await _opened(blobs.stream(key)),
        media_type=content_type,
        headers={
            "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "content-security-policy": _ONLY_BYTES,
        },
    )


async def _opened(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, once the first could be read: a missing object is an error, not a stump."""
    first = await anext(chunks, b"")

    async def replay() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return replay()
