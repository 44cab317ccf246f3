"""The sidecar alone, as a process of its own on a spool of its own, with faults from outside."""

import asyncio
import os
import re
import smtplib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pillarbox import COMMAND, wait_until

from app.core.ids import Ids
from app.directory.snapshot import DirectorySnapshot, DomainEntry, save_snapshot
from app.settings import Listen
from app.storage.spool.folder_reader import FolderSpoolReader
from app.storage.spool.port import Item, Position

UNLIMITED = {
    "SMTP_MAX_FRUITLESS_COMMANDS": "1000000",
    **dict.fromkeys(
        (
            "SMTP_MAX_HOST_CONNECTIONS",
            "SMTP_MAX_NETWORK_CONNECTIONS",
            "SMTP_HOST_CONNECTIONS_PER_MINUTE",
            "SMTP_NETWORK_CONNECTIONS_PER_MINUTE",
            "SMTP_HOST_MESSAGES_PER_MINUTE",
            "SMTP_HOST_RECIPIENTS_PER_MINUTE",
            "SMTP_DOMAIN_RECIPIENTS_PER_MINUTE",
            "SMTP_MAX_CONNECTION_MESSAGES",
            "SMTP_MAX_CONNECTION_RECIPIENTS",
        ),
        "1000000000",
    ),
}
"""What one client must be allowed for its pace to be measured. All is counted nonetheless."""
SNAPSHOT = DirectorySnapshot(1, {"example.test": DomainEntry(catch_all=True)}, {})

# `Sidecar.failing` names a file: while it is there, every fdatasync fails as on a dying disk.
_PROGRAM = """
import errno, os, sys
from app.settings import read_settings
from workers.smtp import run_smtp

flag, sync = sys.argv[1], os.fdatasync

def fdatasync(descriptor):
    if os.path.exists(flag):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    sync(descriptor)

os.fdatasync = fdatasync
run_smtp(read_settings(os.environ))
"""


@dataclass
class Sidecar:
    """Started as often as a test likes. `wrapper` is a command that runs it, such as strace.
    Unless `failable` it is the very command, without the check whether a sync is to fail."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    wrapper: Sequence[str | Path] = ()
    failable: bool = True
    process: "subprocess.Popen[bytes] | None" = None
    address: Listen | None = None

    @property
    def spool(self) -> Path:
        return self.folder / "spool"

    @property
    def failing(self) -> Path:
        return self.folder / "failing"

    @property
    def said(self) -> Path:
        return self.folder / "said"

    def start(self) -> "Sidecar":
        self.address = None
        settings = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "PILLARBOX_ENV": "production",
            "PILLARBOX_DATA": str(self.folder),
            "SECRET_KEY": "s" * 32,
            "ENCRYPTION_KEY": "e" * 32,
            "SMTP_LISTEN": "127.0.0.1:0",
            "SPOOL_MIN_FREE_BYTES": "0",
        }
        failable = [sys.executable, "-c", _PROGRAM, self.failing]
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [*self.wrapper, *(failable if self.failable else [COMMAND, "smtp"])],
                env={**settings, **self.environment},
                stderr=said,
            )
        wait_until(self._find_address, "the sidecar listens")
        return self

    def _find_address(self) -> bool:
        assert self.process is not None
        said = self.said.read_text()
        assert self.process.poll() is None, said
        line = next((line for line in said.splitlines() if "smtp.listening" in line), "")
        if match := re.search(r"127\.0\.0\.1:\d+", line):
            self.address = Listen.parse(match[0])
        return self.address is not None

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(30) == 0, self.said.read_text()

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def connect(self) -> smtplib.SMTP:
        if self.address is None:
            raise ConnectionRefusedError("The sidecar is starting.")
        client = smtplib.SMTP(self.address.host, self.address.port, timeout=30)
        client.ehlo("client.example.org")
        return client

    def save_snapshot(self) -> None:
        save_snapshot(self.spool / "directory.snapshot", SNAPSHOT)

    def stored(self) -> Sequence[Item]:
        """Everything in the spool, as its reader finds it; damage fails the test."""
        return asyncio.run(_read_all(self.spool))[0]

    def ends(self) -> Sequence[Position]:
        """Where its reader is when it has read all that."""
        return asyncio.run(_read_all(self.spool))[1]


@contextmanager
def sidecar(
    folder: Path, *, wrapper: Sequence[str | Path] = (), **environment: str
) -> Iterator[Sidecar]:
    """A sidecar that takes mail for anyone at example.test, started."""
    one = Sidecar(folder, environment, wrapper)
    one.save_snapshot()
    try:
        yield one.start()
    finally:
        if one.process is not None and one.process.poll() is None:
            one.kill()


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own, with these options of tmpfs. Skips the test without root."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk takes root to mount: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


async def _read_all(folder: Path) -> tuple[Sequence[Item], Sequence[Position]]:
    reader = await FolderSpoolReader.open(folder, ids=Ids())
    items: list[Item] = []
    ends: list[Position] = []
    for producer in await reader.producers():
        position = await reader.start(producer)
        while True:
            batch = await reader.read(position, max_items=1000, max_bytes=1 << 30)
            assert not batch.gaps, batch.gaps
            items += batch.items
            if batch.next_position == position:
                break
            position = batch.next_position
        ends.append(position)
    return items, ends
