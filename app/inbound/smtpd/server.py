"""The listening socket, and every connection that came through it."""

import asyncio
from collections.abc import Sequence

from app.core.errors import BadSetting
from app.core.log import get_logger
from app.inbound.smtpd.connections import Connections
from app.inbound.smtpd.handler import MailHandler
from app.inbound.smtpd.protocol import SmtpProtocol
from app.inbound.smtpd.tls import Certificate
from app.settings import Listen

_log = get_logger("smtp")

_BACKLOG = 1024


class SmtpServer:
    """Serves SMTP until it is stopped."""

    def __init__(
        self,
        handler: MailHandler,
        connections: Connections,
        certificate: Certificate | None = None,
    ) -> None:
        """With a `certificate` clients may ask for TLS."""
        self._handler = handler
        self._connections = connections
        self._certificate = certificate
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many clients are served now."""
        return len(self._connections)

    async def start(self, listen: Listen) -> Sequence[Listen]:
        """Listens, and returns the addresses: port 0 has become a real one.

        Raises `BadSetting` when the address cannot be had.
        """
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: SmtpProtocol(self._handler, self._connections, self._certificate),
                listen.host,
                listen.port,
                backlog=_BACKLOG,
            )
        except OSError as error:
            raise BadSetting(
                f"SMTP_LISTEN: cannot listen on {listen}: {error.strerror}."
            ) from error
        addresses = [Listen(*socket.getsockname()[:2]) for socket in self._server.sockets]
        _log.info("smtp.listening", addresses=[str(address) for address in addresses])
        return addresses

    async def stop(self, grace_seconds: float) -> None:
        """Takes no more connections, lets transactions finish in time, then drops the rest.

        When it returns nothing is being stored any more.
        """
        if self._server is not None:
            self._server.close()
        conversations = {connection.conversation() for connection in self._connections}
        for connection in list(self._connections):
            connection.stop()
        late = await _wait(conversations, grace_seconds)
        for connection in list(self._connections):
            connection.abort()
        await _wait(late, None)
        _log.info("smtp.stopped", dropped=len(late))


async def _wait(
    conversations: set[asyncio.Task[None]], timeout_seconds: float | None
) -> set[asyncio.Task[None]]:
    """Those that were not done in time."""
    if not conversations:
        return set()
    return (await asyncio.wait(conversations, timeout=timeout_seconds))[1]
