"""The calls that a folder spool's promise rests on, in one place so that tests can fail them."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Sequence
from pathlib import Path

FILE_MODE = 0o640
FOLDER_MODE = 0o2770


class Disk:
    """The machine's own disk. Every call raises `OSError` when the disk refuses it."""

    def create(self, path: Path) -> int:
        """A descriptor of a new file that the group may read. It must not exist yet."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)
        return descriptor

    def writev(self, descriptor: int, buffers: Sequence[bytes]) -> int:
        """How many bytes were written: fewer than given when the disk has no room for more."""
        return os.writev(descriptor, buffers)

    def fdatasync(self, descriptor: int) -> None:
        """The file's bytes and its size are on the medium when it returns."""
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fdatasync(descriptor)

    def fsync(self, descriptor: int) -> None:
        """The file, or the folder's list of files, is on the medium when it returns."""
        if sys.platform == "darwin":
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def statvfs(self, folder: Path) -> os.statvfs_result:
        return os.statvfs(folder)

    def sync_folder(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.fsync(descriptor)
        finally:
            os.close(descriptor)

    def replace(self, path: Path, content: bytes, *, durable: bool) -> None:
        """`path` holds `content`, or what it held before: a reader sees one or the other. If
        `durable`, it is on the medium when it returns."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.unlink(missing_ok=True)
            with os.fdopen(self.create(temporary), "wb") as file:
                file.write(content)
                file.flush()
                if durable:
                    self.fsync(file.fileno())
            self.rename(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        if durable:
            self.sync_folder(path.parent)

    def make_folder(self, folder: Path) -> None:
        """Makes the folder and those above it, durably, open to owner and group only.

        What exists is synced too, since whoever made it may not have come that far.
        """
        if not folder.parent.exists():
            self.make_folder(folder.parent)
        if not folder.exists():
            folder.mkdir(0o770, exist_ok=True)
            folder.chmod(FOLDER_MODE)
        # A folder that we may pass through but not list is not ours, nor new.
        with contextlib.suppress(PermissionError):
            self.sync_folder(folder.parent)
