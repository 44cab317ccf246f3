"""What only the form in the object store promises: uploads before answers, one number once."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from moto.server import ThreadedMotoServer
from spool_samples import START, NewMetadata, ReadAll, TurnedClock

from app.core.errors import InvalidInput, Unavailable
from app.core.ids import Ids
from app.core.secrets import Secret
from app.storage.blobs.folder import FolderBlobs
from app.storage.blobs.port import BlobInfo
from app.storage.blobs.s3 import S3Blobs
from app.storage.spool.blob_writer import BlobSpoolWriter
from app.storage.spool.forms import BlobSpool
from app.storage.spool.port import Position

FAR_FUTURE = START + timedelta(days=50_000)


class WatchedStore(FolderBlobs):
    """A real store that counts, holds uploads back, and fails on demand."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gate = asyncio.Event()
        self.gate.set()
        self.uploading = 0
        self.most_at_once = 0
        self.sizes: list[int] = []
        self.gets = 0
        self.listed = 0
        self.failing = 0
        self.fails_after_storing = False

    async def put(self, key: str, data: bytes, metadata: Mapping[str, str]) -> None:
        self.uploading += 1
        self.most_at_once = max(self.most_at_once, self.uploading)
        try:
            await self.gate.wait()
            self.sizes.append(len(data))
            if self.failing and not self.fails_after_storing:
                self.failing -= 1
                raise Unavailable("The object store is down.")
            await super().put(key, data, metadata)
            if self.failing:
                self.failing -= 1
                raise Unavailable("No answer came.")
        finally:
            self.uploading -= 1

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[BlobInfo]:
        async for info in super().list(prefix, after=after):
            self.listed += 1
            yield info

    async def get(self, key: str) -> bytes:
        self.gets += 1
        return await super().get(key)


@pytest.fixture
def store(tmp_path: Path) -> WatchedStore:
    return WatchedStore(tmp_path / "blobs")


@pytest.fixture
def spool(store: WatchedStore, clock: TurnedClock, ids: Ids) -> BlobSpool:
    return BlobSpool(store, "spool", clock, ids, max_upload_size_bytes=10_000, poll_seconds=0.02)


@pytest.fixture
async def writer(spool: BlobSpool) -> AsyncIterator[BlobSpoolWriter]:
    writer = await spool.open_writer("callback")
    yield writer
    await writer.close()


async def keys(store: FolderBlobs) -> list[str]:
    return [info.key async for info in store.list("")]


async def test_put_returns_only_after_the_upload(
    writer: BlobSpoolWriter, store: WatchedStore, new_metadata: NewMetadata
) -> None:
    store.gate.clear()
    put = asyncio.create_task(writer.put(new_metadata(), b"x"))
    async with asyncio.timeout(20):
        while not store.uploading:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert not put.done()
    store.gate.set()
    await put
    assert await keys(store) == [f"spool/{writer.producer}/0000000000000001"]


async def test_one_upload_is_in_flight_and_what_waits_goes_into_the_next(
    writer: BlobSpoolWriter, store: WatchedStore, new_metadata: NewMetadata
) -> None:
    store.gate.clear()
    puts = [asyncio.create_task(writer.put(new_metadata(), b"first"))]
    async with asyncio.timeout(20):
        while not store.uploading:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    puts += [asyncio.create_task(writer.put(new_metadata(), b"x")) for _ in range(20)]
    await asyncio.sleep(0)
    store.gate.set()
    await asyncio.gather(*puts)
    assert (store.most_at_once, len(store.sizes)) == (1, 2)


async def test_an_upload_stays_under_the_limit_unless_one_item_is_larger(
    writer: BlobSpoolWriter,
    spool: BlobSpool,
    store: WatchedStore,
    new_metadata: NewMetadata,
    read_all: ReadAll,
) -> None:
    sizes = [4000, 4000, 4000, 50_000, 1, 9000]
    await asyncio.gather(*(writer.put(new_metadata(), bytes(size)) for size in sizes))
    found = await read_all(await spool.open_reader())
    segments: dict[int, list[int]] = {}
    for item in found.items:
        segments.setdefault(item.position.segment, []).append(len(item.raw))
    assert list(segments.values()) == [[4000, 4000], [4000], [50_000], [1, 9000]]


