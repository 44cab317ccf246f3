"""The session cookie, and the token that proves a form came from our own page."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from app.access.sign_in import SESSION_TTL, Session, SignIn
from app.core.errors import NotAllowed, Unauthenticated
from app.core.secrets import Secret


@dataclass(frozen=True, slots=True)
class SessionCookies:
    """Reads and writes the cookie. Over https its name binds it to this host (RFC 6265bis)."""

    sign_in: SignIn
    secret_key: Secret
    secure: bool

    @property
    def name(self) -> str:
        return "__Host-pillarbox" if self.secure else "pillarbox"

    def make(self, session_token: str) -> Cookie:
        return Cookie(
            key=self.name,
            value=session_token,
            max_age=int(SESSION_TTL.total_seconds()),
            httponly=True,
            secure=self.secure,
            samesite="lax",
        )

    async def session(self, request: Request[Any, Any, Any]) -> Session:
        """Who is signed in. Raises `Unauthenticated`."""
        token = request.cookies.get(self.name, "")
        if not token:
            raise Unauthenticated("Please sign in.")
        return await self.sign_in.find_session(token)

    async def find_session(self, request: Request[Any, Any, Any]) -> Session | None:
        """Who is signed in, if anybody."""
        try:
            return await self.session(request)
        except Unauthenticated:
            return None

    def csrf_token(self, session: Session) -> str:
        """What every form of this session carries; another site cannot know it."""
        key = self.secret_key.reveal().encode()
        return hmac.new(key, b"csrf" + session.id.bytes, hashlib.sha256).hexdigest()

    async def check_form(self, request: Request[Any, Any, Any], session: Session) -> None:
        """Raises `NotAllowed` unless the form carries this session's token."""
        form = await request.form()
        given = str(form.get("csrf_token", ""))
        if not hmac.compare_digest(given.encode(), self.csrf_token(session).encode()):
            raise NotAllowed("This form is out of date. Load the page again.")
