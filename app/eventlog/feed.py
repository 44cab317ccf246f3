"""Hearing of new events, for those who do not keep a checkpoint."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from app.eventlog.event import Event
from app.eventlog.read import EventFilter


class Feed(Protocol):
    """Where pages, and whoever waits for something, hear of new events."""

    def follow(self, wanted: EventFilter, *, after: int) -> AsyncGenerator[Sequence[Event], None]:
        """The wanted events after a position, each once and in order; an empty sequence now and
        then. It ends when the process stops or the caller reads too slowly."""
        ...
