"""Ending open streams when the server is about to stop.

A server that stops gracefully waits for its connections, and an event stream would never end by
itself. The process in charge sends `STREAMS_END` to each of its workers first.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

STREAMS_END = signal.SIGUSR1


class Endable(Protocol):
    def end(self) -> None: ...


@contextmanager
def ending_on_signal(streams: Endable) -> Iterator[None]:
    """Ends the streams when this process is told to."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(STREAMS_END, streams.end)
    try:
        yield
    finally:
        loop.remove_signal_handler(STREAMS_END)
