"""One connection: bytes and time. What is said over it is in `dialogue.py`.

Of aiosmtpd there is its place in asyncio and its flow control. Its stream, its line-by-line DATA,
its TLS and its timer, which knows no 421, are replaced (docs/adr/0008-smtp-on-aiosmtpd.md).
"""

import asyncio
from math import inf
from typing import cast

from aiosmtpd.smtp import SMTP

from app.core.log import get_logger
from app.inbound.smtpd import replies
from app.inbound.smtpd.arrival import Arrival
from app.inbound.smtpd.connections import Connections
from app.inbound.smtpd.dialogue import Dialogue
from app.inbound.smtpd.handler import MailHandler
from app.inbound.smtpd.origins import Origin
from app.inbound.smtpd.proxy import BadProxyHeader, parse_proxy_header
from app.inbound.smtpd.reader import (
    BadLine,
    ClientReader,
    ConnectionClosed,
    DataDecoder,
    LineTooLong,
)
from app.inbound.smtpd.replies import Refusal, Reply
from app.inbound.smtpd.tls import Certificate, TlsFacts
from app.settings import Networks

_log = get_logger("smtp")

MAX_LINE_BYTES = 2048
"""Of a command: RFC 5321, section 4.5.3.1.4, asks for 512, and each extension for a little more."""

_TLS_SHUTDOWN_SECONDS = 5.0
"""For the client's part of closing TLS. By then there is nothing left to say."""

_LINGER_SECONDS = 5.0
_LINGER_BYTES = 1 << 20
"""What a client may still take and send after our last word, before it is cut off."""


