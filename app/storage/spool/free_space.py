"""Refusing mail while there is still room to keep what was accepted."""

import time
from pathlib import Path

from app.core.errors import StorageFull
from app.storage.spool.disk import Disk

_CHECKED_EVERY_SECONDS = 0.1


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
        figures = self._disk.statvfs(self._folder)
        if figures.f_bavail * figures.f_frsize < self._min_bytes:
            return False
        # Some file systems (Btrfs) have no fixed number of inodes and say 0 of 0.
        return figures.f_files == 0 or figures.f_favail >= self._min_inodes
