"""A process that outlives the supervisor just long enough to end what its children left.

A child is bound to us by PR_SET_PDEATHSIG, but its own children are not bound to it: a killed
web server would leave its workers behind, holding the port.
"""

import contextlib
import subprocess
import sys
from pathlib import Path

from app.embedded.lock import FileLock

_SCRIPT = Path(__file__).with_name("guard_script.py")


class Guard:
    """Knows the process groups to end. Holds `lock` as well, until they are ended."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Also starts it again if it died, with all that it knew."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[self._lock.descriptor],
            cwd="/",
            bufsize=0,
        )
        for group in self._groups:
            self._write(f"+{group}\n")

    def add(self, group: int) -> None:
        self._groups.add(group)
        self._write(f"+{group}\n")

    def remove(self, group: int) -> None:
        self._groups.discard(group)
        self._write(f"-{group}\n")

    def stop(self) -> None:
        """It ends the groups that were not removed."""
        self.process.communicate()

    def _write(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # it died, and `start` tells it all again
            assert self.process.stdin is not None
            self.process.stdin.write(line.encode())
