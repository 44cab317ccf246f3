"""The two forms of spool, each knowing how to open its writers and its reader."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from app.core.clock import Clock
from app.core.errors import Unavailable
from app.core.ids import Ids
from app.storage.blobs.port import BlobStore
from app.storage.spool.blob_reader import BlobSpoolReader
from app.storage.spool.blob_writer import MAX_UPLOAD_SIZE_BYTES, BlobSpoolWriter
from app.storage.spool.disk import Disk
from app.storage.spool.folder_reader import FolderSpoolReader
from app.storage.spool.folder_segments import stored_segments
from app.storage.spool.folder_writer import FolderLimits, FolderSpoolWriter
from app.storage.spool.metrics import SpoolMetrics
from app.storage.spool.port import SpoolReader, SpoolWriter
from app.storage.spool.survey import StoredSegment


class Spool(Protocol):
    async def open_writer(self, role: str, metrics: SpoolMetrics | None = None) -> SpoolWriter:
        """A producer of its own for this process. `role` is a lower-case word such as `smtp`;
        what it does is counted in `metrics`.

        Raises `InvalidInput` for another role and `Unavailable` when the spool cannot be used.
        """
        ...

    async def open_reader(self) -> SpoolReader:
        """Raises `Unavailable` when the spool cannot be used."""
        ...

    def segments(self) -> AsyncIterator[StoredSegment]:
        """Every segment as it lies there, for people to look at; each until the next is asked for.

        Makes nothing where there is no spool. Raises `Unavailable` when it cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class FolderSpool:
    """A spool on a disk that lasts."""

    root: Path
    clock: Clock
    ids: Ids
    limits: FolderLimits = field(default_factory=FolderLimits)
    disk: Disk = field(default_factory=Disk)

    async def open_writer(
        self, role: str, metrics: SpoolMetrics | None = None
    ) -> FolderSpoolWriter:
        return await FolderSpoolWriter.open(
            self.root,
            role,
            clock=self.clock,
            ids=self.ids,
            limits=self.limits,
            disk=self.disk,
            metrics=metrics,
        )

    async def open_reader(self) -> FolderSpoolReader:
        return await FolderSpoolReader.open(self.root, ids=self.ids)

    async def segments(self) -> AsyncIterator[StoredSegment]:
        try:
            for stored in stored_segments(self.root):
                yield stored
        except OSError as error:
            raise Unavailable(f"The spool cannot be read: {error}.") from error


@dataclass(frozen=True, slots=True)
class BlobSpool:
    """A spool in the object store, under a key prefix of its own (`spool` when it is empty)."""

    store: BlobStore
    prefix: str
    clock: Clock
    ids: Ids
    max_upload_size_bytes: int = MAX_UPLOAD_SIZE_BYTES
    poll_seconds: float = 1.0

    async def open_writer(self, role: str, metrics: SpoolMetrics | None = None) -> BlobSpoolWriter:
        return await BlobSpoolWriter.open(
            self.store,
            self._prefix,
            role,
            clock=self.clock,
            ids=self.ids,
            max_upload_size_bytes=self.max_upload_size_bytes,
            metrics=metrics,
        )

    async def open_reader(self) -> BlobSpoolReader:
        return BlobSpoolReader(self.store, self._prefix, poll_seconds=self.poll_seconds)

    async def segments(self) -> AsyncIterator[StoredSegment]:
        reader = await self.open_reader()
        async for stored in reader.segments():
            yield stored

    @property
    def _prefix(self) -> str:
        return self.prefix.strip("/") or "spool"
