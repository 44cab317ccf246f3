"""Asking to sign in, and where to go afterwards: only ever to a page of our own."""

import re
from typing import Any
from urllib.parse import quote, urlsplit

from litestar import Request, Response
from litestar.response import Redirect

FIRST_PAGE = "/inbox"
_MAX_CHARS = 1000
# Printable ASCII without the backslash, which browsers read as a slash (WHATWG URL, section 4.4).
_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*\Z")


def choose_next(path: str) -> str:
    """`path` if it is a path on this host, else nothing."""
    return path if len(path) <= _MAX_CHARS and _LOCAL_PATH.match(path) else ""


def ask_to_sign_in(request: Request[Any, Any, Any]) -> Response[Any]:
    """Leads to the sign-in page, and from there back to where the person was.

    htmx follows a redirect by itself and would put the page into the middle of the other, so it is
    told to go there.
    """
    path = choose_next(_page_of(request))
    target = "/sign-in" + (f"?next={quote(path, safe='/')}" if path else "")
    if request.headers.get("hx-request") == "true":
        return Response("", status_code=401, headers={"hx-redirect": target})
    return Redirect(target, status_code=303)


def _page_of(request: Request[Any, Any, Any]) -> str:
    """The address, without its host, of the page that the person looks at."""
    if request.headers.get("hx-request") == "true":
        try:
            parts = urlsplit(request.headers.get("hx-current-url", ""))
        except ValueError:
            return ""
        return parts.path + (f"?{parts.query}" if parts.query else "")
    if request.method != "GET":
        return ""
    query = request.scope["query_string"].decode("latin-1")
    return quote(request.scope["path"]) + (f"?{query}" if query else "")
