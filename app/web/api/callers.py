"""Which key calls, and how often it may (draft-ietf-httpapi-ratelimit-headers)."""

from dataclasses import dataclass
from typing import Any

from limits import RateLimitItem, RateLimitItemPerMinute
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.access.grants import Grant
from app.access.keys import ApiKeys
from app.access.rate_limits import Allowance, RateLimits
from app.core.errors import TooManyRequests, Unauthenticated
from app.core.secrets import Secret
from app.settings import Networks
from app.web.client import client_address

_STATE = "pillarbox_caller"
_POLICY = "requests"


@dataclass(frozen=True, slots=True)
class Caller:
    """A key that calls: what it grants, its text, and what is left of its limit."""

    grant: Grant
    key: Secret
    allowance: Allowance


@dataclass(frozen=True, slots=True)
class Callers:
    """Middleware of all routes that want a key. It goes before the guard, which refuses whoever it
    does not know; knowing a key is not yet being allowed anything."""

    keys: ApiKeys
    limits: RateLimits
    requests_per_minute: int
    trusted_proxies: Networks

    def wrap(self, app: ASGIApp) -> ASGIApp:
        limit = RateLimitItemPerMinute(self.requests_per_minute)

        async def counting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == ScopeType.HTTP:
                await self._find(scope, limit)
            await app(scope, receive, send)

        return counting

    async def _find(self, scope: Scope, limit: RateLimitItem) -> None:
        """Raises `TooManyRequests`."""
        connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
        try:
            key = read_bearer(connection)
            address = client_address(connection, self.trusted_proxies)
            grant = await self.keys.authenticate(key.reveal(), address)
        except Unauthenticated:
            return
        allowance = await self.limits.spend(limit, "api", str(grant.actor.id))
        scope["state"][_STATE] = Caller(grant, key, allowance)
        if allowance.exceeded:
            raise TooManyRequests(
                f"This key may call {allowance.limit} times a minute.", allowance.reset_seconds
            )


def read_bearer(connection: ASGIConnection[Any, Any, Any, Any]) -> Secret:
    """The key in the `Authorization` header (RFC 6750, section 2.1); a cookie is none. Raises
    `Unauthenticated`."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated("Send an API key: `Authorization: Bearer KEY`.")
    return Secret(key.strip())


def find_caller(scope: Scope) -> Caller | None:
    """Who was found to call; None for a call without a valid key."""
    caller: Caller | None = scope["state"].get(_STATE)
    return caller


def calling(request: Request[Any, Any, Any]) -> Caller:
    """Who calls; for routes that the guard lets nobody else to."""
    caller: Caller = request.scope["state"][_STATE]
    return caller


async def tell_allowance(message: Message, scope: Scope) -> None:
    """A hook before each answer, errors too: tells the caller what is left of its limit."""
    if scope["type"] != ScopeType.HTTP or message["type"] != "http.response.start":
        return
    if caller := find_caller(scope):
        left = caller.allowance
        headers = MutableScopeHeaders.from_message(message)
        headers["ratelimit-policy"] = f'"{_POLICY}";q={left.limit};w={left.window_seconds}'
        headers["ratelimit"] = f'"{_POLICY}";r={left.remaining};t={left.reset_seconds}'