@pytest.mark.parametrize("fails_after_storing", [False, True])
async def test_puts_fail_and_the_number_is_not_used_again_when_an_upload_fails(
    writer: BlobSpoolWriter,
    spool: BlobSpool,
    store: WatchedStore,
    new_metadata: NewMetadata,
    read_all: ReadAll,
    fails_after_storing: bool,
) -> None:
    await writer.put(new_metadata(), b"before")
    store.failing, store.fails_after_storing = 1, fails_after_storing
    outcomes = await asyncio.gather(
        *(writer.put(new_metadata(), b"lost") for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    reader = await spool.open_reader()
    found = await read_all(reader)
    await writer.put(new_metadata(), b"after")
    found = await read_all(reader, found)
    assert [(item.position.segment, item.raw) for item in found.items] == [(3, b"after")]


async def test_body_files_are_removed_whether_the_upload_succeeds_or_not(
    spool: BlobSpool, store: WatchedStore, new_metadata: NewMetadata
) -> None:
    writer = await spool.open_writer("callback")
    store.failing = 1
    for expected in (Unavailable, None):
        path = writer.new_body_file()
        await asyncio.to_thread(path.write_bytes, b"large")
        (outcome,) = await asyncio.gather(writer.put(new_metadata(), path), return_exceptions=True)
        assert (type(outcome) if outcome else None) is expected
        assert not await asyncio.to_thread(path.exists)
    await writer.close()
    assert not await asyncio.to_thread(path.parent.exists)


async def test_a_producer_has_a_new_name_at_each_start(spool: BlobSpool) -> None:
    writers = [await spool.open_writer("smtp") for _ in range(3)]
    assert len({writer.producer for writer in writers}) == 3
    for writer in writers:
        assert writer.producer.startswith("smtp-")
        await writer.close()


async def test_a_segment_is_fetched_once_when_it_is_read_in_parts(
    writer: BlobSpoolWriter,
    spool: BlobSpool,
    store: WatchedStore,
    new_metadata: NewMetadata,
    read_all: ReadAll,
) -> None:
    await asyncio.gather(*(writer.put(new_metadata(), b"x") for _ in range(50)))
    found = await read_all(await spool.open_reader(), max_items=5)
    assert (len(found.items), store.gets) == (50, 1)


async def test_a_damaged_segment_is_a_gap_and_stays(
    writer: BlobSpoolWriter,
    spool: BlobSpool,
    store: WatchedStore,
    new_metadata: NewMetadata,
    read_all: ReadAll,
) -> None:
    await asyncio.gather(*(writer.put(new_metadata(), b"%d" % n) for n in range(3)))
    await writer.put(new_metadata(), b"next")
    (key, _) = await keys(store)
    data = bytearray(await store.get(key))
    data[100] ^= 1
    await store.put(key, bytes(data), {})
    reader = await spool.open_reader()
    found = await read_all(reader)
    assert [item.raw for item in found.items] == [b"1", b"2", b"next"]
    assert len(found.gaps) == 1
    for expected in (1, 0):
        assert await reader.remove_read(found.all_positions(), [], FAR_FUTURE) == expected
    assert await keys(store) == [key]


async def test_objects_that_are_no_segments_are_passed_over(
    spool: BlobSpool, store: WatchedStore, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    for key in ("spool/note", "spool/a-1/.note", "spool/a-1/x/y", "spool-2/a-1/" + "0" * 16, "z"):
        await store.put(key, b"not ours", {})
    reader = await spool.open_reader()
    assert not await reader.wait([], 0)
    assert list(await reader.producers()) == []
    writer = await spool.open_writer("callback")
    await writer.put(new_metadata(), b"x")
    assert list(await reader.producers()) == [writer.producer]
    assert [item.raw for item in (await read_all(reader)).items] == [b"x"]
    await writer.close()


async def test_wait_sees_the_one_producer_that_has_more_among_many(
    spool: BlobSpool, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    writers = [await spool.open_writer("smtp") for _ in range(4)]
    for writer in writers:
        for _ in range(3):
            await writer.put(new_metadata(), b"x")
    reader = await spool.open_reader()
    for writer in writers:
        found = await read_all(reader)
        assert not await reader.wait(found.all_positions(), 0)
        await writer.put(new_metadata(), b"y")
        assert await reader.wait(found.all_positions(), 0)
        missing = [each for each in found.all_positions() if each.producer != writer.producer]
        assert await reader.wait(missing, 0)
    gone = Position(writers[0].producer, 99, 0)
    found = await read_all(reader)
    others = [each for each in found.all_positions() if each.producer != gone.producer]
    assert not await reader.wait([*others, gone], 0)
    for writer in writers:
        await writer.close()


async def test_a_look_leaps_over_what_was_read(
    spool: BlobSpool, store: WatchedStore, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    writers = [await spool.open_writer("smtp") for _ in range(2)]
    for writer in writers:
        for _ in range(20):
            await writer.put(new_metadata(), b"x")
        await writer.close()
    reader = await spool.open_reader()
    found = await read_all(reader)
    store.listed = 0
    assert not await reader.wait(found.all_positions(), 0)
    assert store.listed == 4, "the first and the last of each producer"


@pytest.mark.parametrize("prefix", ["../a", "a//b", "a b"])
async def test_a_prefix_that_is_no_key_is_refused(
    store: WatchedStore, clock: TurnedClock, ids: Ids, prefix: str
) -> None:
    spool = BlobSpool(store, prefix, clock, ids)
    with pytest.raises(InvalidInput):
        await spool.open_writer("smtp")
    with pytest.raises(InvalidInput):
        await spool.open_reader()


@pytest.mark.parametrize(("prefix", "name"), [("", "s3:spool"), ("/x/y/", "s3:x/y")])
async def test_the_name_tells_the_prefix(
    store: WatchedStore, clock: TurnedClock, ids: Ids, prefix: str, name: str
) -> None:
    assert (await BlobSpool(store, prefix, clock, ids).open_reader()).name == name


@pytest.fixture
def bucket() -> Iterator[S3Blobs]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    urlopen(Request(f"{endpoint}/mail", data=b"", method="PUT")).close()
    yield S3Blobs(
        "mail",
        region="us-east-1",
        endpoint_url=endpoint,
        access_key_id="key",
        secret_access_key=Secret("secret"),
    )
    server.stop()


async def test_items_come_back_from_a_bucket(
    bucket: S3Blobs, clock: TurnedClock, ids: Ids, new_metadata: NewMetadata, read_all: ReadAll
) -> None:
    spool = BlobSpool(bucket, "spool", clock, ids, poll_seconds=0.05)
    reader = await spool.open_reader()
    writers = [await spool.open_writer("smtp") for _ in range(2)]
    for n in range(3):
        await asyncio.gather(*(each.put(new_metadata(), b"%d" % n) for each in writers))
    found = await read_all(reader)
    assert sorted(item.raw for item in found.items) == [b"0", b"0", b"1", b"1", b"2", b"2"]
    assert await reader.load(found.items[0].position) == found.items[0]
    assert not await reader.wait(found.all_positions(), 0)
    assert await reader.remove_read(found.all_positions(), [], FAR_FUTURE) == 6
    for writer in writers:
        await writer.close()
