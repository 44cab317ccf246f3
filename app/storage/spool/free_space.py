"""How much room a disk has, and refusing mail while what was accepted can still be kept."""

import time
from dataclasses import dataclass
from os import statvfs_result
from pathlib import Path
from typing import Self

from app.core.errors import StorageFull
from app.storage.spool.disk import Disk

_CHECKED_EVERY_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Room:
    """What is free on a file system, as `df` counts: what is reserved for root is not there."""

    free_bytes: int
    free_percent: float
    free_inodes: int | None
    """None where there is no fixed number of them: some file systems (Btrfs) say 0 of 0."""

    @classmethod
    def of(cls, figures: statvfs_result) -> Self:
        usable = figures.f_blocks - figures.f_bfree + figures.f_bavail
        return cls(
            free_bytes=figures.f_bavail * figures.f_frsize,
            free_percent=100 * figures.f_bavail / usable if usable else 0.0,
            free_inodes=figures.f_favail if figures.f_files else None,
        )


class FreeSpace:
    """Watches the file system of one folder. May be asked from several threads."""

    def __init__(self, folder: Path, min_bytes: int, min_inodes: int, disk: Disk) -> None:
        self._folder = folder
        self._min_bytes = min_bytes
        self._min_inodes = min_inodes
        self._disk = disk
        self._is_enough = True
        self._checked_at = float("-inf")

    def require(self) -> None:
        """Raises `StorageFull` under either threshold, by figures at most 0.1 s old, and
        `OSError` when the disk does not tell."""
        now = time.monotonic()
        if now - self._checked_at >= _CHECKED_EVERY_SECONDS:
            self._is_enough = self._measure()
            self._checked_at = now
        if not self._is_enough:
            raise StorageFull("The disk of the spool is too full to accept mail.")

    def _measure(self) -> bool:
        room = Room.of(self._disk.statvfs(self._folder))
        if room.free_bytes < self._min_bytes:
            return False
        return room.free_inodes is None or room.free_inodes >= self._min_inodes
