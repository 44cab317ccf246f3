"""Objects in a bucket of Amazon S3, or of a service that speaks its protocol.

boto3 takes 0.4 s to import, so it is imported when a store is made, not when this module is.
Its calls block and run in threads of this store's own.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from app.core.errors import NotFound, Unavailable
from app.core.secrets import Secret
from app.storage.blobs.port import BlobInfo
from app.storage.blobs.rules import require_key, require_metadata, require_prefix

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from types_boto3_s3 import S3Client

_CHECK_KEY = ",check"
_CHUNK_SIZE_BYTES = 64 * 1024
_LISTED_AT_ONCE = 1000
_THREADS = 16
# A HEAD has no body to name the error in, so botocore gives its status.
_ABSENT_CODES = frozenset({"NoSuchKey", "404"})

P = ParamSpec("P")
T = TypeVar("T")


class S3Blobs:
    """A `BlobStore` in one bucket, which must exist.

    Without `access_key_id` the credentials of the machine's role are used. An `endpoint_url`
    names a service other than Amazon's and is addressed by path. A call gives up after three
    tries, each of which waits 5 s for a connection and 30 s for an answer.
    """

    def __init__(
        self,
        bucket: str,
        *,
        region: str,
        endpoint_url: str = "",
        access_key_id: str = "",
        secret_access_key: Secret | None = None,
    ) -> None:
        self._bucket = bucket
        self._client = _connect(region, endpoint_url, access_key_id, secret_access_key)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")

    async def put(self, key: str, data: bytes, metadata: Mapping[str, str]) -> None:
        await self.put_many([(key, data, metadata)])

    async def put_many(self, blobs: Sequence[tuple[str, bytes, Mapping[str, str]]]) -> None:
        for key, _, metadata in blobs:
            require_key(key)
            require_metadata(metadata)
        outcomes = await asyncio.gather(
            *(self._run(self._put, *blob) for blob in _last_of_each_key(blobs)),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def get(self, key: str) -> bytes:
        return await self._run(self._get, require_key(key))

    async def metadata(self, key: str) -> Mapping[str, str]:
        return await self._run(self._metadata, require_key(key))

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        body = await self._run(self._open, require_key(key))
        try:
            while chunk := await self._run(body.read, _CHUNK_SIZE_BYTES):
                yield chunk
        finally:
            body.close()

    async def delete(self, key: str) -> None:
        await self._run(self._delete, require_key(key))

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[BlobInfo]:
        found = self._list(require_prefix(prefix), after)
        while page := await self._run(lambda: list(islice(found, _LISTED_AT_ONCE))):
            for info in page:
                yield info

    async def check(self) -> None:
        """Writes one empty object, whose name no key can be, again and again."""
        await self._run(self._put, _CHECK_KEY, b"", {})

    async def _run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def translated() -> T:
            with _errors_translated():
                return call(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, translated)

    def _put(self, key: str, data: bytes, metadata: Mapping[str, str]) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=data, Metadata=metadata)

    def _open(self, key: str) -> "StreamingBody":
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"]

    def _get(self, key: str) -> bytes:
        return self._open(key).read()

    def _metadata(self, key: str) -> Mapping[str, str]:
        try:
            return self._client.head_object(Bucket=self._bucket, Key=key)["Metadata"]
        except self._client.exceptions.ClientError:
            # The answer to a HEAD names no reason: a 404 may mean the bucket.
            self._client.list_objects_v2(Bucket=self._bucket, MaxKeys=1)
            raise

    def _delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def _list(self, prefix: str, after: str) -> Iterator[BlobInfo]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=after
        )
        for page in pages:
            for found in page.get("Contents", ()):
                if found["Key"] != _CHECK_KEY:
                    yield BlobInfo(found["Key"], found["Size"], found["LastModified"])


def _connect(
    region: str, endpoint_url: str, access_key_id: str, secret_access_key: Secret | None
) -> "S3Client":
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=30,
        retries={"total_max_attempts": 3, "mode": "standard"},
        max_pool_connections=_THREADS,
        tcp_keepalive=True,
        s3={"addressing_style": "path" if endpoint_url else "auto"},
        # The checksums that newer SDKs add unasked are refused by several S3-like services.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        region_name=region,
        endpoint_url=endpoint_url or None,
        aws_access_key_id=access_key_id or None,
        aws_secret_access_key=secret_access_key.reveal() if secret_access_key else None,
        config=config,
    )


def _last_of_each_key(
    blobs: Sequence[tuple[str, bytes, Mapping[str, str]]],
) -> list[tuple[str, bytes, Mapping[str, str]]]:
    """Uploads run side by side, so of two with one key only the later may be sent."""
    return list({blob[0]: blob for blob in blobs}.values())


@contextmanager
def _errors_translated() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _ABSENT_CODES:
            raise NotFound("There is no such object.") from error
        raise Unavailable(f"The object store refused: {code or 'no reason given'}.") from error
    except BotoCoreError as error:
        raise Unavailable(f"The object store cannot be reached: {error}.") from error
