"""An object store that counts what it could not keep."""

from collections.abc import AsyncIterator, Mapping, Sequence

from app.core.errors import Unavailable
from app.core.metrics import Counter
from app.storage.blobs.port import BlobInfo, BlobStore


class CountedBlobs:
    """A `BlobStore` over another; `upload_errors` counts puts that it did not take."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self.upload_errors = Counter(())

    async def put(self, key: str, data: bytes, metadata: Mapping[str, str]) -> None:
        await self.put_many([(key, data, metadata)])

    async def put_many(self, blobs: Sequence[tuple[str, bytes, Mapping[str, str]]]) -> None:
        try:
            await self._blobs.put_many(blobs)
        except Unavailable:
            self.upload_errors.count()
            raise

    async def get(self, key: str) -> bytes:
        return await self._blobs.get(key)

    async def metadata(self, key: str) -> Mapping[str, str]:
        return await self._blobs.metadata(key)

    def stream(self, key: str) -> AsyncIterator[bytes]:
        return self._blobs.stream(key)

    async def delete(self, key: str) -> None:
        await self._blobs.delete(key)

    def list(self, prefix: str, *, after: str = "") -> AsyncIterator[BlobInfo]:
        return self._blobs.list(prefix, after=after)

    async def check(self) -> None:
        await self._blobs.check()
