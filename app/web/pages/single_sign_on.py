"""To the provider of one's organisation, and back from it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from litestar import Request, get
from litestar.datastructures import Cookie
from litestar.response import Redirect, Template

from app.access.oidc import ProviderRefused
from app.access.sessions import Sessions
from app.access.sign_in_policy import SignInPolicies
from app.access.single_sign_on import (
    CALLBACK_PATH,
    JOURNEY_TTL,
    SIGNED_OUT_PATH,
    Return,
    SingleSignOn,
)
from app.access.sso_connections import SsoConnection
from app.core.egress.errors import TargetRefused
from app.core.errors import Unavailable
from app.web.browsers import BrowserCookies
from app.web.cookies import SessionCookies
from app.web.given import Given
from app.web.guards import allow_public
from app.web.pages.entering import enter

_FAILED = "sign_in/sso_failed.html"
_NO_ANSWER = "Your organisation's sign-in does not answer. Try again in a moment."


@dataclass(frozen=True, slots=True)
class JourneyCookie:
    """Ties a journey to the provider and back to one browser.

    Not `strict`: the way back begins on another site.
    """

    secure: bool

    @property
    def name(self) -> str:
        """Over https bound to this host (RFC 6265bis, section 4.1.3.2)."""
        return "__Host-pillarbox-sso" if self.secure else "pillarbox-sso"

    def read(self, request: Request[Any, Any, Any]) -> str:
        return request.cookies.get(self.name, "")

    def make(self, secret: str) -> Cookie:
        return Cookie(
            key=self.name,
            value=secret,
            max_age=int(JOURNEY_TTL.total_seconds()) if secret else 0,
            httponly=True,
            secure=self.secure,
            samesite="lax",
        )


@dataclass(frozen=True, slots=True)
class ProviderOffer:
    """The page that leads to a provider. It tells of a domain, never of a person."""

    single_sign_on: SingleSignOn
    policies: SignInPolicies
    cookie: JourneyCookie

    async def show(self, connection: SsoConnection, email: str, next_path: str) -> Template:
        policy = await self.policies.find(connection.tenant_id)
        context = {
            "email": email,
            "next_path": next_path,
            "host": urlsplit(connection.issuer).netloc,
            "allows_mail": policy.allows_mail,
        }
        try:
            departure = await self.single_sign_on.depart(connection, email, next_path)
        except (ProviderRefused, TargetRefused, Unavailable):
            return Template("sign_in/sso.html", context={**context, "url": ""})
        return Template(
            "sign_in/sso.html",
            context={**context, "url": departure.url},
            cookies=[self.cookie.make(departure.secret)],
        )


@get(CALLBACK_PATH, opt=allow_public())
async def come_back(
    request: Request[Any, Any, Any],
    single_sign_on: Given[SingleSignOn],
    sessions: Given[Sessions],
    session_cookies: Given[SessionCookies],
    browser_cookies: Given[BrowserCookies],
    journey_cookie: Given[JourneyCookie],
) -> Redirect | Template:
    """Lets in whom the provider vouches for; its answer is good once, in this browser."""
    query = request.query_params
    back = Return(*(str(query.get(name, "")) for name in ("state", "code", "iss", "error")))
    forget = journey_cookie.make("")
    try:
        signed_in = await single_sign_on.arrive(
            back, journey_cookie.read(request), browser_cookies.read(request)
        )
    except (ProviderRefused, TargetRefused, Unavailable) as error:
        reason = str(error) if isinstance(error, ProviderRefused) else _NO_ANSWER
        return Template(
            _FAILED,
            context={"reason": reason},
            status_code=403 if isinstance(error, ProviderRefused) else 503,
            cookies=[forget],
        )
    entered = await enter(request, signed_in, sessions, session_cookies, browser_cookies)
    entered.set_cookie(forget)
    return entered


@get(SIGNED_OUT_PATH, opt=allow_public())
async def show_signed_out() -> Template:
    """Where a provider sends people that signed out there too."""
    return Template("sign_in/signed_out.html")
