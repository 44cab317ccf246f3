"""Who may use a route: each declares it, and one guard of the application enforces it.

Pages know people by the session cookie and nothing else, the API knows keys by the `Authorization`
header and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from app.access.grants import Actor, Grant
from app.access.permissions import ROLE_PERMISSIONS, Permission
from app.access.sessions import Session
from app.access.sign_in_policy import SignInPolicies
from app.core.errors import NotAllowed, Unauthenticated
from app.settings import Networks
from app.web.api.callers import find_caller, read_bearer
from app.web.callbacks.token import ProviderToken
from app.web.client import client_address
from app.web.cookies import SessionCookies
from app.web.origin import require_own_origin

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPT = "access"
_API_PREFIX = "/api/"
_ADMIN_PREFIXES = ("/admin", "/api/v1/admin")
_ADMINISTERING = frozenset(
    {
        Permission.ADMIN,
        Permission.OWNER,
        Permission.DOMAINS_WRITE,
        Permission.MAILBOXES_WRITE,
        Permission.WEBHOOKS_WRITE,
    }
)


class Door(Enum):
    """How a route is entered."""

    PUBLIC = auto()
    TOKEN = auto()
    """Its own credential, in the path or a header, is for the handler to check."""
    SESSION = auto()
    """Anybody signed in, or any key."""
    PERMISSION = auto()
    OPERATOR = auto()
    PROVIDER = auto()
    """Whoever has the token of the ingester."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route declares. `permission` belongs to `Door.PERMISSION`."""

    door: Door
    permission: Permission | None = None


def allow(permission: Permission) -> Mapping[str, Rule]:
    """`opt` of a route for those who have this permission in the tenant they are in."""
    return {_OPT: Rule(Door.PERMISSION, permission)}


def allow_public() -> Mapping[str, Rule]:
    """`opt` of a route for everybody."""
    return {_OPT: Rule(Door.PUBLIC)}


def allow_token() -> Mapping[str, Rule]:
    """`opt` of a route whose handler checks a token of its own."""
    return {_OPT: Rule(Door.TOKEN)}


def allow_session() -> Mapping[str, Rule]:
    """`opt` of a route for anybody signed in, whatever their role."""
    return {_OPT: Rule(Door.SESSION)}


def allow_operator() -> Mapping[str, Rule]:
    """`opt` of a route for those who run the installation."""
    return {_OPT: Rule(Door.OPERATOR)}


def allow_provider() -> Mapping[str, Rule]:
    """`opt` of a callback: for the providers that were given the token of the ingester."""
    return {_OPT: Rule(Door.PROVIDER)}


def rule_of(handler: BaseRouteHandler) -> Rule | None:
    """What the route declared; None when it forgot to, and nobody may use it."""
    rule: Rule | None = handler.opt.get(_OPT)
    return rule


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets a request through to its handler, or raises.

    Who was let through is in the scope then: the `Grant` as `auth`, for pages the `Session` as
    `user`.
    """

    cookies: SessionCookies
    policies: SignInPolicies
    provider_token: ProviderToken
    trusted_proxies: Networks
    public_url: str

    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        """Raises `Unauthenticated` or `NotAllowed`."""
        request: Request[Any, Any, Any] = connection  # type: ignore[assignment]
        is_api = request.scope["path"].startswith(_API_PREFIX)
        is_write = request.method not in _READS
        if is_write and not is_api:
            require_own_origin(request, self.public_url)
        rule = rule_of(handler)
        if rule is None:
            raise NotAllowed("Nobody may do this.")
        if rule.door in (Door.PUBLIC, Door.TOKEN):
            return
        if rule.door is Door.PROVIDER:
            self.provider_token.check(connection)
            return
        grant = _by_key(request) if is_api else await self._by_session(request)
        request.scope["auth"] = grant
        if rule.door is Door.OPERATOR and not grant.is_operator:
            raise NotAllowed("This is for those who run this installation.")
        if rule.permission is not None:
            grant.require(rule.permission)
        if _administers(request.scope["path"], rule):
            await self.policies.require_admin_network(grant.tenant_id, grant.actor.address)
        if is_write and not is_api:
            await self.cookies.check_form(request, request.scope["user"])

    async def _by_session(self, request: Request[Any, Any, Any]) -> Grant:
        session: Session = await self.cookies.session(request)
        request.scope["user"] = session
        return Grant(
            actor=Actor(
                "user",
                session.user_id,
                session.email,
                client_address(request, self.trusted_proxies),
            ),
            tenant_id=session.tenant_id,
            permissions=ROLE_PERMISSIONS[session.role],
            is_operator=session.is_operator,
        )


def _by_key(request: Request[Any, Any, Any]) -> Grant:
    """What was found of the key before, when the call was counted."""
    caller = find_caller(request.scope)
    if caller is None:
        read_bearer(request)
        raise Unauthenticated("The API key is not valid.")
    return caller.grant


def _administers(path: str, rule: Rule) -> bool:
    """Whether a route is for those who run a tenant, by its place or by whom it lets in."""
    return path.startswith(_ADMIN_PREFIXES) or rule.permission in _ADMINISTERING


def granted(request: Request[Any, Any, Any]) -> Grant:
    """What the guard found; for routes that are neither public nor opened by a token."""
    grant: Grant = request.scope["auth"]
    return grant


def signed_in(request: Request[Any, Any, Any]) -> Session:
    """Whom the guard found; for pages that are neither public nor opened by a token."""
    session: Session = request.scope["user"]
    return session
