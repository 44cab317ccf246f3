"""Pages compressed on the wire, in a way that does not give away what they hold.

A page may hold a secret beside words of a stranger's, and the size of both compressed together
would tell of the secret (BREACH, Prado, Harris and Gluck 2013). Forms therefore carry their token
under a new mask each time, and every page is made longer by a random number of bytes: by a file
name in the header of the gzip stream, as Palacios and others describe ("Heal the Breach", 2022).
"""

import re
import secrets
from struct import pack

from isal import isal_zlib
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

_COMPRESSED_TYPE = "text/html"
# Below this a page fits one packet anyway.
_LEAST_BYTES = 1000
# A page of rows becomes a ninth of itself; the highest level gives a tenth for six times the work.
_LEVEL = 1
_MAX_PADDING_BYTES = 128
_RAW_DEFLATE = -isal_zlib.MAX_WBITS
# RFC 1952, section 2.3.1: magic, deflate, FNAME follows, no time, no extra flags, unknown system.
_HEADER = b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"
_REFUSED = re.compile(r"gzip\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$)")


def compress_pages(app: ASGIApp) -> ASGIApp:
    """Middleware that compresses whole HTML answers. Streams and downloads pass untouched."""

    async def compressing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not accepts_gzip(_accepted_encodings(scope)):
            await app(scope, receive, send)
            return
        start: Message | None = None

        async def send_compressed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_page(message):
                start = message
                return
            if start is not None and message["type"] == "http.response.body":
                if not message.get("more_body") and len(message["body"]) >= _LEAST_BYTES:
                    message["body"] = compress(message["body"])
                    headers = MutableScopeHeaders.from_message(start)
                    headers["content-encoding"] = "gzip"
                    headers["content-length"] = str(len(message["body"]))
                    headers.extend_header_value("vary", "accept-encoding")
                await send(start)
                start = None
            await send(message)

        await app(scope, receive, send_compressed)

    return compressing


def compress(page: bytes) -> bytes:
    """`page` as one gzip member (RFC 1952) of a length that differs from time to time."""
    deflate = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW_DEFLATE)
    padding = b"-" * secrets.randbelow(_MAX_PADDING_BYTES + 1) + b"\0"
    trailer = pack("<II", isal_zlib.crc32(page), len(page) & 0xFFFFFFFF)
    return b"".join((_HEADER, padding, deflate.compress(page), deflate.flush(), trailer))


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether `Accept-Encoding` (RFC 9110, section 12.5.3) names gzip and does not refuse it."""
    return "gzip" in accept_encoding and not _REFUSED.search(accept_encoding)


def _accepted_encodings(scope: Scope) -> str:
    found = (value for name, value in scope["headers"] if name == b"accept-encoding")
    return b",".join(found).decode("latin-1")


def _is_page(start: Message) -> bool:
    headers = MutableScopeHeaders.from_message(start)
    return (
        headers.get("content-type", "").startswith(_COMPRESSED_TYPE)
        and "content-encoding" not in headers
    )
