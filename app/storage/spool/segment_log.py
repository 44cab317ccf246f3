"""One producer's segments on disk, as its writer thread appends to them.

`append` returns when a batch is on the medium. After any error the segment is given up: the
kernel may have dropped what it could not write and then report the next sync as good, so a
descriptor that failed once proves nothing any more. It stays `.open`, is never written again, and
is sealed when the producer's slot is next taken.
"""

import contextlib
import errno
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.core.clock import Clock
from app.core.errors import StorageFull, Unavailable
from app.core.ids import Ids
from app.core.log import get_logger
from app.storage.spool.disk import Disk
from app.storage.spool.layout import SegmentFile
from app.storage.spool.metrics import SpoolMetrics
from app.storage.spool.segment import (
    MARKER_SIZE_BYTES,
    Content,
    Footer,
    Header,
    Kind,
    decode_reference,
    encode_footer,
    encode_head,
    encode_header,
)

_BUFFERS_PER_CALL = 1023
_PAUSE_AFTER_FAILURES_SECONDS = 1.0
_FULL = (errno.ENOSPC, errno.EDQUOT)

_log = get_logger("spool")


class RanFull(StorageFull):
    """There was no room in the middle of a write: some of it may be read all the same."""


@dataclass(slots=True)
class _OpenSegment:
    file: SegmentFile
    descriptor: int
    marker: bytes
    begun_at: float
    size_bytes: int = 0
    items: int = 0
    bodies: list[str] = field(default_factory=list)


class SegmentLog:
    """Belongs to one thread. `next_number` is above every number this producer ever used."""

    def __init__(
        self,
        folder: Path,
        next_number: int,
        *,
        max_size_bytes: int,
        max_age_seconds: float,
        clock: Clock,
        ids: Ids,
        disk: Disk,
        metrics: SpoolMetrics,
    ) -> None:
        self._folder = folder
        self._next_number = next_number
        self._max_size_bytes = max_size_bytes
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._ids = ids
        self._disk = disk
        self._metrics = metrics
        self._segment: _OpenSegment | None = None
        self._failures_in_row = 0
        self._paused_until = float("-inf")

    def append(self, contents: Sequence[Content]) -> None:
        """All of it is durable when it returns. Raises `Unavailable` when none of it counts, and
        `RanFull` when that is for want of room."""
        if time.monotonic() < self._paused_until:
            raise Unavailable("The disk of the spool failed repeatedly a moment ago.")
        try:
            segment = self._segment or self._begin()
            self._write(segment, contents)
            self._disk.fdatasync(segment.descriptor)
        except BaseException as error:
            self._give_up("spool write failed", error)
            self._failures_in_row += 1
            if self._failures_in_row > 1:
                self._paused_until = time.monotonic() + _PAUSE_AFTER_FAILURES_SECONDS
            if isinstance(error, OSError):
                kind = RanFull if error.errno in _FULL else Unavailable
                raise kind(f"The spool cannot be written: {error.strerror}.") from error
            raise
        self._failures_in_row = 0

    def seconds_until_due(self) -> float | None:
        """When the open segment is old enough to be sealed; None when there is none."""
        if self._segment is None:
            return None
        return max(0.0, self._segment.begun_at + self._max_age_seconds - time.monotonic())

    def seal_if_due(self) -> None:
        if self._segment and (
            self._segment.size_bytes >= self._max_size_bytes or not self.seconds_until_due()
        ):
            self.seal()

    def seal(self) -> None:
        """Ends the open segment, if there is one. What it holds is safe even when this fails."""
        segment = self._segment
        if segment is None:
            return
        footer = Footer(segment.items, tuple(segment.bodies), self._clock.now())
        try:
            self._write_all(
                segment, [encode_footer(segment.marker, footer, offset=segment.size_bytes)]
            )
            self._disk.fdatasync(segment.descriptor)
            publish_sealed(segment.file, self._disk)
        except OSError as error:
            self._give_up("spool segment not sealed", error)
        else:
            self._segment = None
            os.close(segment.descriptor)

    def _begin(self) -> _OpenSegment:
        """Makes the next segment's file, whose name is durable when it returns."""
        file = SegmentFile(self._folder, self._next_number, sealed=False)
        descriptor = self._disk.create(file.path)
        self._next_number += 1
        marker = self._ids.random_bytes(MARKER_SIZE_BYTES)
        self._segment = _OpenSegment(file, descriptor, marker, time.monotonic())
        self._disk.sync_folder(self._folder)
        header = Header(marker, file.number, self._clock.now())
        self._write_all(self._segment, [encode_header(header)])
        return self._segment

    def _write(self, segment: _OpenSegment, contents: Sequence[Content]) -> None:
        marker = segment.marker
        buffers: list[bytes] = []
        for content in contents:
            buffers += (encode_head(marker, content), content.metadata, content.body)
            if content.kind == Kind.REFERENCE:
                segment.bodies.append(decode_reference(content.body).file)
        segment.items += len(contents)
        for start in range(0, len(buffers), _BUFFERS_PER_CALL):
            self._write_all(segment, buffers[start : start + _BUFFERS_PER_CALL])

    def _write_all(self, segment: _OpenSegment, buffers: Sequence[bytes]) -> None:
        size_bytes = sum(map(len, buffers))
        written = self._disk.writev(segment.descriptor, buffers)
        if written < size_bytes:
            rest = b"".join(buffers)
            while written < size_bytes:
                written += self._disk.writev(segment.descriptor, [rest[written:]])
        segment.size_bytes += size_bytes

    def _give_up(self, event: str, error: BaseException) -> None:
        segment, self._segment = self._segment, None
        self._metrics.sync_errors.count()
        _log.error(event, folder=str(self._folder), error=str(error))
        if segment:
            with contextlib.suppress(OSError):
                os.close(segment.descriptor)


def publish_sealed(file: SegmentFile, disk: Disk) -> None:
    """Gives a segment whose footer is synced its final name, durably. Raises `OSError`."""
    disk.rename(file.path, SegmentFile(file.folder, file.number, sealed=True).path)
    disk.sync_folder(file.folder)
