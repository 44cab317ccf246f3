"""The system account an engine runs as, and how it reaches folders that are closed to it.

Postgres refuses to run as root. Started by root, an engine runs as the owner of its data, or as
`nobody`. The folders above may well be closed to that account (`/root` is), and their permissions
are not ours to change: the engine is handed its own folder as an open descriptor instead, and
reaches it as /proc/self/fd/N without passing through those above (proc_pid_fd(5)).
"""

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """Ids to change to; None stands for staying who we are."""

    uid: int | None
    gid: int | None

    def own(self, path: Path) -> None:
        """Give `path` to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def can_reach(self, path: Path) -> bool:
        """Whether it may read and enter `path` and enter every folder above it."""
        if self.uid is None:
            return True
        resolved = path.resolve()
        return self._has(resolved, stat.S_IROTH | stat.S_IXOTH) and all(
            self._has(parent, stat.S_IXOTH) for parent in resolved.parents
        )

    def _has(self, path: Path, bits: int) -> bool:
        """`bits` are those of "others"; the same ones of the owner count where it is this one."""
        status = path.stat()
        if status.st_uid == self.uid:
            bits <<= 6
        elif status.st_gid == self.gid:
            bits <<= 3
        return status.st_mode & bits == bits


OWN_ACCOUNT = Account(None, None)


def account_for(folder: Path) -> Account:
    """Who runs an engine with its data in `folder`: ourselves unless we are root."""
    if os.geteuid() != 0:
        return OWN_ACCOUNT
    for path in (folder, folder.parent):
        if path.exists() and (status := path.stat()).st_uid != 0:
            return Account(status.st_uid, status.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return Account(65534, 65534)
    return Account(nobody.pw_uid, nobody.pw_gid)


@dataclass(frozen=True, slots=True)
class Handed:
    """Paths as the engine is told them, and the descriptors it must inherit for them to work."""

    paths: tuple[str, ...]
    descriptors: tuple[int, ...]


@contextlib.contextmanager
def hand_over(account: Account, *folders: Path) -> Iterator[Handed]:
    """`folders` in a form that `account` can use once the descriptors are inherited."""
    if account.uid is None:
        yield Handed(tuple(str(folder.absolute()) for folder in folders), ())
        return
    with contextlib.ExitStack() as opened:
        descriptors = []
        for folder in folders:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            opened.callback(os.close, descriptor)
            descriptors.append(descriptor)
        yield Handed(tuple(f"/proc/self/fd/{number}" for number in descriptors), tuple(descriptors))
