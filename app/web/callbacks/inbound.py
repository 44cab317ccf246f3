"""Mail that a provider hands over by HTTP: `POST /events/inbound`."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from litestar import post
from litestar.params import JSONBody

from app.core.clock import Clock
from app.core.egress.client import Bounds, Egress
from app.core.egress.errors import Unreachable
from app.core.errors import InvalidInput
from app.core.ids import Ids
from app.mime.addresses import is_valid_address
from app.settings import Settings
from app.storage.spool.port import Envelope, ItemMetadata, SpoolWriter
from app.web.given import Given
from app.web.guards import allow_provider


class InboundMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider sends: exactly one of `raw_mime`, `raw_mime_base64` and `raw_mime_url`."""

    event_id: str
    recipients: Sequence[str]
    provider: str = ""
    message_id: str = ""
    raw_mime: str | None = None
    raw_mime_base64: str | None = None
    raw_mime_url: str | None = None
    metadata: Mapping[str, Any] = {}


class Accepted(msgspec.Struct, frozen=True):
    """The message is on disk under this id."""

    id: UUID


@post("/events/inbound", status_code=202, opt=allow_provider())
async def receive_message(
    data: JSONBody[InboundMessage],
    spool: Given[SpoolWriter],
    egress: Given[Egress],
    settings: Given[Settings],
    clock: Given[Clock],
    ids: Given[Ids],
) -> Accepted:
    """Answers 202 once the message is durable. Needs `Authorization: Bearer
    INGESTER_INBOUND_TOKEN`, in production always."""
    if not data.recipients or not all(is_valid_address(address) for address in data.recipients):
        raise InvalidInput("`recipients` must be e-mail addresses, at least one.")
    raw = await _read(data, egress, settings.smtp_max_message_bytes)
    item_id = ids.new()
    metadata = ItemMetadata(
        item_id=item_id,
        trace_id=ids.new(),
        received_at=clock.now(),
        envelope=Envelope("", tuple(data.recipients)),
        source="callback",
        source_id=f"{data.provider}:{data.event_id}",
        client_address="",
        client_name=data.provider,
        prefix_size_bytes=0,
    )
    await spool.put(metadata, raw)
    return Accepted(item_id)


async def _read(data: InboundMessage, egress: Egress, max_bytes: int) -> bytes:
    """The message, in whichever way it was given."""
    given = (data.raw_mime, data.raw_mime_base64, data.raw_mime_url)
    if sum(value is not None for value in given) != 1:
        raise InvalidInput("Send exactly one of `raw_mime`, `raw_mime_base64` and `raw_mime_url`.")
    if data.raw_mime_url is not None:
        return await _fetch(egress, data.raw_mime_url, max_bytes)
    raw = data.raw_mime.encode() if data.raw_mime is not None else _decode(data.raw_mime_base64)
    if len(raw) > max_bytes:
        raise InvalidInput(_TOO_LARGE)
    return raw


def _decode(text: str | None) -> bytes:
    try:
        return base64.b64decode(text or "", validate=True)
    except binascii.Error as error:
        raise InvalidInput("`raw_mime_base64` is not base64.") from error


async def _fetch(egress: Egress, url: str, max_bytes: int) -> bytes:
    answer = await egress.send("GET", url, Bounds(max_bytes, total_seconds=_FETCH_SECONDS))
    if answer.status in _MAY_COME or answer.status >= 500:
        raise Unreachable("`raw_mime_url` cannot be had just now.")
    if answer.status != 200 or not answer.content:
        raise InvalidInput("`raw_mime_url` has no message.")
    if answer.is_cut:
        raise InvalidInput(_TOO_LARGE)
    return answer.content


_TOO_LARGE = "The message is larger than this server takes."
_FETCH_SECONDS = 60
# Request Timeout, Too Early, Too Many Requests.
_MAY_COME = (408, 425, 429)
