"""Hearing of new events, for those who do not keep a checkpoint."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Protocol

from app.eventlog.event import Event
from app.eventlog.read import EventFilter


class Feed(Protocol):
    """Where pages, and whoever waits for something, hear of new events."""

    def follow(self, wanted: EventFilter, *, after: int) -> AsyncGenerator[Sequence[Event], None]:
        """The wanted events after a position, each once and in order; an empty sequence now and
        then. It ends when the process stops or the caller reads too slowly."""
        ...


async def wait_for_events(
    feed: Feed, wanted: EventFilter, *, after: int, timeout_seconds: float
) -> Sequence[Event]:
    """The next wanted events after a position: at once when there are any, else with the first of
    them. None when none came in time, or the process stops."""
    with suppress(TimeoutError):
        async with (
            asyncio.timeout(timeout_seconds),
            aclosing(feed.follow(wanted, after=after)) as following,
        ):
            async for events in following:
                if events:
                    return events
    return ()
