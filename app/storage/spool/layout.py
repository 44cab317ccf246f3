"""Where things lie in a folder spool.

ROOT/spool-id                         the name of this spool, drawn once
ROOT/smtp-0/                          a producer: a role and the number of its slot
ROOT/smtp-0/lock                      held (flock) by the process that writes here
ROOT/smtp-0/0000000000000001.seg      a sealed segment
ROOT/smtp-0/0000000000000002.open     a segment that is written, or was given up
ROOT/smtp-0/bodies/NAME               a large body, named by a reference in a segment
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from app.core.errors import Corrupt, InvalidInput
from app.core.ids import Ids
from app.storage.spool.disk import FILE_MODE, Disk

OPEN_SUFFIX = ".open"
SEALED_SUFFIX = ".seg"
_ID_FILE = "spool-id"
_LOCK_FILE = "lock"
_BODIES_FOLDER = "bodies"
_ROLE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PRODUCER = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*-[0-9]+")
_SEGMENT_FILE = re.compile(r"([0-9]{16})\.(open|seg)")


@dataclass(frozen=True, slots=True)
class SegmentFile:
    folder: Path
    number: int
    sealed: bool

    @property
    def path(self) -> Path:
        return self.folder / f"{self.number:016d}{SEALED_SUFFIX if self.sealed else OPEN_SUFFIX}"


@dataclass(frozen=True, slots=True)
class Slot:
    """A producer's folder, ours as long as `lock` stays open."""

    producer: str
    folder: Path
    lock: int

    def release(self) -> None:
        os.close(self.lock)


def require_role(role: str) -> str:
    """The role itself. Raises `InvalidInput` unless it is lower-case words joined by hyphens."""
    if not _ROLE.fullmatch(role):
        raise InvalidInput(f"{role!r} is not a role of a spool's producer, such as smtp.")
    return role


def open_root(root: Path, ids: Ids, disk: Disk) -> str:
    """Makes the spool where there is none yet. Returns its name.

    The name is drawn, not the path: a spool that was emptied by hand numbers its segments from 1
    again, and positions kept for the old one must not apply to it. Raises `OSError`.
    """
    path = root / _ID_FILE
    if not path.exists():
        disk.make_folder(root)
        temporary = root / f"{_ID_FILE}.{ids.new().hex}"
        descriptor = disk.create(temporary)
        try:
            os.write(descriptor, f"{ids.new()}\n".encode())
            disk.fsync(descriptor)
            # Of two processes that come first, a link lets only one draw the name.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(temporary)
        finally:
            os.close(descriptor)
            temporary.unlink()
    disk.sync_folder(root)
    name = path.read_text().strip()
    if not name:
        raise Corrupt(f"{path} is empty; the name of the spool should stand there.")
    return name


def take_slot(root: Path, role: str, disk: Disk) -> Slot:
    """The first slot of this role that no living process holds. Raises `OSError`."""
    for number in count():
        producer = f"{require_role(role)}-{number}"
        folder = root / producer
        disk.make_folder(bodies_folder(folder))
        disk.sync_folder(root)
        lock = os.open(folder / _LOCK_FILE, os.O_RDONLY | os.O_CREAT, FILE_MODE)
        if os.fstat(lock).st_uid == os.geteuid():
            os.fchmod(lock, FILE_MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return Slot(producer, folder, lock)
    raise AssertionError("count() does not end")


def bodies_folder(producer_folder: Path) -> Path:
    return producer_folder / _BODIES_FOLDER


def list_producers(root: Path) -> list[str]:
    """The producers that ever took a slot here, with or without segments. Raises `OSError`."""
    return sorted(filter(_PRODUCER.fullmatch, _names(root)))


def list_segments(folder: Path, since: int = 0) -> Sequence[SegmentFile]:
    """The segments of a producer from number `since` on, in order. Raises `OSError`.

    Numbers are consecutive from where old segments were removed. A listing made while a segment
    is renamed may miss it, so one that has a hole, lacks `since`, or is empty is made twice.
    """
    found = _scan(folder, since)
    if not found or len(found) != max(found) - (since or min(found)) + 1:
        found = {**found, **_scan(folder, since)}
    return [SegmentFile(folder, number, sealed) for number, sealed in sorted(found.items())]


def _scan(folder: Path, since: int) -> Mapping[int, bool]:
    """Which segments there are, and whether each is sealed."""
    found: dict[int, bool] = {}
    for name in _names(folder):
        if (match := _SEGMENT_FILE.fullmatch(name)) and (number := int(match[1])) >= since:
            found[number] = found.get(number, False) or match[2] == "seg"
    return found


def _names(folder: Path) -> list[str]:
    """What lies in a folder: names only, as a reader that polls has no use for paths."""
    try:
        return os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return []
