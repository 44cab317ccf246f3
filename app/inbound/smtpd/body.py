"""One message on its way in: in memory while it is small, in a file of the spool's beyond that."""

import asyncio
import errno
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.core.errors import StorageFull, Unavailable
from app.storage.spool.port import SpoolWriter

SPILL_BYTES = 256 * 1024
"""What one connection holds in memory before it writes to a file."""
_CROWDED_BYTES = 24 * 1024 * 1024
_CROWDED_SPILL_BYTES = 16 * 1024
"""The same, while all connections together hold more than `_CROWDED_BYTES`."""


@dataclass(slots=True)
class BodyMemory:
    """What all bodies of one sidecar hold in memory."""

    held_bytes: int = 0

    @property
    def spill_bytes(self) -> int:
        """What one of them may hold."""
        return SPILL_BYTES if self.held_bytes <= _CROWDED_BYTES else _CROWDED_SPILL_BYTES


class IncomingBody:
    """Takes a message piece by piece, so that memory is bounded whatever its size.

    The trace fields `prefix` come first. End it with `finish`, and `release` when the spool has
    it, or with `discard`.
    """

    def __init__(self, writer: SpoolWriter, prefix: bytes, memory: BodyMemory) -> None:
        self._writer = writer
        self._memory = memory
        self._pieces = [prefix]
        self._held_bytes = 0
        self._path: Path | None = None
        self._file: BinaryIO | None = None

    async def append(self, piece: bytes) -> None:
        """Raises `StorageFull` or `Unavailable` when a file is needed and cannot be written."""
        self._pieces.append(piece)
        self._held_bytes += len(piece)
        self._memory.held_bytes += len(piece)
        if self._held_bytes > self._memory.spill_bytes:
            await self._spill()

    async def finish(self) -> bytes | Path:
        """The whole of it, as `SpoolWriter.put` takes it. Raises as `append` does."""
        if self._path is None:
            return b"".join(self._pieces)
        await self._spill()
        self._close()
        return self._path

    def release(self) -> None:
        """Its memory is no longer needed."""
        self._memory.held_bytes -= self._held_bytes
        self._held_bytes = 0

    def discard(self) -> None:
        """Leaves nothing behind. Harmless at any time before the spool has taken the file."""
        self._pieces.clear()
        self.release()
        self._close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    async def _spill(self) -> None:
        pieces, self._pieces = self._pieces, []
        try:
            # A disk that is busy writing back must hold up this client, not all of them.
            await asyncio.to_thread(self._write, pieces)
        except OSError as error:
            raise _translate(error) from error
        finally:
            self.release()

    def _write(self, pieces: list[bytes]) -> None:
        if self._file is None:
            self._path = self._writer.new_body_file()
            self._file = self._path.open("wb")
        self._file.writelines(pieces)
        self._file.flush()

    def _close(self) -> None:
        if self._file is not None:
            # What could not be written was reported by `_write`, or is not wanted any more.
            with suppress(OSError):
                self._file.close()


def _translate(error: OSError) -> Unavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull("The spool's disk is full.")
    return Unavailable(f"The spool cannot take a body: {error.strerror}")
