"""The data folder, held by one `up` at a time, and the folder of its sockets."""

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from app.embedded.errors import AlreadyRunning, StartFailed
from app.embedded.lock import FileLock
from app.embedded.process import is_alive
from app.embedded.run_file import LOCK_NAME

_HANDING_OVER_SECONDS = 15.0
_POLL_SECONDS = 0.02


@contextlib.contextmanager
def hold_data_folder(data: Path) -> Iterator[FileLock]:
    """Make `data` where missing, and hold it. Raises `AlreadyRunning` with the holder's pid.

    Where the holder is gone, its guard still ends what it left: that is waited for.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(data / LOCK_NAME)
    deadline = time.monotonic() + _HANDING_OVER_SECONDS
    while not lock.acquire():
        holder = lock.holder_pid()
        if holder is not None and is_alive(holder):
            raise AlreadyRunning(f"Pillarbox already runs on {data} (process {holder}).")
        if time.monotonic() > deadline:
            raise AlreadyRunning(f"Processes of an earlier run still hold {data}.")
        time.sleep(_POLL_SECONDS)
    try:
        yield lock
    finally:
        lock.release()


@contextlib.contextmanager
def socket_folder(data: Path) -> Iterator[Path]:
    """A folder of our own for the sockets of `data`: short, and the same at every start.

    The path of a socket is limited to 107 bytes (unix(7)), and a data folder may lie deep.
    """
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"pillarbox-{os.geteuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise StartFailed(f"{folder} is not ours: set TMPDIR to another folder.")
    folder.chmod(0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
