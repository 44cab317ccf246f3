"""Refusing what another site makes a browser send.

It guards every write of a page, those before signing in too: a stranger's site must not sign
somebody in as a stranger, nor ask for mail in their name.
"""

from typing import Any

from litestar import Request

from app.core.errors import NotAllowed

_OWN_SITES = frozenset({"same-origin", "none"})


def require_own_origin(request: Request[Any, Any, Any], public_url: str) -> None:
    """Raises `NotAllowed` for a write that begins on another origin.

    Browsers say where it began in `Sec-Fetch-Site` (Fetch Metadata), over plain http only in
    `Origin` (RFC 6454, section 7). What says neither is no browser, and has no cookies to abuse.
    """
    if not _is_own(request, public_url):
        raise NotAllowed("This form was sent from another site.")


def _is_own(request: Request[Any, Any, Any], public_url: str) -> bool:
    headers = request.headers
    if site := headers.get("sec-fetch-site"):
        return site in _OWN_SITES
    origin, host = headers.get("origin"), headers.get("host")
    return origin is None or origin in (public_url, f"http://{host}", f"https://{host}")
