"""A child of `up` in the tests: `child.py NAME FOLDER [http|tcp HOST PORT] [stubborn] [broken]`.

It has a child of its own, writes both process ids to FOLDER/NAME.pids, and appends NAME to
FOLDER/stopped when told to stop.
"""

import os
import signal
import socket
import sys
from pathlib import Path


def main() -> None:
    name, folder, *rest = sys.argv[1:]
    if "broken" in rest:
        sys.exit(7)
    own_child = os.fork()
    if own_child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            signal.pause()

    def stop(*_: object) -> None:
        if "stubborn" not in rest:
            with (Path(folder) / "stopped").open("a") as stopped:
                stopped.write(f"{name}\n")
            os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    write_whole(Path(folder) / f"{name}.pids", f"{os.getpid()} {own_child}")
    if "http" in rest or "tcp" in rest:
        serve(rest[1], int(rest[2]))
    while True:
        signal.pause()


def serve(host: str, port: int) -> None:
    listener = socket.create_server((host, port))
    while True:
        connection, _ = listener.accept()
        with connection:
            if b"GET" in connection.recv(4096):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def write_whole(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".new")
    unfinished.write_text(text)
    unfinished.replace(path)


if __name__ == "__main__":
    main()
