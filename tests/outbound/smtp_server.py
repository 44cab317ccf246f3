"""A real mail server in the test's own loop."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiosmtpd.smtp import SMTP


@asynccontextmanager
async def listening(
    handler: object, host: str, *, ssl_context: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[int]:
    """The port on which `handler` gets mail. With `ssl_context` TLS begins with the connection."""
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, hostname="mail.test", **options), host, 0, ssl=ssl_context
    )
    async with server:
        yield int(server.sockets[0].getsockname()[1])
