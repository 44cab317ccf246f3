"""What every `BlobStore` promises, asked of each form."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer

from app.core.errors import InvalidInput, NotFound
from app.core.secrets import Secret
from app.storage.blobs.folder import FolderBlobs
from app.storage.blobs.port import BlobStore
from app.storage.blobs.s3 import S3Blobs

BAD_KEYS = [
    "",
    "/",
    "/etc/passwd",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/./b",
    "a\\b",
    "a b",
    "a\nb",
    "a\0b",
    "a,blob",
    "ä",
    "a" * 241,
    "/".join(["a" * 200] * 6),
]

BAD_METADATA = [
    {"Upper": "x"},
    {"a_b": "x"},
    {"": "x"},
    {"a": ""},
    {"a": " x"},
    {"a": "x "},
    {"a": "x\r\nb: y"},
    {"a": "ä"},
    {"a": "x" * 2048},
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def s3(endpoint: str) -> S3Blobs:
    return S3Blobs(
        "pillarbox",
        region="us-east-1",
        endpoint_url=endpoint,
        access_key_id="key",
        secret_access_key=Secret("secret"),
    )


@pytest.fixture
def bucket(endpoint: str, s3: S3Blobs) -> S3Blobs:
    """The bucket, made anew."""
    for method, path in (("POST", "moto-api/reset"), ("PUT", "pillarbox")):
        urlopen(Request(f"{endpoint}/{path}", data=b"", method=method)).close()
    return s3


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return FolderBlobs(tmp_path / "new" / "blobs")
    bucket: S3Blobs = request.getfixturevalue("bucket")
    return bucket


async def keys(store: BlobStore, prefix: str, after: str = "") -> list[str]:
    return [info.key async for info in store.list(prefix, after=after)]


async def read_stream(chunks: AsyncIterator[bytes]) -> list[bytes]:
    return [chunk async for chunk in chunks]


async def test_get_returns_the_bytes_when_they_were_put(store: BlobStore) -> None:
    data = bytes(range(256)) * 5
    await store.put("raw/t1/abc", data, {"sha256": "abc"})
    assert await store.get("raw/t1/abc") == data
    assert await store.metadata("raw/t1/abc") == {"sha256": "abc"}


async def test_an_empty_object_is_kept_when_put(store: BlobStore) -> None:
    await store.put("empty", b"", {})
    assert await store.get("empty") == b""
    assert await store.metadata("empty") == {}
    assert await read_stream(store.stream("empty")) == []


async def test_put_replaces_bytes_and_metadata_when_the_key_exists(store: BlobStore) -> None:
    await store.put("a", b"first, and longer", {"one": "1", "two": "2"})
    await store.put("a", b"second", {"two": "3"})
    assert await store.get("a") == b"second"
    assert await store.metadata("a") == {"two": "3"}
    assert await keys(store, "") == ["a"]


async def test_metadata_comes_back_unchanged_when_it_has_every_printable_sign(
    store: BlobStore,
) -> None:
    printable = "".join(map(chr, range(0x21, 0x7F)))
    metadata = {"signs": printable, "inner": 'two  spaces, "quotes"', "a-1": "=?utf-8?q?x?="}
    await store.put("a", b"", metadata)
    assert await store.metadata("a") == metadata


async def test_put_refuses_metadata_when_a_header_would_change_it(store: BlobStore) -> None:
    for metadata in BAD_METADATA:
        with pytest.raises(InvalidInput):
            await store.put("a", b"", metadata)
    assert await keys(store, "") == []


async def test_put_many_stores_all_when_keys_share_and_differ_in_folders(store: BlobStore) -> None:
    blobs = [(f"t/m{n % 7}/{n:03d}", b"%d" % n, {"n": str(n)}) for n in range(80)]
    await store.put_many(blobs)
    assert await keys(store, "t/") == sorted(key for key, _, _ in blobs)
    for key, data, metadata in blobs[::15]:
        assert await store.get(key) == data
        assert await store.metadata(key) == metadata


async def test_put_many_keeps_the_later_when_a_key_comes_twice(store: BlobStore) -> None:
    await store.put_many([("a", b"first", {}), ("b", b"", {}), ("a", b"second", {})])
    assert await store.get("a") == b"second"


async def test_put_many_stores_nothing_when_one_key_is_bad(store: BlobStore) -> None:
    with pytest.raises(InvalidInput):
        await store.put_many([("good", b"", {}), ("../bad", b"", {})])
    assert await keys(store, "") == []


async def test_put_many_does_nothing_when_there_is_nothing(store: BlobStore) -> None:
    await store.put_many([])
    assert await keys(store, "") == []


async def test_stream_gives_exactly_the_bytes_in_chunks_of_64_kib_at_most(store: BlobStore) -> None:
    data = bytes(range(251)) * 1000
    await store.put("big", data, {"kind": "test"})
    chunks = await read_stream(store.stream("big"))
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= 64 * 1024
    assert all(chunks)


async def test_stream_can_be_left_when_half_read(store: BlobStore) -> None:
    await store.put("big", bytes(300_000), {})
    stream = store.stream("big")
    async for _ in stream:
        break
    await stream.aclose()  # type: ignore[attr-defined]
    assert len(await store.get("big")) == 300_000


async def test_reading_raises_not_found_when_there_is_no_object(store: BlobStore) -> None:
    await store.put("a/b", b"", {})
    for key in ("absent", "a", "a/b/c", "b/a"):
        with pytest.raises(NotFound):
            await store.get(key)
        with pytest.raises(NotFound):
            await store.metadata(key)
        with pytest.raises(NotFound):
            await read_stream(store.stream(key))


async def test_every_operation_refuses_a_key_when_it_is_malformed(store: BlobStore) -> None:
    for key in BAD_KEYS:
        calls = (store.put(key, b"", {}), store.get(key), store.metadata(key), store.delete(key))
        for call in (*calls, read_stream(store.stream(key))):
            with pytest.raises(InvalidInput):
                await call


async def test_list_refuses_a_prefix_when_no_key_can_start_so(store: BlobStore) -> None:
    for prefix in ("/", "../", "a/../", "a//", "a b", "a\0", "./"):
        with pytest.raises(InvalidInput):
            await keys(store, prefix)


async def test_delete_removes_only_the_object_when_others_lie_beside_and_below(
    store: BlobStore,
) -> None:
    await store.put_many([(key, b"x", {}) for key in ("a", "a/b", "a/b/c", "a/d/e")])
    await store.delete("a/b")
    assert await keys(store, "") == ["a", "a/b/c", "a/d/e"]
    await store.delete("a/d/e")
    await store.put("a/d/f", b"again", {})
    assert await store.get("a/d/f") == b"again"


async def test_delete_is_no_error_when_there_is_no_object(store: BlobStore) -> None:
    await store.delete("never/there")
    await store.put("a", b"", {})
    await store.delete("a")
    await store.delete("a")
    assert await keys(store, "") == []


async def test_list_is_in_key_order_when_names_sort_around_the_slash(store: BlobStore) -> None:
    unsorted = ["a/b", "a", "a-b/c", "a.b", "a/b-c", "a/b/c", "a0", "A", "=", "a+/x", "a@", "a_"]
    await store.put_many([(key, b"x", {}) for key in unsorted])
    assert await keys(store, "") == sorted(unsorted)
    assert await keys(store, "a") == sorted(key for key in unsorted if key.startswith("a"))
    assert await keys(store, "a/") == ["a/b", "a/b-c", "a/b/c"]
    assert await keys(store, "a/b/") == ["a/b/c"]
    assert await keys(store, "zz/") == []
    for after in (*unsorted, "a/", "a0x", "b"):
        assert await keys(store, "", after) == sorted(key for key in unsorted if key > after)
        assert await keys(store, "a/", after) == [
            key for key in ("a/b", "a/b-c", "a/b/c") if key > after
        ]


async def test_list_tells_size_and_time_when_objects_carry_metadata(store: BlobStore) -> None:
    await store.put("a", bytes(1234), {"name": "value"})
    (info,) = [info async for info in store.list("")]
    assert (info.key, info.size_bytes) == ("a", 1234)
    assert abs(datetime.now(UTC) - info.stored_at) < timedelta(minutes=5)


async def test_put_and_delete_lose_nothing_when_they_run_side_by_side(store: BlobStore) -> None:
    async def cycle(name: str) -> None:
        for n in range(10):
            await store.put(f"shared/folder/{name}-{n}", b"x", {})
            if n % 2:
                await store.delete(f"shared/folder/{name}-{n}")

    await asyncio.gather(*(cycle(f"w{n}") for n in range(6)))
    assert await keys(store, "") == [
        f"shared/folder/w{n}-{i}" for n in range(6) for i in range(0, 10, 2)
    ]


async def test_check_leaves_nothing_to_see_when_the_store_works(store: BlobStore) -> None:
    await store.check()
    await store.check()
    assert await keys(store, "") == []
