"""What only an engine on disk has to stand: damage, crashes, other processes, many mailboxes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from whoosh.filedb.filestore import FileStorage
from whoosh.index import FileIndex

from app.core.errors import Unavailable
from app.search.port import Document, Found, IndexBroken
from app.search.query import And, Node, Not, Phrase, Prefix, Word
from app.search.whoosh_engine import folders as folders_module
from app.search.whoosh_engine.index import WhooshIndex
from app.search.whoosh_engine.reader import MailboxReader
from app.search.whoosh_engine.readers import Readers
from app.search.whoosh_engine.writer import MAX_MERGED_DOCUMENTS, MailboxWriter

MAILBOX, TENANT = UUID(int=1), UUID(int=2)
START = datetime(2026, 1, 1, tzinfo=UTC)
ALL = Not(Word("missing"))


def document(number: int, text: str = "", mailbox_id: UUID = MAILBOX) -> Document:
    return Document(
        message_id=UUID(int=number + 1),
        tenant_id=TENANT,
        mailbox_id=mailbox_id,
        received_at=START + timedelta(minutes=number),
        subject=f"number {number}",
        sender_name="Anna",
        sender_address="anna@example.org",
        to="box@example.test",
        cc="",
        text=text or f"some common words and word{number} of {number % 7}",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "search"


@pytest.fixture
async def index(folder: Path) -> AsyncIterator[WhooshIndex]:
    index = WhooshIndex(folder)
    yield index
    await index.close()


async def count(index: WhooshIndex, node: Node = ALL, mailbox_id: UUID = MAILBOX) -> int:
    found = await index.find(node, [mailbox_id])
    assert not found.unsearched
    return len(found.hits)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o777


def segments(folder: Path) -> list[Path]:
    return sorted((folder / str(MAILBOX)).rglob("*.idx"))


async def batches(*batches: Sequence[Document]) -> AsyncIterator[Sequence[Document]]:
    for batch in batches:
        yield batch


async def test_merges_keep_every_document_once_and_segments_few(
    index: WhooshIndex, folder: Path
) -> None:
    kept = set(range(300))
    for number in range(300):
        await index.put([document(number)])
        if number % 3 == 0:
            await index.remove(MAILBOX, [document(number).message_id])
            kept.discard(number)
        if number % 11 == 0:
            await index.put([document(max(0, number - 7))])
            kept.add(max(0, number - 7))
    assert len(segments(folder)) <= 8 * 3
    ids = {document(number).message_id for number in kept}
    assert await index.message_ids(MAILBOX) == ids
    assert await count(index, Phrase(("some", "common", "words"))) == len(kept)
    for number in range(0, 300, 13):
        expected = int(number in kept)
        assert await count(index, Word(f"word{number}")) == expected, number
        assert await count(index, Phrase(("and", f"word{number}", "of"))) == expected
    assert await count(index, Prefix("word")) == len(kept)


async def test_segment_over_the_cap_is_never_rewritten(
    index: WhooshIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.search.whoosh_engine.writer.MAX_MERGED_DOCUMENTS", 50)
    assert MAX_MERGED_DOCUMENTS == 5000
    for start in range(0, 400, 20):
        await index.put([document(number) for number in range(start, start + 20)])
    sizes = [len(list(MailboxReader(path.parent).all_keys())) for path in segments(folder)[:1]]
    assert sizes == [400]
    assert len(segments(folder)) >= 8
    assert await count(index) == 400


async def test_segment_of_deleted_documents_is_dropped(index: WhooshIndex, folder: Path) -> None:
    await index.put([document(number) for number in range(100)])
    await index.remove(MAILBOX, [document(number).message_id for number in range(100)])
    await index.put([document(200)])
    assert len(segments(folder)) == 1
    assert await count(index) == 1


@pytest.mark.parametrize("damage", ["emptied", "cut", "overwritten", "gone", "list"])
async def test_damaged_index_is_told_and_rebuilt(
    index: WhooshIndex, folder: Path, damage: str
) -> None:
    await index.put([document(1), document(2)])
    (segment,) = segments(folder)
    if damage == "emptied":
        segment.write_bytes(b"")
    elif damage == "cut":
        os.truncate(segment, segment.stat().st_size - 1)
    elif damage == "overwritten":
        segment.write_bytes(b"\0" * segment.stat().st_size)
    elif damage == "gone":
        segment.unlink()
    else:
        for path in segment.parent.glob("*.toc"):
            path.write_bytes(b"\x80garbage")
    other = uuid4()
    await index.put([document(3, mailbox_id=other)])
    found = await index.find(Word("number"), [MAILBOX, other])
    assert [hit.message_id for hit in found.hits] == [document(3).message_id]
    assert found.unsearched == [MAILBOX]
    assert await index.broken() == [MAILBOX]
    with pytest.raises(IndexBroken) as raised:
        await index.put([document(4)])
    assert raised.value.mailbox_id == MAILBOX
    with pytest.raises(IndexBroken):
        await index.message_ids(MAILBOX)
    await index.rebuild(MAILBOX, batches([document(1)], [document(2), document(4)]))
    assert await index.broken() == []
    assert await count(index) == 3
    await index.put([document(5)])
    assert await count(index) == 4


async def test_put_of_several_mailboxes_stores_those_that_are_whole(
    index: WhooshIndex, folder: Path
) -> None:
    other = uuid4()
    await index.put([document(1)])
    segments(folder)[0].write_bytes(b"damaged")
    with pytest.raises(IndexBroken):
        await index.put([document(2), document(3, mailbox_id=other)])
    assert await count(index, mailbox_id=other) == 1


async def test_what_a_killed_writer_left_is_not_searched_and_goes(
    index: WhooshIndex, folder: Path
) -> None:
    """Killed before its list of segments was in place."""
    await index.put([document(1)])
    current = segments(folder)[0].parent
    writer = MailboxWriter(FileIndex(FileStorage(str(current))))
    writer.add((1 << 62, document(2).message_id.bytes), {"lost": [1]})
    writer._flush_segment()
    writer.writelock.release()
    assert len(segments(folder)) == 2
    assert await count(index, Word("lost")) == 0
    await index.put([document(3)])
    assert len(segments(folder)) == 2  # not three
    assert await count(index) == 2


async def test_rebuild_that_was_killed_leaves_the_old_index(
    index: WhooshIndex, folder: Path
) -> None:
    await index.put([document(1)])
    half = folders_module.Folders(folder).start(MAILBOX)
    assert half.exists()
    again = WhooshIndex(folder)
    assert await count(again) == 1
    await again.rebuild(MAILBOX, batches([document(1), document(2)]))
    assert not half.exists()
    assert await count(again) == 2
    assert await count(index) == 2  # a reader that had the old one open
    await again.close()


async def test_index_that_is_being_built_for_the_first_time_is_not_broken(
    index: WhooshIndex, folder: Path
) -> None:
    seen = []

    async def documents() -> AsyncIterator[Sequence[Document]]:
        yield [document(1)]
        seen.append(await index.find(ALL, [MAILBOX]))
        seen.append(await index.broken())
        await index.put([document(2)])

    await index.rebuild(MAILBOX, documents())
    assert seen == [Found([], [MAILBOX]), []]
    assert await count(index) == 2


async def test_index_of_another_format_is_rebuilt(
    index: WhooshIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index.put([document(1)])
    current = segments(folder)[0].parent
    current.rename(current.with_name("0-00000001"))
    found = await index.find(ALL, [MAILBOX])
    assert found.unsearched == [MAILBOX]
    with pytest.raises(IndexBroken):
        await index.put([document(2)])
    await index.rebuild(MAILBOX, batches([document(1), document(2)]))
    assert await count(index) == 2
    assert [path.name for path in (folder / str(MAILBOX)).iterdir()] == ["1-00000001"]


async def test_second_writer_waits_and_then_gives_up(
    index: WhooshIndex, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.search.whoosh_engine.writer._LOCK_TIMEOUT_SECONDS", 0.05)
    await index.put([document(1)])
    current = segments(folder)[0].parent
    writer = MailboxWriter(FileIndex(FileStorage(str(current))))
    with pytest.raises(Unavailable):
        await index.put([document(2)])
    writer.cancel()
    await index.put([document(2)])
    assert await count(index) == 2


async def test_full_disk_loses_nothing_and_breaks_nothing(
    index: WhooshIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index.put([document(1)])

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("app.search.whoosh_engine.codec.SegmentFile.write", refuse)
        with pytest.raises(Unavailable):
            await index.put([document(2)])
    assert await index.broken() == []
    await index.put([document(2)])
    assert await count(index) == 2


async def test_folders_are_private(index: WhooshIndex, folder: Path) -> None:
    await index.put([document(1)])
    assert mode(folder) == 0o700


async def test_generation_grows_with_commits_and_rebuilds(index: WhooshIndex) -> None:
    seen = [await index.generation(MAILBOX)]
    await index.put([document(1)])
    seen.append(await index.generation(MAILBOX))
    await index.remove(MAILBOX, [document(1).message_id])
    seen.append(await index.generation(MAILBOX))
    await index.rebuild(MAILBOX, batches([document(1)]))
    seen.append(await index.generation(MAILBOX))
    assert seen[0] == 0
    assert seen == sorted(set(seen))


async def test_mailbox_removed_while_it_is_rebuilt_does_not_come_back(
    index: WhooshIndex, folder: Path
) -> None:
    async def documents() -> AsyncIterator[Sequence[Document]]:
        yield [document(1)]
        await index.remove_mailbox(MAILBOX)
        yield [document(2)]

    await index.put([document(1)])
    await index.rebuild(MAILBOX, documents())
    assert await count(index) == 0
    assert not (folder / str(MAILBOX)).exists()


def test_open_files_are_bounded_however_many_mailboxes(tmp_path: Path) -> None:
    index = WhooshIndex(tmp_path)
    mailboxes = [UUID(int=number) for number in range(1, 31)]
    asyncio.run(index.put([document(1, mailbox_id=mailbox) for mailbox in mailboxes]))
    readers = Readers(max_open_files=5)
    located = folders_module.Folders(tmp_path)
    before = open_files()
    for mailbox in [*mailboxes, *mailboxes]:
        folder = located.current(mailbox)
        assert folder is not None
        with readers.reading(mailbox, folder) as reader:
            assert len(list(reader.all_keys())) == 1
        assert open_files() <= before + 5
    readers.close()
    assert open_files() == before
    asyncio.run(index.close())


WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_whoosh_engine import WhooshIndex, document

async def write() -> None:
    index = WhooshIndex(Path(sys.argv[1]))
    number = 0
    while True:
        await index.put([document(number)])
        print(number, flush=True)
        number += 1

asyncio.run(write())
"""


async def test_reader_follows_a_writer_in_another_process_until_it_is_killed(
    index: WhooshIndex, folder: Path
) -> None:
    """Whatever was said to be put is found at once and stays, and a next writer goes on."""
    writer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WRITER, str(folder), str(Path(__file__).parent)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert writer.stdout is not None
    last = -1
    while last < 60:
        last = int(await writer.stdout.readline())
        assert await count(index) > last
        assert await count(index, And((Word(f"word{last}"), Word("common")))) == 1
    writer.send_signal(signal.SIGKILL)
    rest = [int(line) for line in (await writer.stdout.read()).split()]
    await writer.wait()
    last = rest[-1] if rest else last
    ids = await index.message_ids(MAILBOX)
    assert {document(number).message_id for number in range(last + 1)} <= ids
    await index.put([document(1000)])
    assert await count(index) == len(ids) + 1
