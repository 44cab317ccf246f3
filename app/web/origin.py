"""Refusing what another site makes a browser send.

It guards every write of a page, those before signing in too: a stranger's site must not sign
somebody in as a stranger, nor ask for mail in their name.
"""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import Guard

from app.core.errors import NotAllowed

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})


def require_own_origin(public_url: str) -> Guard:
    """A guard that raises `NotAllowed` for a write that begins on another origin.

    Browsers say where it began in `Sec-Fetch-Site` (Fetch Metadata), over plain http only in
    `Origin` (RFC 6454, section 7). What says neither is no browser, and has no cookies to abuse.
    """

    # A guard that is not async would run in a thread at each request.
    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        method = connection.scope.get("method", "")
        if method not in _READS and not _is_own(connection, public_url):
            raise NotAllowed("This form was sent from another site.")

    return guard


def _is_own(connection: ASGIConnection[Any, Any, Any, Any], public_url: str) -> bool:
    headers = connection.headers
    if site := headers.get("sec-fetch-site"):
        return site in _OWN_SITES
    origin, host = headers.get("origin"), headers.get("host")
    return origin is None or origin in (public_url, f"http://{host}", f"https://{host}")
