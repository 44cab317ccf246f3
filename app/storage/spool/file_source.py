"""A segment's bytes from its file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileSource:
    """The file as long as it was when it was opened; it may grow meanwhile."""

    descriptor: int
    size_bytes: int

    def read(self, offset: int, size_bytes: int) -> bytes:
        end = min(offset + size_bytes, self.size_bytes)
        return os.pread(self.descriptor, max(0, end - offset), offset)


@contextmanager
def open_source(path: Path) -> Iterator[FileSource]:
    """Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield FileSource(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
