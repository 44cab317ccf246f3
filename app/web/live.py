"""Server-sent events: what an open page is told (HTML, section 9.2)."""

from typing import Any

from litestar import Request

from app.core.errors import InvalidInput


def resume_position(request: Request[Any, Any, Any], after: int) -> int:
    """The position to go on from: what the browser saw last, else what the page was made with.

    Raises `InvalidInput`.
    """
    last = request.headers.get("last-event-id", "").strip()
    if not last:
        return after
    if not (last.isascii() and last.isdigit() and len(last) < 19):
        raise InvalidInput("Last-Event-ID is a position in the event log.")
    return int(last)


def format_event(name: str, data: str, position: int) -> bytes:
    """One event on the wire. `position` comes back as `Last-Event-ID`."""
    lines = "".join(f"data: {line}\n" for line in data.splitlines())
    return f"event: {name}\nid: {position}\n{lines}\n".encode()
