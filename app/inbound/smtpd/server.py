"""The listening socket, and every connection that came through it."""

import asyncio
from collections.abc import Sequence

from app.core.errors import BadSetting
from app.core.log import get_logger
from app.inbound.smtpd.connections import Connections
from app.inbound.smtpd.dialogue import Dialogue
from app.inbound.smtpd.handler import MailHandler
from app.inbound.smtpd.protocol import SmtpProtocol
from app.inbound.smtpd.tls import Certificate
from app.settings import Listen, Networks

_log = get_logger("smtp")

_BACKLOG = 1024
_NOBODY = Networks()


class SmtpServer:
    """Serves SMTP, and LMTP beside it, until it is stopped."""

    def __init__(
        self,
        handler: MailHandler,
        connections: Connections,
        certificate: Certificate | None = None,
        proxies: Networks = _NOBODY,
    ) -> None:
        """With a `certificate` clients may ask for TLS. Who connects from `proxies` must say for
        whom, with a PROXY header."""
        self._handler = handler
        self._connections = connections
        self._certificate = certificate
        self._proxies = proxies
        self._servers: list[asyncio.Server] = []

    @property
    def connections(self) -> int:
        """How many clients are served now."""
        return len(self._connections)

    async def start(self, listen: Listen, dialogue: type[Dialogue] = Dialogue) -> Sequence[Listen]:
        """Listens for clients that speak by the rules of `dialogue`, and returns the addresses:
        port 0 has become a real one.

        Raises `BadSetting` when the address cannot be had.
        """
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                lambda: SmtpProtocol(
                    self._handler,
                    self._connections,
                    dialogue,
                    self._certificate,
                    self._proxies,
                ),
                listen.host,
                listen.port,
                backlog=_BACKLOG,
            )
        except OSError as error:
            setting = "SMTP_LISTEN" if dialogue is Dialogue else "SMTP_LMTP_LISTEN"
            raise BadSetting(f"{setting}: cannot listen on {listen}: {error.strerror}.") from error
        self._servers.append(server)
        addresses = [Listen(*socket.getsockname()[:2]) for socket in server.sockets]
        _log.info(
            "smtp.listening",
            protocol=dialogue.PROTOCOL,
            addresses=[str(address) for address in addresses],
        )
        return addresses

    async def stop(self, grace_seconds: float) -> None:
        """Takes no more connections, lets transactions finish in time, then drops the rest.

        When it returns nothing is being stored any more.
        """
        for server in self._servers:
            server.close()
        conversations = {connection.conversation() for connection in self._connections}
        for connection in list(self._connections):
            connection.stop()
        late = await _wait(conversations, grace_seconds)
        for connection in list(self._connections):
            connection.abort()
        await _wait(late, None)
        for connection in self._connections.lingering:
            connection.abort()
        _log.info("smtp.stopped", dropped=len(late))


async def _wait(
    conversations: set[asyncio.Task[None]], timeout_seconds: float | None
) -> set[asyncio.Task[None]]:
    """Those that were not done in time."""
    if not conversations:
        return set()
    return (await asyncio.wait(conversations, timeout=timeout_seconds))[1]
