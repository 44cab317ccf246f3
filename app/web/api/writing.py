"""Writes over the API: each is one transaction, and carried out once for an `Idempotency-Key`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.access.idempotency import Answer, Call, Writes
from app.core.errors import InvalidInput
from app.web.api.callers import Caller, find_caller

HEADER = "idempotency-key"
REPLAYED = "idempotent-replayed"
_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_OPT = "transaction"
_KEY = re.compile(r"[!-~]{1,255}\Z")


def without_transaction() -> Mapping[str, bool]:
    """`opt` of a write that waits for others, such as DNS, and may be repeated without harm. It
    runs outside a transaction, and an `Idempotency-Key` makes no difference to it."""
    return {_OPT: False}


def is_transaction(handler: BaseRouteHandler) -> bool:
    return bool(handler.opt.get(_OPT, True))


@dataclass(frozen=True, slots=True)
class WholeWrites:
    """Middleware that runs each write of a key as one transaction, and answers once that is
    committed."""

    writes: Writes

    def wrap(self, app: ASGIApp) -> ASGIApp:
        async def writing(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP or scope["method"] not in _METHODS:
                await app(scope, receive, send)
                return
            caller = find_caller(scope)
            if caller is None or not is_transaction(scope["route_handler"]):
                await app(scope, receive, send)
                return
            # Read beforehand, as nobody is to wait for a slow sender; the handler is given it.
            request: Request[Any, Any, Any] = Request(scope, receive, send)
            call = _call(request, caller, await request.body())
            ran = False

            async def work() -> Answer:
                nonlocal ran
                ran = True
                return await _capture(app, scope, receive)

            answer = await self.writes.run(work, call)
            await _send(answer, send, replayed=not ran)

        return writing


def _call(request: Request[Any, Any, Any], caller: Caller, body: bytes) -> Call | None:
    """None for a write that names no key. Raises `InvalidInput`."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.match(key):
        raise InvalidInput("An Idempotency-Key has 1 to 255 printable characters and no spaces.")
    if caller.grant.actor.id is None:
        raise InvalidInput("Only an API key can name an Idempotency-Key.")
    return Call(
        tenant_id=caller.grant.tenant_id,
        api_key_id=caller.grant.actor.id,
        secret=caller.key,
        method=request.method,
        path=request.scope["path"],
        key=key,
        content=request.scope["query_string"] + b"\n" + body,
    )


async def _capture(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """What the application answers, kept from being sent."""
    status, headers, body = 500, [], bytearray()

    async def keep(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = [
                (name.decode(), value.decode("latin-1")) for name, value in message["headers"]
            ]
        elif message["type"] == "http.response.body":
            body.extend(message["body"])

    await app(scope, receive, keep)
    return Answer(status, headers, bytes(body))


async def _send(answer: Answer, send: Send, *, replayed: bool) -> None:
    headers = [*answer.headers, *([(REPLAYED, "true")] if replayed else [])]
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        }
    )
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
