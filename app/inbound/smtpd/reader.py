"""What a client sends, as command lines and as message data."""

import asyncio

_MAX_AHEAD_BYTES = 64 * 1024
"""What is read of a client before it is asked for; then the client has to wait."""
_END_OF_DATA = b"\r\n.\r\n"


class ConnectionClosed(Exception):
    """The client is gone, or has said that it sends no more."""


class LineTooLong(Exception):
    """A command line was over the limit and has been skipped."""


class BadLine(Exception):
    """A command line ended in a bare LF, or held a bare CR."""


class ClientReader:
    """Bytes from one client, buffered here so that pipelined commands cost one read together.

    The connection puts them in with `feed` and `feed_end`; its one conversation takes them out.
    """

    def __init__(self, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._buffer = bytearray()
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None
        self._transport: asyncio.ReadTransport | None = None
        self._paused = False

    def hold_back(self, transport: asyncio.ReadTransport | None) -> None:
        """From now on it is `transport` that must not read too far ahead."""
        self._transport = transport
        self._paused = False

    def feed(self, received: bytes) -> None:
        self._buffer += received
        self._wake()
        if len(self._buffer) > _MAX_AHEAD_BYTES and self._transport and not self._paused:
            self._transport.pause_reading()
            self._paused = True

    def feed_end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._wake()

    def discard(self) -> None:
        """Throws away what is here: whatever comes now is not to be read."""
        self._buffer.clear()
        self._go_on_reading()
        self.feed_end()

    async def read_line(self) -> bytes:
        """The next line without its CRLF (RFC 5321, section 2.3.8).

        Raises `LineTooLong`, `BadLine`, `ConnectionClosed`. After the first two the next line can
        be read: a line ends at LF even where it should have been CRLF, as a client that sends
        bare LFs would otherwise wait for an answer that never comes.
        """
        too_long = False
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > self._max_line_bytes:
                too_long = True
                self._buffer.clear()
            await self._receive()
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if too_long or len(line) > self._max_line_bytes:
            raise LineTooLong
        if not line.endswith(b"\r\n") or line.find(b"\r") != end - 1:
            raise BadLine
        return line[:-2]

    async def read_some(self) -> bytes:
        """Whatever is here, or comes next. Raises `ConnectionClosed`."""
        if not self._buffer:
            await self._receive()
        received = bytes(self._buffer)
        self._buffer.clear()
        self._go_on_reading()
        return received

    def unread(self, received: bytes) -> None:
        """Puts back the end of what `read_some` gave."""
        self._buffer[:0] = received

    def holds_bytes(self) -> bool:
        """Whether the client has sent more than was taken."""
        return bool(self._buffer)

    @property
    def ended(self) -> bool:
        return self._ended

    async def _receive(self) -> None:
        """Waits for more. Raises `ConnectionClosed` when there will be none."""
        self._go_on_reading()
        if self._ended:
            raise ConnectionClosed
        before = len(self._buffer)
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting
        if len(self._buffer) == before:
            raise ConnectionClosed

    def _go_on_reading(self) -> None:
        if self._paused and self._transport:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


class DataDecoder:
    """Turns what follows 354 into the message (RFC 5321, section 4.5.2), in pieces of any size.

    Data ends at CRLF `.` CRLF and at nothing else. A bare CR or LF anywhere before is noted in
    `has_bare_line_ending`: where servers disagree about those, one message can smuggle another.
    """

    def __init__(self) -> None:
        self.finished = False
        self.has_bare_line_ending = False
        self.remainder = b""
        """After the end of data: what the client sent behind it."""
        # The CRLF of the DATA command counts as the one before the first line.
        self._held = b"\r\n"
        self._skip_bytes = len(self._held)

    def feed(self, received: bytes) -> bytes:
        """The part of the message that is now certain, without transparency dots."""
        received = self._held + received
        end = received.find(_END_OF_DATA)
        if end >= 0:
            self.finished = True
            self.remainder = received[end + len(_END_OF_DATA) :]
            return self._decode(received[: end + 2])
        cut = _safe_cut(received)
        self._held = received[cut:]
        return self._decode(received[:cut])

    def _decode(self, part: bytes) -> bytes:
        without_endings = part.replace(b"\r\n", b"")
        if b"\n" in without_endings or b"\r" in without_endings:
            self.has_bare_line_ending = True
        skip_bytes = min(self._skip_bytes, len(part))
        self._skip_bytes -= skip_bytes
        return part.replace(b"\r\n.", b"\r\n")[skip_bytes:]


def _safe_cut(received: bytes) -> int:
    """Where a cut parts no end of data, no CR from its LF, and no dot from the CRLF before it."""
    cut = max(0, len(received) - len(_END_OF_DATA) + 1)
    if received.endswith(b"\r\n", 0, cut):
        return cut - 2
    if received.endswith(b"\r", 0, cut):
        return cut - 1
    return cut
