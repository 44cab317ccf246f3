"""Whether the ports that are wanted are free, found out before anything is started."""

import contextlib
import errno
import socket
from collections.abc import Mapping

from app.embedded.errors import StartFailed
from app.settings import Listen


def check_ports(wanted: Mapping[str, Listen]) -> None:
    """`wanted` is keyed by the option that moves each. Raises `StartFailed`, one line."""
    with contextlib.ExitStack() as bound:
        for option, listen in wanted.items():
            if listen.port == 0:
                raise StartFailed(f"Name a port from 1 to 65535 with {option} HOST:PORT.")
            try:
                bound.enter_context(_bind(listen))
            except OSError as error:
                raise StartFailed(_describe(option, listen, error)) from error


def _bind(listen: Listen) -> socket.socket:
    addresses = socket.getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = addresses[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()  # only a second listener is refused where both allow reuse
    except OSError:
        bound.close()
        raise
    return bound


def _describe(option: str, listen: Listen, error: OSError) -> str:
    other = f"choose another with {option} HOST:PORT."
    if error.errno == errno.EADDRINUSE:
        return f"{listen} is already in use: {other}"
    if error.errno == errno.EACCES:
        return f"{listen} may only be used by root: {other}"
    return f"{listen} is not an address of this machine ({error.strerror}): {other}"