class SmtpProtocol(SMTP):
    """Serves one client, and is in `connections` for as long as that takes.

    Losing the connection cancels nothing: a message that came in whole is stored, and a client
    that missed its 250 sends it again.
    """

    def __init__(
        self,
        handler: MailHandler,
        connections: Connections,
        dialogue: type[Dialogue],
        certificate: Certificate | None,
        proxies: Networks,
    ) -> None:
        # Not aiosmtpd's, which draws up tables of its hooks for half a millisecond.
        self.loop = asyncio.get_running_loop()
        super(asyncio.StreamReaderProtocol, self).__init__(loop=self.loop)
        self._handler_coroutine = None
        self._timeout_handle = None
        self._over_ssl = False
        self._client = ClientReader(MAX_LINE_BYTES)
        self._handler = handler
        self._limits = handler.limits
        self._connections = connections
        self._dialogue_type = dialogue
        self._certificate = certificate
        self._proxies = proxies
        self._deadline = self._rings_at = inf
        self._waits_since = self._connected_at = self.loop.time()
        self._stopping = False
        self._silent = False
        """While no word of ours would be understood: until a PROXY header, and in a handshake."""
        self._lingering: asyncio.TimerHandle | None = None
        self._lingered_bytes = 0

    def conversation(self) -> "asyncio.Task[None]":
        """Done when nothing more is read, answered or stored for this client."""
        assert self._handler_coroutine is not None
        return self._handler_coroutine

    def wasted_seconds(self) -> float:
        if self._deadline == inf:
            return 0.0
        elapsed = self.loop.time() - self._waits_since
        if (arrival := self._dialogue.arrival) is None:
            return elapsed
        return self._limits.data_wasted_seconds(elapsed, arrival.size_bytes)

    def stop(self) -> None:
        """Ends the conversation as soon as no transaction is open."""
        self._stopping = True
        if not self._dialogue.in_transaction:
            self._hang_up(replies.SHUTTING_DOWN)

    def dismiss(self) -> None:
        self._hang_up(replies.PLACE_TAKEN)

    def abort(self) -> None:
        """Drops the connection. A message that came in whole is still stored."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none by inheritance.
        self._transport = cast(asyncio.Transport, transport)
        address = _address_of(transport)
        origin = self._connections.find_origin(address)
        self._meet(origin)
        self._behind_proxy = bool(address and self._proxies.blocks) and address in self._proxies
        admit = self._connections.hold if self._behind_proxy else self._connections.admit
        if (refusal := admit(self, origin)) is not None:
            if not self._behind_proxy:
                self._transport.write(self._dialogue.end(refusal))
            self._transport.close()
            return
        self._client.hold_back(self._transport)
        self._handler_coroutine = self.loop.create_task(self._handle_client())

    def _meet(self, origin: Origin) -> None:
        """Begins anew with whoever is there."""
        offers_tls = self._certificate is not None
        self._dialogue = self._dialogue_type(self._handler, origin, offers_tls=offers_tls)

    def data_received(self, data: bytes) -> None:
        if self._lingering is None:
            self._client.feed(data)
            return
        self._lingered_bytes += len(data)
        if self._lingered_bytes > _LINGER_BYTES:
            self._transport.abort()

    def eof_received(self) -> bool:
        # A client may close its half and wait for replies. TLS knows no halves.
        self._client.feed_end()
        return not (self._over_ssl or self._lingering)

    def connection_lost(self, error: Exception | None) -> None:
        self._client.feed_end()
        if self._lingering is not None:
            self._lingering.cancel()
            self._connections.forget(self)
        super(asyncio.StreamReaderProtocol, self).connection_lost(error)

    async def _handle_client(self) -> None:
        metrics = self._handler.metrics
        metrics.connections.count()
        metrics.open_connections += 1
        try:
            await self._converse()
        except ConnectionClosed:
            if self._dialogue.in_transaction:
                _log.info("smtp.dropped", client_address=self._dialogue.client_address)
        except Exception:
            _log.exception("smtp.failed", client_address=self._dialogue.client_address)
            self._hang_up(replies.INTERNAL_ERROR)
        finally:
            metrics.open_connections -= 1
            self._connections.release(self)
            if self._timeout_handle is not None:
                self._timeout_handle.cancel()
            self._close()

    async def _converse(self) -> None:
        if self._behind_proxy:
            await self._meet_behind_proxy()
        await self._send(self._dialogue.greet())
        while not self._dialogue.ended:
            self._await_command()
            await self._send(await self._next_reply())
            if self._stopping and not (self._dialogue.ended or self._dialogue.in_transaction):
                await self._send(self._dialogue.end(replies.SHUTTING_DOWN))

    async def _meet_behind_proxy(self) -> None:
        """Raises `ConnectionClosed` unless a PROXY header comes first, and in time, and there is
        a place for the client that it names."""
        self._silent = True
        self._reset_timeout(self._limits.proxy_timeout_seconds)
        received = b""
        try:
            while (header := parse_proxy_header(received)) is None:
                received += await self._client.read_some()
        except (BadProxyHeader, ConnectionClosed) as error:
            _log.info(
                "smtp.proxy_refused",
                proxy_address=self._dialogue.client_address,
                reason=str(error) or "no whole header",
            )
            raise ConnectionClosed from error
        self._client.unread(received[header.size_bytes :])
        self._silent = False
        origin = self._connections.find_origin(
            header.client_address or self._dialogue.client_address
        )
        self._meet(origin)
        self._connections.release(self)
        if (refusal := self._connections.admit(self, origin)) is not None:
            await self._send(self._dialogue.end(refusal))
            raise ConnectionClosed

    async def _next_reply(self) -> bytes:
        try:
            line = await self._client.read_line()
        except LineTooLong:
            return self._dialogue.refuse(Refusal(replies.LINE_TOO_LONG))
        except BadLine:
            return self._dialogue.refuse(Refusal(replies.BAD_LINE))
        reply = self._dialogue.answer(line)
        if self._dialogue.awaits_tls and self._certificate is not None:
            return await self._start_tls(reply, self._certificate)
        if self._dialogue.arrival is None:
            return reply
        await self._send(reply)
        return await self._receive(self._dialogue.arrival)

    async def _start_tls(self, reply: bytes, certificate: Certificate) -> bytes:
        """The handshake that follows `reply`. Inside TLS the client speaks first.

        No byte that was read before it may be taken for one that TLS protects (CVE-2011-0411). So
        none may be here when reading goes over to TLS, which is before anything is awaited.
        """
        if self._client.holds_bytes():
            return self._dialogue.end(replies.NOT_BEFORE_TLS)
        if self._transport.is_closing() or self._client.ended:
            raise ConnectionClosed
        self._transport.write(reply)
        self._silent = True
        # The handshake has a timer of its own, before this one. This says that we wait for it.
        self._reset_timeout(self._limits.handshake_timeout_seconds + _TLS_SHUTDOWN_SECONDS)
        self._client.hold_back(None)  # What TLS reads must not pause what is under it.
        try:
            transport = await self.loop.start_tls(
                self._transport,
                self,
                certificate.context(),
                server_side=True,
                ssl_handshake_timeout=self._limits.handshake_timeout_seconds,
                ssl_shutdown_timeout=_TLS_SHUTDOWN_SECONDS,
            )
        except OSError as error:
            _log.info(
                "smtp.tls_failed",
                client_address=self._dialogue.client_address,
                reason=getattr(error, "reason", None) or str(error),
            )
            raise ConnectionClosed from error
        if transport is None or transport.is_closing():
            raise ConnectionClosed
        self._transport = transport
        self._client.hold_back(transport)
        self._over_ssl = True
        self._silent = False
        self._dialogue.secure(TlsFacts.of(transport.get_extra_info("ssl_object")))
        return b""

    async def _receive(self, arrival: Arrival) -> bytes:
        """The reply to the message that follows 354."""
        decoder = DataDecoder()
        self._waits_since = self.loop.time()
        with arrival:
            while not decoder.finished:
                elapsed_seconds = self.loop.time() - self._waits_since
                self._reset_timeout(self._limits.data_patience(elapsed_seconds, arrival.size_bytes))
                piece = decoder.feed(await self._client.read_some())
                if decoder.has_bare_line_ending:
                    self._dialogue.out_of_step = True
                    arrival.refuse(Refusal(replies.BARE_LINE_ENDING))
                await arrival.append(piece)
                del piece  # It would be held until the next has come.
                if arrival.never_ends:
                    return self._dialogue.end(replies.DATA_NEVER_ENDS)
            self._client.unread(decoder.remainder)
            self._deadline = inf  # The client waits for us now.
            return await self._dialogue.end_data(arrival)

    async def _send(self, reply: bytes) -> None:
        if self._lingering or self._transport.is_closing():
            raise ConnectionClosed
        self._transport.write(reply)
        try:
            await self._drain_helper()  # type: ignore[attr-defined]
        except OSError as error:
            raise ConnectionClosed from error

    def _hang_up(self, reply: Reply) -> None:
        """Says a last word from outside the conversation, unless the client no longer reads."""
        if self._lingering or self._transport.is_closing():
            return
        if self._silent or self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.write(self._dialogue.end(reply))
            self._close()

    def _close(self) -> None:
        """Closes so that our last word arrives.

        Bytes that reach a closed socket, or lie unread in one that is closed, are answered with
        RST, which can overtake or discard replies (RFC 1122, section 4.2.2.13). So where we end
        the dialogue, only our half is closed until the client closes its own, and what it still
        sends is thrown away. TLS waits for the client's end itself.
        """
        if self._lingering or self._transport.is_closing():
            return
        heard_all = self._client.ended or not self._dialogue.ended
        if heard_all or self._over_ssl or not self._connections.linger(self):
            self._transport.close()
            return
        self._lingering = self.loop.call_later(_LINGER_SECONDS, self._transport.abort)
        self._client.discard()
        self._transport.write_eof()

    def _await_command(self) -> None:
        self._waits_since = self.loop.time()
        patience = self._limits.command_timeout_seconds
        if not self._dialogue.was_greeted:
            said_hello_by = self._connected_at + self._limits.hello_timeout_seconds
            patience = min(patience, said_hello_by - self._waits_since)
        self._reset_timeout(patience)

    def _reset_timeout(self, seconds: float) -> None:  # type: ignore[override]
        """Moves the deadline. The timer behind it is only touched when it would ring too late."""
        self._deadline = self.loop.time() + seconds
        if self._rings_at > self._deadline:
            self._arm()

    def _arm(self) -> None:
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()
        latest = self.loop.time() + self._limits.command_timeout_seconds
        self._rings_at = min(self._deadline, latest)
        self._timeout_handle = self.loop.call_at(self._rings_at, self._timeout_cb)

    def _timeout_cb(self) -> None:
        if self._deadline > self.loop.time():
            self._arm()
        else:
            self._hang_up(replies.TIMED_OUT)


def _address_of(transport: asyncio.BaseTransport) -> str:
    """The peer's IP address; an IPv4 client of an IPv6 socket in its IPv4 form."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]).removeprefix("::ffff:") if isinstance(peer, tuple) else ""
