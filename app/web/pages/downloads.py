"""Bytes that a signed link opens, and how a browser is told to treat them."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote
from uuid import UUID

from limits import RateLimitItemPerMinute
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Stream

from app.access.grants import Grant
from app.access.keys import ApiKeys
from app.access.permissions import Permission
from app.access.rate_limits import RateLimits
from app.core.clock import Clock
from app.core.errors import InvalidInput, NotFound
from app.inbox.pictures import Picture, RemotePictures
from app.inbox.raw_archive import RawArchive
from app.inbox.signed_links import SHOWN_IN_PLACE, SignedLinks
from app.settings import Settings
from app.storage.blobs.port import BlobStore
from app.web.access import readable
from app.web.api.callers import read_bearer
from app.web.client import client_address
from app.web.given import Given
from app.web.guards import allow, allow_token

_ONLY_BYTES = "default-src 'none'; sandbox"
# For the frame around a mail, whose origin is its own.
_SHOWN_IN_MAIL = {
    "content-security-policy": _ONLY_BYTES,
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "private, max-age=600",
}
_PICTURES = RateLimitItemPerMinute(600)
# One pixel that is not seen, as a GIF.
_NOTHING = Picture(
    "image/gif",
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\0\0\0!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;",
)


@get("/raw/{token:str}", opt=allow_token())
async def download_raw(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    links: Given[SignedLinks],
    keys: Given[ApiKeys],
    archive: Given[RawArchive],
    blobs: Given[BlobStore],
) -> Stream:
    """The raw message, byte for byte as it was stored, for as long as it is there."""
    link = links.open_raw(token)
    await _check_key(request, keys, archive, [link.message_id])
    return await send_file(
        blobs, await archive.find(link), f"{link.message_id}.eml", content_type="message/rfc822"
    )


@post("/inbox/raw-zip", status_code=303, opt=allow(Permission.MESSAGES_READ))
async def link_raw_zip(
    request: Request[Any, Any, Any],
    grant: Given[Grant],
    archive: Given[RawArchive],
    links: Given[SignedLinks],
) -> Redirect:
    """Leads to a signed link, good for ten minutes, to the raw messages that were selected."""
    try:
        message_ids = [UUID(given) for given in (await request.form()).getall("ids", [])]
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidInput("One of the messages is not named as it should be.") from error
    link = await archive.select(readable(grant), message_ids)
    return Redirect(links.sign_selection(link), status_code=303)


@get("/raw-zip/{token:str}", opt=allow_token())
async def download_raw_zip(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    links: Given[SignedLinks],
    keys: Given[ApiKeys],
    archive: Given[RawArchive],
    clock: Given[Clock],
) -> Stream:
    """The raw messages of a selection in one archive."""
    link = links.open_selection(token)
    await _check_key(request, keys, archive, link.message_ids)
    return Stream(
        archive.stream(link),
        media_type="application/zip",
        headers=_as_file(f"messages-{clock.now():%Y-%m-%d}.zip"),
    )


@get("/image/{token:str}", opt=allow_token())
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
        headers=_SHOWN_IN_MAIL,
    )


@get("/picture/{token:str}", opt=allow_token())
async def show_picture(
    request: Request[Any, Any, Any],
    token: FromPath[str],
    links: Given[SignedLinks],
    pictures: Given[RemotePictures],
    rate_limits: Given[RateLimits],
    settings: Given[Settings],
) -> Response[bytes]:
    """A picture of a message that lies on the web, fetched for the reader. Where it cannot be
    shown, one that is empty."""
    link = links.open_picture(token)
    await rate_limits.count(_PICTURES, "picture", client_address(request, settings.trusted_proxies))
    picture = await pictures.fetch(link.url) or _NOTHING
    return Response(picture.content, media_type=picture.content_type, headers=_SHOWN_IN_MAIL)


async def _check_key(
    request: Request[Any, Any, Any],
    keys: ApiKeys,
    archive: RawArchive,
    message_ids: Sequence[UUID],
) -> None:
    """A link opens by itself; who shows an API key besides reads no more by it than by the key.

    Raises `Unauthenticated`, `NotAllowed` or `NotFound`.
    """
    if not request.headers.get("authorization", "").lower().startswith("bearer "):
        return
    grant = await keys.authenticate(read_bearer(request).reveal())
    grant.require(Permission.MESSAGES_READ)
    shown = await archive.select(readable(grant), message_ids)
    if len(shown.message_ids) < len(message_ids):
        raise NotFound("One of these messages is not there.")


async def send_file(
    blobs: BlobStore, key: str, name: str, *, content_type: str = "application/octet-stream"
) -> Stream:
    """An object as a download that no browser opens in place. Raises `NotFound`."""
    return Stream(await _opened(blobs.stream(key)), media_type=content_type, headers=_as_file(name))


def _as_file(name: str) -> dict[str, str]:
    return {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "content-security-policy": _ONLY_BYTES,
    }


async def _opened(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same chunks, once the first could be read: a missing object is an error, not a stump."""
    first = await anext(chunks, b"")

    async def replay() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return replay()
