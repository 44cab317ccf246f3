"""Child processes that die with their parent, in a session of their own."""

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from app.embedded.account import OWN_ACCOUNT, Account

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


def spawn(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    death_signal: signal.Signals,
    account: Account = OWN_ACCOUNT,
    keep_descriptors: Sequence[int] = (),
    output: IO[bytes] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` as the leader of a new session that gets `death_signal` when we die.

    To be called from a thread that lives as long as the process: the kernel sends the signal
    when the *thread* that forked ends (prctl(2), PR_SET_PDEATHSIG). Raises OSError.
    """
    return subprocess.Popen(
        argv,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        pass_fds=keep_descriptors,
        user=account.uid,
        group=account.gid,
        extra_groups=None if account.uid is None else [],
        umask=0o077,
        preexec_fn=_die_with_parent(os.getpid(), death_signal),
    )


def kill_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal all processes of the session that `process` leads, if any is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def is_alive(pid: int) -> bool:
    """Whether such a process exists, a zombie included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def processes_in(folder: Path, program: str) -> set[int]:
    """The processes named `program` whose working folder is `folder`, as both engines' is."""
    try:
        wanted = folder.stat()
    except FileNotFoundError:
        return set()
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "comm").read_text().rstrip("\n") == program[:15]:
                cwd = (entry / "cwd").stat()
                if (cwd.st_dev, cwd.st_ino) == (wanted.st_dev, wanted.st_ino):
                    found.add(int(entry.name))
    return found


def _die_with_parent(parent_pid: int, death_signal: signal.Signals) -> Callable[[], None]:
    prctl = _libc.prctl  # looked up before the fork: between fork and exec nothing may be loaded

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before the line above
            os._exit(1)

    return bind
