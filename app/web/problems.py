"""Errors at the edge of HTTP: problem details (RFC 9457) for the API, a page for people."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    ValidationException,
)
from litestar.response import Template
from litestar.routes import HTTPRoute

from app.access.idempotency import KeyReused, KeyTaken, StillRunning
from app.core.errors import (
    AlreadyExists,
    InUse,
    InvalidInput,
    NotAllowed,
    NotFound,
    PillarboxError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from app.core.log import get_logger
from app.eventlog.retention import PositionGone
from app.web.next_page import ask_to_sign_in

_log = get_logger("web")
_API_PREFIXES = ("/api/", "/jobs/")
# What providers post to; what people see of the log lies there as well.
_CALLBACK_PREFIX = "/events/"
MEDIA_TYPE = "application/problem+json"
# Where each kind of problem is explained: an address within the installation (RFC 9457, 3.1.1).
_EXPLAINED_AT = "/api/v1/docs#problem-"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem. `name` is what programs go by, `meaning` is for whoever writes them."""

    name: str
    status: int
    title: str
    meaning: str
    example: str

    @property
    def type(self) -> str:
        return f"{_EXPLAINED_AT}{self.name}"


INVALID_INPUT = Kind(
    *("invalid-input", 400, "That did not work"),
    "Something that was sent can never succeed as it stands. `errors` names each part that is"
    " wrong, where that is known.",
    "What was sent is not what is wanted here.",
)
UNAUTHENTICATED = Kind(
    *("unauthenticated", 401, "Please sign in"),
    "No API key was sent, or one that is unknown, revoked or past its time. A cookie never counts.",
    "The API key is not valid.",
)
NOT_ALLOWED = Kind(
    *("not-allowed", 403, "You may not do this"),
    "The key is valid and lacks the scope for this.",
    "This key does not have the scope admin.",
)
NOT_FOUND = Kind(
    *("not-found", 404, "Nothing here"),
    "There is no such thing, or none that this key may see: the two are never told apart.",
    "There is no such message.",
)
METHOD_NOT_ALLOWED = Kind(
    *("method-not-allowed", 405, "That is not possible here"),
    "The address exists and does not answer this method. `Allow` names those that it does.",
    "Method Not Allowed",
)
ALREADY_EXISTS = Kind(
    *("already-exists", 409, "That exists already"),
    "The name is taken.",
    "There is a mailbox sales@acme.example already.",
)
IN_USE = Kind(
    *("in-use", 409, "That is still in use"),
    "Other things still need it, so it cannot be removed.",
    "acme.example still has mailboxes. Remove them first, with their mail.",
)
STILL_RUNNING = Kind(
    *("still-running", 409, "Still running"),
    "A request with the same `Idempotency-Key` is being carried out right now. Try again in a"
    " moment.",
    "A request with this Idempotency-Key is still running.",
)
KEY_TAKEN = Kind(
    *("idempotency-key-taken", 409, "Carried out already"),
    "The request was carried out, for another API key, and only that one is told the answer.",
    "This request was carried out already, for another API key.",
)
POSITION_GONE = Kind(
    *("position-gone", 410, "Not kept any more"),
    "Events after that position have gone, as they were old: a reader that comes so late has missed"
    " some. `next_cursor` is the `after` to go on with.",
    "Events after that position are not kept any more. Go on with after=2999999; what came before"
    " is missed.",
)
TOO_LARGE = Kind(
    *("too-large", 413, "Too large"),
    "The body is larger than is taken here.",
    "Request Entity Too Large",
)
KEY_REUSED = Kind(
    *("idempotency-key-reused", 422, "That key stands for another request"),
    "The `Idempotency-Key` was used within the last day for the same address with another body or"
    " query. Nothing was done.",
    "This Idempotency-Key was used for another request.",
)
TOO_MANY_REQUESTS = Kind(
    *("too-many-requests", 429, "Too many at once"),
    "The limit of this key is reached. `Retry-After` says in how many seconds to try again.",
    "This key may call 6000 times a minute.",
)
INTERNAL = Kind(
    *("internal", 500, "Something went wrong"),
    "The fault is ours. Nothing was changed.",
    "The fault is ours. Please try again.",
)
UNAVAILABLE = Kind(
    *("unavailable", 503, "Not available right now"),
    "A part that this needs is away. Nothing was changed; try again in a moment.",
    "Please try again in a moment.",
)

KINDS: Sequence[Kind] = (
    *(INVALID_INPUT, UNAUTHENTICATED, NOT_ALLOWED, NOT_FOUND, METHOD_NOT_ALLOWED),
    *(ALREADY_EXISTS, IN_USE, STILL_RUNNING, KEY_TAKEN, POSITION_GONE, TOO_LARGE, KEY_REUSED),
    *(TOO_MANY_REQUESTS, INTERNAL, UNAVAILABLE),
)
_BY_ERROR: Sequence[tuple[type[PillarboxError], Kind]] = (
    (InvalidInput, INVALID_INPUT),
    (Unauthenticated, UNAUTHENTICATED),
    (NotAllowed, NOT_ALLOWED),
    (NotFound, NOT_FOUND),
    (AlreadyExists, ALREADY_EXISTS),
    (InUse, IN_USE),
    (StillRunning, STILL_RUNNING),
    (KeyTaken, KEY_TAKEN),
    (KeyReused, KEY_REUSED),
    (PositionGone, POSITION_GONE),
    (TooManyRequests, TOO_MANY_REQUESTS),
    (Unavailable, UNAVAILABLE),
)
_BY_STATUS = {kind.status: kind for kind in (NOT_FOUND, METHOD_NOT_ALLOWED, TOO_LARGE)}


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with what was sent: in the body, where `pointer` (RFC 6901) says, or in the
    parameter or header of this name."""

    detail: str
    pointer: str = ""
    parameter: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong (RFC 9457): `type` for programs, the words for people. `next_cursor` is where
    to go on in the event log, when what was asked for is gone."""

    type: str
    title: str
    status: int
    detail: str
    errors: Sequence[Fault] = ()
    next_cursor: int | None = None


