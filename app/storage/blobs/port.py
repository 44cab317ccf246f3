"""What an object store promises, whichever form it has."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BlobInfo:
    key: str
    size_bytes: int
    stored_at: datetime


class BlobStore(Protocol):
    """Objects by key. Keys are `/`-separated segments of `[A-Za-z0-9._=@+-]`, none of them `.` or
    `..` (`InvalidInput` otherwise). Every operation raises `Unavailable` when the store is down."""

    async def put(self, key: str, data: bytes, metadata: Mapping[str, str]) -> None:
        """Durable when it returns (a folder store has synced file and folders). Overwrites.

        `metadata` is a few short ASCII strings, kept with the object and immutable. Names are
        lower-case letters, digits and hyphens; values are not empty and have no space at either
        end (`InvalidInput` otherwise).
        """
        ...

    async def put_many(self, blobs: Sequence[tuple[str, bytes, Mapping[str, str]]]) -> None:
        """As `put` for each; all durable when it returns."""
        ...

    async def get(self, key: str) -> bytes:
        """Raises `NotFound`, and `Corrupt` when the bytes are not those that were put."""
        ...

    async def metadata(self, key: str) -> Mapping[str, str]:
        """Raises `NotFound`."""
        ...

    def stream(self, key: str) -> AsyncIterator[bytes]:
        """The object in chunks of at most 64 KiB. Raises `NotFound` before the first, and
        `Corrupt` after the last when the bytes were not those that were put."""
        ...

    async def delete(self, key: str) -> None:
        """Removes the object; it is no error when there is none."""
        ...

    def list(self, prefix: str, *, after: str = "") -> AsyncIterator[BlobInfo]:
        """Objects whose key starts with `prefix`, in key order, those after the key `after`."""
        ...

    async def check(self) -> None:
        """Returns when the store can be reached and written; raises `Unavailable` otherwise."""
        ...
