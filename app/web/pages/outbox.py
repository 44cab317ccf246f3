"""The mails that were not sent, for whoever sits at this machine. Not in production."""

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from litestar import Request, Router, get
from litestar.params import FromPath
from litestar.response import Template

from app.core.errors import NotFound
from app.mime.html import sanitise_html
from app.mime.parse import parse_message
from app.mime.parsed import ParsedMessage
from app.outbound.outbox import Outbox, OutboxItem
from app.settings import MailUrl, Settings
from app.web.given import Given
from app.web.guards import allow_public
from app.web.security import MAIL_POLICY

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_PORT = re.compile(r":\d+\Z")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One mail in the list."""

    id: UUID
    to: str
    subject: str
    put_at: datetime


@get("/")
async def list_outbox(
    request: Request[Any, Any, Any], outbox: Given[Outbox], settings: Given[Settings]
) -> Template:
    _require(request, settings)
    items = await asyncio.to_thread(outbox.list_newest)
    return Template("outbox/list.html", context={"rows": [_describe(item) for item in items]})


@get("/{item_id:uuid}")
async def show_outbox_mail(
    request: Request[Any, Any, Any],
    item_id: FromPath[UUID],
    outbox: Given[Outbox],
    settings: Given[Settings],
) -> Template:
    item = await _find(item_id, request, outbox, settings)
    message = parse_message(item.raw)
    link = re.search(rf"{re.escape(settings.public_url)}(/\S+)", message.text)
    return Template(
        "outbox/show.html",
        context={
            "row": _describe(item),
            "from_": ", ".join(map(str, message.from_)),
            "text": message.text,
            "has_html": bool(message.html),
            "link": link[1] if link else "",
        },
    )


@get("/{item_id:uuid}/body")
async def show_outbox_body(
    request: Request[Any, Any, Any],
    item_id: FromPath[UUID],
    outbox: Given[Outbox],
    settings: Given[Settings],
) -> Template:
    """The document for the sandboxed frame."""
    item = await _find(item_id, request, outbox, settings)
    html = parse_message(item.raw).html
    safe = sanitise_html(html, remote_image=lambda _: "", cid_url=lambda _: "")
    return Template(
        "messages/body.html",
        context={"html": safe.html, "message": _describe(item), "is_printed": False},
        headers={"content-security-policy": MAIL_POLICY},
    )


def shows_outbox(request: Request[Any, Any, Any], settings: Settings) -> bool:
    """Whether sign-in mail lies in the outbox, and this request comes from the same machine.

    These mails sign people in, so it is not enough that a proxy on this machine asks, nor that a
    foreign name leads to it: nothing may have been forwarded, and the host must be this machine.
    """
    if settings.production or settings.auth_mail != MailUrl("outbox"):
        return False
    forwarded = any(name in request.headers for name in _FORWARDED)
    peer = request.client.host if request.client else ""
    host = _PORT.sub("", request.headers.get("host", ""))
    return not forwarded and _is_this_machine(peer) and _is_this_machine(host)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _require(request: Request[Any, Any, Any], settings: Settings) -> None:
    if not shows_outbox(request, settings):
        raise NotFound("There is no outbox here.")


async def _find(
    item_id: UUID, request: Request[Any, Any, Any], outbox: Outbox, settings: Settings
) -> OutboxItem:
    _require(request, settings)
    return await asyncio.to_thread(outbox.find, item_id)


def _describe(item: OutboxItem) -> OutboxRow:
    message: ParsedMessage = parse_message(item.raw)
    return OutboxRow(item.id, ", ".join(map(str, message.to)), message.subject, item.put_at)


outbox_router = Router(
    "/outbox",
    route_handlers=[list_outbox, show_outbox_mail, show_outbox_body],
    opt=allow_public(),
)
