"""What both embedded engines do alike: one at a time on a folder, started, awaited, stopped."""

import contextlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from app.embedded.account import Account, account_for, hand_over
from app.embedded.binaries import Install, open_to
from app.embedded.errors import AlreadyRunning, EngineFailed
from app.embedded.lock import FileLock
from app.embedded.process import describe_end, processes_in, spawn

ENVIRONMENT: Mapping[str, str] = MappingProxyType({"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"})

_SOCKET_PATH_BYTES = 107  # sun_path of unix(7), less its closing zero
_LOG_BYTES = 8 * 1024 * 1024
_LEFTOVER_SECONDS = 15.0
_POLL_SECONDS = 0.01


class Engine(ABC):
    """An engine on `data_folder`, listening on a unix socket in `socket_folder` and nowhere else.

    Both folders are made where missing and become the engine's own (0700). What the engine says
    goes to `log_file`, beside `data_folder`.
    """

    title: ClassVar[str]
    program: ClassVar[str]
    socket_name: ClassVar[str]
    death_signal: ClassVar[signal.Signals]
    """What it gets when we die."""
    stop_signals: ClassVar[tuple[signal.Signals, ...]]
    """From orderly to at once."""

    def __init__(self, *, data_folder: Path, socket_folder: Path) -> None:
        self.data_folder = data_folder.absolute()
        self.socket_folder = socket_folder.absolute()
        self.log_file = self.data_folder.with_name(f"{self.data_folder.name}.log")
        self.process: subprocess.Popen[bytes] | None = None
        self._lock = FileLock(self.data_folder.with_name(f"{self.data_folder.name}.lock"))

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it takes commands now."""

    @abstractmethod
    def _find(self) -> Install: ...

    @abstractmethod
    def _prepare(self, program: Path, account: Account) -> None:
        """Make or check the data folder, which no process uses now."""

    @abstractmethod
    def _argv(self, program: Path, data_folder: str, socket_folder: str) -> Sequence[str]: ...

    @abstractmethod
    def _whole(self, leftovers: set[int]) -> int | None:
        """That one of `leftovers` which is a working engine, not a part that outlived one."""

    def start(self) -> None:
        """Start it, or start it again after it died. Returns before it is ready.

        Raises `AlreadyRunning` while another process has one here, `EngineFailed` for the rest.
        """
        if len(os.fsencode(self.socket_path)) > _SOCKET_PATH_BYTES:
            raise EngineFailed(
                f"{self.socket_path} is longer than the {_SOCKET_PATH_BYTES} bytes that the path "
                "of a socket may have: set TMPDIR to a shorter folder."
            )
        self._take_folder()
        try:
            self._end_leftovers()
            account = account_for(self.data_folder)
            program = open_to(account, self._find(), self.data_folder)
            self._prepare(program, account)
            self.process = self._run(program, account)
        except OSError as error:
            self._lock.release()
            raise EngineFailed(f"{self.title} cannot be started: {error}.") from error
        except BaseException:
            self._lock.release()
            raise

    def wait_ready(self, timeout_seconds: float = 60.0) -> None:
        """Raises `EngineFailed` if it ends, or is not ready in time."""
        if not _wait_until(lambda: self.is_ready() or not self.running, timeout_seconds):
            raise EngineFailed(f"{self.title} was not ready in time, see {self.log_file}.")
        if not self.running:
            raise EngineFailed(self.describe_end())

    def stop(self, timeout_seconds: float = 30.0) -> None:
        """End it in order, harder each time `timeout_seconds` have passed; nothing if stopped."""
        for number in self.stop_signals:
            if self.process is None:
                break
            self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout_seconds)
                self.process = None
        self._lock.release()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def socket_path(self) -> Path:
        return self.socket_folder / self.socket_name

    def describe_end(self) -> str:
        """One line on how it ended, with the worst thing it said last."""
        said = self.log_file.read_text(errors="replace").splitlines()[-20:] or ["nothing"]
        fatal = [line for line in said if "FATAL" in line or "PANIC" in line]
        reason = (fatal or said)[-1]
        return f"{self.title} {describe_end(self.process)} and said: {reason} (see {self.log_file})"

    def _take_folder(self) -> None:
        self.data_folder.parent.mkdir(parents=True, exist_ok=True)
        if self._lock.held:
            if self.running:
                raise AlreadyRunning(f"{self.title} already runs on {self.data_folder}.")
        elif not self._lock.acquire():
            raise AlreadyRunning(
                f"{self.title} already runs on {self.data_folder}, "
                f"started by process {self._lock.holder_pid()}."
            )

    def _end_leftovers(self) -> None:
        """Wait for an engine whose starter was killed, then end what outlived it."""

        def leftovers() -> set[int]:
            return processes_in(self.data_folder, self.program)

        if not _wait_until(lambda: self._whole(leftovers()) is None, _LEFTOVER_SECONDS):
            raise AlreadyRunning(
                f"{self.title}, process {self._whole(leftovers())}, uses {self.data_folder}: "
                "stop it first."
            )
        for pid in leftovers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not _wait_until(lambda: not leftovers(), _LEFTOVER_SECONDS):
            raise EngineFailed(f"{self.title} left processes that do not end: {leftovers()}.")

    def _run(self, program: Path, account: Account) -> subprocess.Popen[bytes]:
        make_private(self.socket_folder, account)
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with (
            hand_over(account, self.data_folder, self.socket_folder) as handed,
            self.log_file.open("ab") as output,
        ):
            return spawn(
                self._argv(program, *handed.paths),
                environment=ENVIRONMENT,
                death_signal=self.death_signal,
                account=account,
                keep_descriptors=handed.descriptors,
                output=output,
                folder=Path("/"),
            )


def make_private(folder: Path, account: Account) -> None:
    """Make `folder` where missing, and `account` its only user."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    account.own(folder)


def _wait_until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
