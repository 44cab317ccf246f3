"""Reads that need not be sent again: entity tags and conditional requests (RFC 9110, 13.1.2)."""

import base64
import hashlib

from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

_TAG_BYTES = 18
# For the caller alone, who may keep it and asks each time whether it still holds.
_CACHE_CONTROL = "private, no-cache"


def tag_reads(app: ASGIApp) -> ASGIApp:
    """Middleware that gives each whole JSON answer to a GET an `ETag`, and answers 304 without a
    body when `If-None-Match` names it. It saves sending the answer, not making it."""

    async def tagging(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "GET":
            await app(scope, receive, send)
            return
        known = _known_tags(scope)
        start: HTTPResponseStartEvent | None = None

        async def send_tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_whole_read(message):
                start = message
                return
            if start is not None and message["type"] == "http.response.body":
                if not message.get("more_body"):
                    message["body"] = _tag(start, message["body"], known)
                await send(start)
                start = None
            await send(message)

        await app(scope, receive, send_tagged)

    return tagging


def entity_tag(body: bytes) -> str:
    """A strong entity tag: the same for the same bytes and nothing else (RFC 9110, 8.8.3)."""
    digest = hashlib.sha256(body).digest()[:_TAG_BYTES]
    return f'"{base64.urlsafe_b64encode(digest).decode()}"'


def _tag(start: HTTPResponseStartEvent, body: bytes, known: frozenset[str]) -> bytes:
    """Completes the head of the answer; returns the body that is to follow it."""
    headers = MutableScopeHeaders.from_message(start)
    tag = entity_tag(body)
    headers["etag"] = tag
    headers["cache-control"] = _CACHE_CONTROL
    headers["vary"] = "authorization"
    if tag not in known and "*" not in known:
        return body
    start["status"] = 304
    for name in ("content-length", "content-type"):
        if name in headers:
            del headers[name]
    return b""


def _known_tags(scope: Scope) -> frozenset[str]:
    """What `If-None-Match` names, compared weakly as it asks for: `W/` makes no difference."""
    values = (value for name, value in scope["headers"] if name == b"if-none-match")
    tags = b",".join(values).decode("latin-1").split(",")
    return frozenset(tag.strip().removeprefix("W/") for tag in tags)


def _is_whole_read(start: HTTPResponseStartEvent) -> bool:
    headers = MutableScopeHeaders.from_message(start)
    return start["status"] == 200 and headers.get("content-type", "").startswith("application/json")
