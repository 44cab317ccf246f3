"""Child processes that die with their parent, in a session of their own."""

import asyncio
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
    own_session: bool = True,
) -> subprocess.Popen[bytes]:
    """Start `argv`, which gets `death_signal` when we die.

    It leads a session of its own, or stays in our process group without `own_session`.

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
        start_new_session=own_session,
        pass_fds=keep_descriptors,
        user=account.uid,
        group=account.gid,
        extra_groups=None if account.uid is None else [],
        umask=0o077,
        preexec_fn=_die_with_parent(os.getpid(), death_signal),
    )


def kill_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal all processes of the group that `process` leads, if any is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def describe_end(process: subprocess.Popen[bytes] | None) -> str:
    """`ended with code 1`, `was killed by SIGKILL`; reaps it."""
    code = process.poll() if process else None
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def is_alive(pid: int) -> bool:
    """Whether such a process runs; one that ended and was not waited for does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")  # proc_pid_stat(5)


async def wait_end(process: subprocess.Popen[bytes]) -> None:
    """Return when it has ended. Does not reap it, so that its id stays its own until `poll`."""
    if process.returncode is not None:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


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
