"""The headers that keep a page to itself."""

import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping

from litestar.enums import ScopeType
from litestar.types import Message, Scope

from app.web.rendering import TEMPLATE_FOLDER


def _hash(template: str) -> str:
    """As a policy names a script or style that stands in a page (CSP Level 3, section 2.3.1)."""
    text = (TEMPLATE_FOLDER / template).read_text().removesuffix("\n")
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


# The one script that is not a file fetches the others. The frame of a mail inherits this where its
# document stands in the page (`srcdoc`): hence the one style that is not a file, and the styles of
# attributes, which the sanitiser has filtered.
_PAGE_POLICY = (
    f"default-src 'none'; script-src 'self' '{_hash('scripts.js')}'; img-src 'self' data:; "
    f"style-src 'self' '{_hash('messages/frame.css')}'; style-src-attr 'unsafe-inline'; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; manifest-src 'self'"
)

# A mail is another's document: no script, no form, nothing from elsewhere, an origin of its own.
MAIL_POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline' 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox allow-modals"
)

_HEADERS: Mapping[str, str] = {
    "content-security-policy": _PAGE_POLICY,
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: with it browsers name no origin in a form's request (Fetch, section 3.2).
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}

# RFC 6797. For this host alone: what else the domain serves is not ours to promise.
_ONLY_HTTPS = {"strict-transport-security": "max-age=31536000"}


def security_headers(*, secure: bool) -> Callable[[Message, Scope], Awaitable[None]]:
    """A hook that adds each header that a response did not set itself; to errors before any route,
    too. `secure` says that people come by https."""
    headers = {**_HEADERS, **(_ONLY_HTTPS if secure else {})}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def add_security_headers(message: Message, scope: Scope) -> None:
        if scope["type"] == ScopeType.HTTP and message["type"] == "http.response.start":
            headers = list(message["headers"])
            given = {name.lower() for name, _ in headers}
            message["headers"] = headers + [pair for pair in encoded if pair[0] not in given]

    return add_security_headers
