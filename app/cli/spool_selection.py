"""Which items of a spool a command is about."""

import argparse
import re
from collections.abc import AsyncIterator, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.core.errors import InvalidInput
from app.storage.spool.forms import Spool
from app.storage.spool.survey import StoredItem, list_items

_AGE = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Items that fit everything that is set. `until` itself is left out; texts are parts of an
    address in lower case."""

    ids: Set[UUID] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    segment: tuple[str, int] | None = None
    sender: str = ""
    recipient: str = ""

    def __contains__(self, item: StoredItem) -> bool:
        metadata = item.metadata
        recipients = metadata.envelope.rcpt_to
        return (
            (not self.ids or metadata.item_id in self.ids)
            and (self.since is None or metadata.received_at >= self.since)
            and (self.until is None or metadata.received_at < self.until)
            and self.sender in metadata.envelope.mail_from.lower()
            and (
                not self.recipient
                or any(self.recipient in address.lower() for address in recipients)
            )
        )

    async def find(self, spool: Spool) -> AsyncIterator[StoredItem]:
        """By producer, segment and place in it."""
        async for stored in spool.segments():
            if self.segment in (None, (stored.producer, stored.number)):
                for item in list_items(stored):
                    if item in self:
                        yield item


def read_selection(options: argparse.Namespace) -> Selection:
    """What the command line asks for. Raises `InvalidInput`."""
    return Selection(
        ids={parse_id(text) for text in getattr(options, "ids", ())},
        since=_parse_time(options.since),
        until=_parse_time(options.until),
        segment=_parse_segment(options.segment),
        sender=getattr(options, "sender", ""),
        recipient=getattr(options, "recipient", ""),
    )


def parse_id(text: str) -> UUID:
    """Raises `InvalidInput`."""
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is not an id: `pillarbox spool list` shows them.") from error


def _parse_time(text: str | None) -> datetime | None:
    """ISO 8601, in UTC unless it says otherwise, or how long ago: `90s`, `15m`, `2h`, `1d`."""
    if text is None:
        return None
    try:
        if match := _AGE.fullmatch(text):
            return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
        time = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"{text!r} is no time such as 2026-03-01T12:00, nor an age such as 2h."
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _parse_segment(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    producer, slash, number = text.rpartition("/")
    if not (slash and number.isascii() and number.isdecimal()):
        raise InvalidInput(f"{text!r} is not PRODUCER/NUMBER, such as smtp-0/12.")
    return producer, int(number)
