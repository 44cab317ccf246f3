"""Commands of `pillarbox`, each in a process of its own that has been through its imports: they are
most of what a command takes."""

import multiprocessing
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from multiprocessing.connection import Connection

from app.cli.command import main

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["app.cli.directory", "app.cli.keys", "app.cli.status"])


@dataclass(frozen=True)
class Ended:
    """What a command said, and its exit code."""

    code: int
    output: str
    errors: str


def run_command(arguments: Sequence[str], *, timeout_seconds: float = 60) -> Ended:
    """Raises `TimeoutError` for a command that takes longer, and ends it."""
    receiving, sending = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_run, args=(arguments, sending))
    process.start()
    sending.close()
    try:
        if not receiving.poll(timeout_seconds):
            raise TimeoutError(f"{arguments} has not ended in {timeout_seconds} s")
        ended: Ended = receiving.recv()
        return ended
    finally:
        process.kill()
        process.join()
        receiving.close()


def _run(arguments: Sequence[str], sending: Connection) -> None:
    with redirect_stdout(StringIO()) as output, redirect_stderr(StringIO()) as errors:
        code = main(arguments)
    sending.send(Ended(code, output.getvalue(), errors.getvalue()))
