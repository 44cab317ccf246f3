"""Errors at the edge of HTTP: problem details (RFC 9457) for the API, a page for people."""

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Template

from app.core.errors import (
    AlreadyExists,
    InvalidInput,
    NotAllowed,
    NotFound,
    PillarboxError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from app.core.log import get_logger
from app.web.next_page import ask_to_sign_in

_log = get_logger("web")
_API_PREFIXES = ("/api/", "/events/", "/jobs/")


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for whoever asked: a status, a title, what it means and what to do."""

    status: int
    title: str
    detail: str


_BY_ERROR: tuple[tuple[type[PillarboxError], int, str], ...] = (
    (InvalidInput, 400, "That did not work"),
    (Unauthenticated, 401, "Please sign in"),
    (NotAllowed, 403, "You may not do this"),
    (NotFound, 404, "Nothing here"),
    (AlreadyExists, 409, "That exists already"),
    (TooManyRequests, 429, "Too many at once"),
    (Unavailable, 503, "Not available right now"),
)
_TITLES = {400: "That did not work", 404: "Nothing here", 405: "That is not possible here"}
_INTERNAL = Problem(500, "Something went wrong", "The fault is ours. Please try again.")


def handle_error(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The answer to any error that a handler raised."""
    problem = _to_problem(error)
    if problem.status >= 500:
        _log.error(
            "web.error",
            method=request.method,
            path=_route_of(request),
            status=problem.status,
            exc_info=error if problem is _INTERNAL else None,
        )
    headers = {}
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(error.retry_after_seconds)
    if request.url.path.startswith(_API_PREFIXES):
        if problem.status == 401:
            headers["www-authenticate"] = "Bearer"
        return Response(
            {
                "type": "about:blank",
                "title": problem.title,
                "status": problem.status,
                "detail": problem.detail,
            },
            status_code=problem.status,
            media_type="application/problem+json",
            headers=headers,
        )
    if problem.status == 401:
        return ask_to_sign_in(request)
    return Template(
        "errors/problem.html",
        context={
            "status": problem.status,
            "retry_after_seconds": getattr(error, "retry_after_seconds", 0),
        },
        status_code=problem.status,
        headers=headers,
    )


def _to_problem(error: Exception) -> Problem:
    for kind, status, title in _BY_ERROR:
        if isinstance(error, kind):
            # What a part said of itself is for the log, not for a stranger.
            known = "Please try again in a moment." if kind is Unavailable else str(error)
            return Problem(status, title, known)
    if isinstance(error, HTTPException) and error.status_code < 500:
        title = _TITLES.get(error.status_code, "That did not work")
        detail = "There is no such page." if error.status_code == 404 else error.detail
        return Problem(error.status_code, title, detail)
    return _INTERNAL


def _route_of(request: Request[Any, Any, Any]) -> str:
    """The path without what it names: addresses of temporary inboxes are credentials."""
    handler = request.scope.get("path_template")
    return str(handler) if handler else "(unknown)"
