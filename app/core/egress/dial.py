"""Connections to addresses that were checked, and to no others."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import ip_address

import httpcore

from app.core.egress.addresses import AllowList, is_public
from app.core.egress.errors import TargetRefused, Unreachable

Resolve = Callable[[str], Awaitable[Sequence[str]]]

_MAX_TRIES = 4


class CheckedDialler(httpcore.AsyncNetworkBackend):
    """Resolves a host once, checks what it resolves to, and connects to just that.

    A name that resolves to any address it may not is refused whole: nobody's name does both. A
    later answer of the resolver (DNS rebinding) is never asked for.
    """

    def __init__(self, allowed: AllowList, resolve: Resolve) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises `TargetRefused`, `Unreachable`, and what httpcore raises."""
        addresses = [_plain(address) for address in await self._resolve(host)]
        if not addresses:
            raise Unreachable("The host has no address.")
        for address in addresses:
            if not (is_public(ip_address(address)) or address in self._allowed):
                raise TargetRefused("The host lies in a network that may not be called from here.")
        *others, last = addresses[:_MAX_TRIES]
        for address in others:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)


def _plain(address: str) -> str:
    """Without the name of an interface (RFC 4007, section 11)."""
    return address.partition("%")[0]


class SystemResolver:
    """The resolver of the machine, in threads of its own: names that take long hold up no page."""

    def __init__(self, threads: int = 8) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="egress-resolver")

    async def __call__(self, host: str) -> Sequence[str]:
        """The addresses of a name or of a literal address. Raises `Unreachable`."""
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host)
        except (OSError, UnicodeError) as error:
            raise Unreachable("The host could not be resolved.") from error
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _look_up(host: str) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)  # type: ignore[return-value]
