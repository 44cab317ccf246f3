"""`pillarbox up` as the tests run it."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.core.ids import Ids
from app.embedded.keys import keep_keys
from app.embedded.process import processes_in
from app.embedded.run_file import RunFile, read_run_file

PROGRAMS = Path(__file__).parent / "programs"
NOBODY = 65534


def wait_until(condition: Callable[[], object], timeout_seconds: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Up:
    """One installation of `pillarbox up`, started as often as a test likes, by one account."""

    folder: Path
    uid: int | None
    web: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    smtp: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text()

    def prepare(self, cluster: Path) -> None:
        """As an earlier run would have left it."""
        self.data.mkdir(mode=0o700)
        keep_keys(self.data, {}, Ids())
        copy_cluster(cluster, self.data / "postgres")
        if self.uid is not None:
            os.chown(self.data, self.uid, self.uid)
            os.chown(self.data / "secrets.json", self.uid, self.uid)

    def start(self, *flags: str) -> "Up":
        with (self.folder / "said").open("wb") as said:
            argv = [sys.executable, PROGRAMS / "up.py", self.data, self.web, self.smtp, self.folder]
            self.process = subprocess.Popen(
                [*argv, *flags],
                env={
                    "PYTHONPATH": str(PROGRAMS.parents[2]),
                    "TMPDIR": str(self.folder),
                    **self.environment,
                },
                stdout=said,
                stderr=subprocess.STDOUT,
                user=self.uid,
                group=self.uid,
                extra_groups=None if self.uid is None else [],
            )
        return self

    def wait_ready(self) -> "Up":
        wait_until(lambda: "The inbox is at" in self.said or self.process.poll() is not None)
        assert self.process.poll() is None, self.said
        return self

    def end(self) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(30)

    def run_file(self) -> RunFile:
        return read_run_file(self.data)

    def pids_of(self, child: str) -> list[int]:
        """A child is started when `up` is ready, but may not have said so yet."""
        told = self.folder / f"{child}.pids"
        wait_until(told.exists)
        return [int(pid) for pid in told.read_text().split()]

    def postgres_pids(self) -> set[int]:
        return processes_in(self.data / "postgres", "postgres")

    def valkey_pids(self) -> set[int]:
        return processes_in(self.data / "valkey", "valkey-server")

    def guard_pids(self) -> set[int]:
        own = [path for path in Path("/proc").glob("[0-9]*") if is_child(path, self.process.pid)]
        return {int(path.name) for path in own if b"guard_script" in command_of(path)}

    def all_pids(self) -> set[int]:
        children = {pid for name in ("web", "worker", "smtp") for pid in self.pids_of(name)}
        engines = self.postgres_pids() | self.valkey_pids()
        return children | engines | self.guard_pids() | {self.process.pid}

    def stop(self) -> None:
        if hasattr(self, "process"):
            self.process.terminate()
            self.end()
        wait_until(lambda: not self.postgres_pids() | self.valkey_pids())


def copy_cluster(cluster: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", cluster, target], check=True)


def command_of(process: Path) -> bytes:
    """Nothing when it has ended since it was listed."""
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def is_child(process: Path, parent: int) -> bool:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1]) == parent
    except OSError:
        return False


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Short enough for sockets, and everybody may pass through it."""
    folder = Path(tempfile.mkdtemp(prefix="pb-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def skip_unless_readable_by_all(path: Path) -> None:
    allowed = subprocess.run(
        ["test", "-r", path], user=NOBODY, group=NOBODY, extra_groups=[], check=False
    )
    if allowed.returncode != 0:
        pytest.skip(f"{path} is closed to an account without rights")
