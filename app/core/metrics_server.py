"""`GET /metrics` on a loopback port: just enough HTTP for a collector on the same machine."""

import asyncio
from collections.abc import Sequence

from app.core.errors import BadSetting
from app.core.log import get_logger
from app.core.metrics import CONTENT_TYPE, Metrics

_log = get_logger("metrics")

_MAX_REQUEST_BYTES = 8192
_PATIENCE_SECONDS = 5.0
_MAX_CLIENTS = 16
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
}


class MetricsServer:
    """Serves the metrics of one process until it is closed. Each connection is one request."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._clients = 0
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> Sequence[tuple[str, int]]:
        """Listens, and returns the addresses: port 0 has become a real one.

        Raises `BadSetting` when the address cannot be had.
        """
        await asyncio.to_thread(self._metrics.expose)  # Imports what the first request would.
        try:
            self._server = await asyncio.start_server(
                self._serve, host, port, limit=_MAX_REQUEST_BYTES
            )
        except OSError as error:
            raise BadSetting(
                f"METRICS_LISTEN: cannot listen on port {port} of {host}: {error.strerror}."
            ) from error
        addresses = [each.getsockname()[:2] for each in self._server.sockets]
        _log.info("metrics.listening", addresses=[f"{host}:{port}" for host, port in addresses])
        return addresses

    def close(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._clients >= _MAX_CLIENTS:
            writer.transport.abort()
            return
        self._clients += 1
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                writer.write(await self._answer(reader))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._clients -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        """To one request, whose head must come whole and short (RFC 9112, section 3)."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _respond(400)
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        target, _, version = rest.partition(b" ")
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            return _respond(400)
        if target.partition(b"?")[0] != b"/metrics":
            return _respond(404)
        if method not in (b"GET", b"HEAD"):
            return _respond(405, allow=True)
        # In a thread, as a disk that hangs must not hold up the mail.
        body = await asyncio.to_thread(self._metrics.expose)
        return _respond(200, body, head_only=method == b"HEAD")


def _respond(
    status: int, body: bytes = b"", *, head_only: bool = False, allow: bool = False
) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {CONTENT_TYPE}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(["Allow: GET, HEAD"] if allow else []),
    ]
    head = "\r\n".join((*lines, "", "")).encode()
    return head if head_only else head + body
