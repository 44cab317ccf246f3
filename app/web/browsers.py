"""Whose browser it is that asks for a way in: told by a cookie of a few minutes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from litestar import Request
from litestar.datastructures import Cookie

from app.access.browser import Browser
from app.access.sign_in_requests import MAILED_LINK_TTL
from app.core.ids import Ids
from app.core.secrets import new_token
from app.settings import Networks
from app.web.client import client_network
from app.web.user_agents import classify_user_agent

_SECRET = re.compile(r"[\w-]{22}", re.A)
_KEPT = 3


@dataclass(frozen=True, slots=True)
class BrowserCookies:
    """Reads and writes the cookie by which a browser is known again that asked.

    It holds a secret for each of the last times, so that the mail that comes late works as well as
    the newest. What it was never given proves nothing, so no value needs to be refused.
    """

    ids: Ids
    trusted_proxies: Networks
    secure: bool

    @property
    def name(self) -> str:
        """Over https bound to this host (RFC 6265bis, section 4.1.3.2)."""
        return "__Host-pillarbox-asked" if self.secure else "pillarbox-asked"

    def read(self, request: Request[Any, Any, Any]) -> Browser:
        """The browser that sent this request."""
        user_agent = request.headers.get("user-agent", "")
        return Browser(
            user_agent=user_agent,
            kind=classify_user_agent(user_agent),
            network=client_network(request, self.trusted_proxies),
            secrets=self._secrets(request),
        )

    def renew(self, browser: Browser) -> Browser:
        """The browser with one secret more, which `make` then gives it."""
        return replace(browser, secrets=[new_token(self.ids), *browser.secrets][:_KEPT])

    def make(self, browser: Browser) -> Cookie:
        return self._cookie(".".join(browser.secrets), int(MAILED_LINK_TTL.total_seconds()))

    def forget(self) -> Cookie:
        """Makes the browser drop the cookie."""
        return self._cookie("", 0)

    def _secrets(self, request: Request[Any, Any, Any]) -> Sequence[str]:
        values = request.cookies.get(self.name, "").split(".")
        return [value for value in values if _SECRET.fullmatch(value)][:_KEPT]

    def _cookie(self, value: str, max_age_seconds: int) -> Cookie:
        # Not `strict`: a mail program's link comes from another site.
        return Cookie(
            key=self.name,
            value=value,
            max_age=max_age_seconds,
            httponly=True,
            secure=self.secure,
            samesite="lax",
        )