def handle_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The answer to any error that a handler raised."""
    error = _blame_body(error)
    kind, detail = _understand(error)
    status = (
        error.status_code if isinstance(error, HTTPException) and kind.status < 500 else kind.status
    )
    if status >= 500:
        _log.error(
            "web.error",
            method=request.method,
            path=_route_of(request),
            status=status,
            exc_info=error if kind is INTERNAL else None,
        )
    headers = _headers(request, error)
    if _is_asked_by_program(request):
        if status == 401:
            headers["www-authenticate"] = "Bearer"
        return Response(
            Problem(
                type=kind.type,
                title=kind.title,
                status=status,
                detail=detail,
                errors=_faults(error),
                next_cursor=error.go_on_after if isinstance(error, PositionGone) else None,
            ),
            status_code=status,
            media_type=MEDIA_TYPE,
            headers=headers,
        )
    if status == 401:
        return ask_to_sign_in(request)
    return Template(
        "errors/problem.html",
        context={
            "status": status,
            "detail": detail,
            "retry_after_seconds": getattr(error, "retry_after_seconds", 0),
        },
        status_code=status,
        headers=headers,
    )


def _is_asked_by_program(request: Request[Any, Any, Any]) -> bool:
    path: str = request.scope["path"]
    return path.startswith(_API_PREFIXES) or (
        request.method == "POST" and path.startswith(_CALLBACK_PREFIX)
    )


def _understand(error: Exception) -> tuple[Kind, str]:
    """The kind of problem, and what to say of this one."""
    for error_type, kind in _BY_ERROR:
        if isinstance(error, error_type):
            # What a part said of itself is for the log, not for a stranger.
            return kind, "Please try again in a moment." if kind is UNAVAILABLE else str(error)
    if isinstance(error, ValidationException):
        return INVALID_INPUT, "What was sent is not what is wanted here."
    if isinstance(error, HTTPException) and error.status_code < 500:
        kind = _BY_STATUS.get(error.status_code, INVALID_INPUT)
        return kind, "There is nothing at this address." if kind is NOT_FOUND else error.detail
    return INTERNAL, "The fault is ours. Please try again."


def _blame_body(error: Exception) -> Exception:
    """A part of a body may have the name of something that handlers are given. The framework takes
    what is wrong with it for a fault of ours then."""
    is_internal = isinstance(error, InternalServerException)
    found = _IN_BODY.fullmatch(str(error.__cause__)) if is_internal else None
    if found is None:
        return error
    return ValidationException(extra=[{**found.groupdict(), "source": "body"}])


_IN_BODY = re.compile(r"(?P<message>.*) - at `\$\.(?P<key>data(?:[.\[].*)?)`", re.S)
_FIELD = re.compile(r"(?:missing required|contains unknown) field `([^`]+)`")


def _faults(error: Exception) -> Sequence[Fault]:
    """What of a request was wrong, as far as that is known."""
    if isinstance(error, InvalidInput) and error.field:
        return (Fault(str(error), pointer=f"/{error.field}"),)
    if not isinstance(error, ValidationException) or not isinstance(error.extra, list):
        return ()
    return [_fault(each) for each in error.extra]


def _fault(message: Mapping[str, Any]) -> Fault:
    """From what the framework says of one parameter or part of the body."""
    detail, key = str(message["message"]), str(message.get("key", ""))
    if detail == "'data'":
        return Fault("A body is needed.")
    if message.get("source") != "body":
        return Fault(detail, parameter=key.rstrip("_"))
    steps = [] if key == "data" else re.split(r"[.\[\]]+", key.removeprefix("data."))
    if match := _FIELD.search(detail):
        steps.append(match[1])
    return Fault(detail, pointer="".join(f"/{step}" for step in steps if step))


def _headers(request: Request[Any, Any, Any], error: Exception) -> dict[str, str]:
    if isinstance(error, TooManyRequests):
        return {"retry-after": str(error.retry_after_seconds)}
    if isinstance(error, Unavailable | StillRunning):
        return {"retry-after": "1"}
    if isinstance(error, MethodNotAllowedException):
        return {"allow": ", ".join(sorted(_methods_at(request)))}
    return {}


def _methods_at(request: Request[Any, Any, Any]) -> frozenset[str]:
    """What is answered at this address (RFC 9110, section 15.5.6)."""
    steps = request.scope["path"].strip("/").split("/")
    for route in request.app.routes:
        parts = route.path.strip("/").split("/")
        if (
            isinstance(route, HTTPRoute)
            and len(parts) == len(steps)
            and all(
                part.startswith("{") or part == step
                for part, step in zip(parts, steps, strict=True)
            )
        ):
            return frozenset(route.methods)
    return frozenset()


def _route_of(request: Request[Any, Any, Any]) -> str:
    """The path without what it names: addresses of temporary inboxes are credentials."""
    handler = request.scope.get("path_template")
    return str(handler) if handler else "(unknown)"
