"""The steps that need only the bytes: parse, identify, classify."""

import asyncio
import hashlib
from collections.abc import Sequence

from app.core.log import get_logger
from app.inbound.pipeline.arrival import Arrival, Parsed, Refusal
from app.mime.classify import classify
from app.mime.identity import content_sha256, fingerprint
from app.mime.parse import Unparseable, parse_message

_log = get_logger("pipeline")


async def parse(arrivals: Sequence[Arrival]) -> tuple[Sequence[Parsed], Sequence[Refusal]]:
    """Parses each item by itself, in a thread so that a slow one holds nobody else up."""
    return await asyncio.to_thread(_parse_all, arrivals)


def _parse_all(arrivals: Sequence[Arrival]) -> tuple[Sequence[Parsed], Sequence[Refusal]]:
    parsed: list[Parsed] = []
    refusals: list[Refusal] = []
    for arrival in arrivals:
        try:
            parsed.append(_parse_one(arrival))
        except Unparseable as error:
            refusals.append(Refusal(arrival, "parse", str(error)))
        except (Exception, RecursionError) as error:
            # Whatever a parser trips over, the item behind it must not wait for a new release.
            _log.exception("pipeline.parse", item_id=str(arrival.item.metadata.item_id))
            refusals.append(Refusal(arrival, "parse", f"The parser failed: {type(error).__name__}"))
    return parsed, refusals


def _parse_one(arrival: Arrival) -> Parsed:
    item = arrival.item
    message = parse_message(item.raw)
    digest = content_sha256(memoryview(item.raw)[item.metadata.prefix_size_bytes :])
    return Parsed(
        arrival=arrival,
        message=message,
        classification=classify(message),
        identity=_identity(message.message_id, digest),
        fingerprint=fingerprint(message),
        sha256=hashlib.sha256(item.raw).digest(),
        content_sha256=digest,
    )


def _identity(message_id: str | None, digest: bytes) -> bytes:
    return hashlib.sha256(message_id.encode()).digest() if message_id else digest
