"""The session cookie, and the proof that a form came from our own page."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie, MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import Message, Scope

from app.access.sessions import IDLE_TTL, Session, Sessions
from app.core.errors import NotAllowed, Unauthenticated
from app.core.secrets import Secret

_PROOF_BYTES = 16
_NEW_TOKEN = "pillarbox_new_session_token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class SessionCookies:
    """Reads and writes the cookie. Over https its name binds it to this host (RFC 6265bis)."""

    sessions: Sessions
    secret_key: Secret
    secure: bool
    random_bytes: Callable[[int], bytes]

    @property
    def name(self) -> str:
        return "__Host-pillarbox" if self.secure else "pillarbox"

    def make(self, session_token: str) -> Cookie:
        return self._cookie(session_token, int(IDLE_TTL.total_seconds()))

    def forget(self) -> Cookie:
        """Makes the browser drop the cookie."""
        return self._cookie("", 0)

    def _cookie(self, value: str, max_age_seconds: int) -> Cookie:
        return Cookie(
            key=self.name,
            value=value,
            max_age=max_age_seconds,
            httponly=True,
            secure=self.secure,
            samesite="lax",
        )

    async def session(self, request: Request[Any, Any, Any]) -> Session:
        """Who is signed in. Raises `Unauthenticated`."""
        token = request.cookies.get(self.name, "")
        if not token:
            raise Unauthenticated("Please sign in.")
        visit = await self.sessions.find(token)
        if visit.new_token:
            request.scope["state"][_NEW_TOKEN] = visit.new_token
        return visit.session

    async def find_session(self, request: Request[Any, Any, Any]) -> Session | None:
        """Who is signed in, if anybody."""
        try:
            return await self.session(request)
        except Unauthenticated:
            return None

    async def send_new_token(self, message: Message, scope: Scope) -> None:
        """A hook before each answer: gives the browser the token that its session got meanwhile,
        unless the answer says something about the cookie itself."""
        if scope["type"] != ScopeType.HTTP or message["type"] != "http.response.start":
            return
        new_token = scope["state"].get(_NEW_TOKEN)
        if not new_token:
            return
        headers = MutableScopeHeaders.from_message(message)
        if not any(
            cookie.startswith(f"{self.name}=") for cookie in headers.getall("set-cookie", [])
        ):
            headers.add("set-cookie", self.make(new_token).to_header(header=""))

    def csrf_token(self, session: Session) -> str:
        """What every form of this session carries; another site cannot know it.

        It reads differently in each response, so that the sizes of compressed pages tell nothing
        of it (BREACH): a random mask, and the session's proof under that mask.
        """
        mask = self.random_bytes(_PROOF_BYTES)
        return base64.urlsafe_b64encode(mask + _xor(mask, self._proof(session))).decode()

    async def check_form(self, request: Request[Any, Any, Any], session: Session) -> None:
        """Raises `NotAllowed` unless the form, or the header `X-CSRF-Token`, carries this
        session's token."""
        given = request.headers.get("x-csrf-token") or (await request.form()).get("csrf_token", "")
        if not hmac.compare_digest(_unmask(str(given)), self._proof(session)):
            raise NotAllowed("This form is out of date. Load the page again.")

    def _proof(self, session: Session) -> bytes:
        key = self.secret_key.reveal().encode()
        return hmac.digest(key, b"csrf" + session.id.bytes, hashlib.sha256)[:_PROOF_BYTES]


def _unmask(token: str) -> bytes:
    """The proof under the mask; empty for what is no token."""
    try:
        both = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return b""
    if len(both) != 2 * _PROOF_BYTES:
        return b""
    return _xor(both[:_PROOF_BYTES], both[_PROOF_BYTES:])


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
