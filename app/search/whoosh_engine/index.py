"""The Whoosh engine: an index for each mailbox in a folder of its own, on this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from errno import EACCES, EDQUOT, EMFILE, ENFILE, ENOSPC, EROFS
from heapq import nlargest
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import UUID

from whoosh.filedb.filestore import FileStorage
from whoosh.index import FileIndex, LockError

from app.core.errors import Unavailable
from app.core.log import get_logger
from app.search.port import Document, Found, IndexBroken
from app.search.query import Node, is_text
from app.search.terms import read_terms
from app.search.whoosh_engine.codec import Key, key_of, read_key, time_of
from app.search.whoosh_engine.folders import Folders
from app.search.whoosh_engine.reader import MailboxReader, Span, hit_of, latest_commit
from app.search.whoosh_engine.readers import Readers
from app.search.whoosh_engine.writer import MailboxWriter

_READING_THREADS = 4
# What the machine refuses at the moment is no fault of the index.
_REFUSALS = (ENOSPC, EDQUOT, EROFS, EACCES, EMFILE, ENFILE)

_P = ParamSpec("_P")
_T = TypeVar("_T")

_log = get_logger("search")


@dataclass(slots=True)
class _Rebuild:
    """An index that is being built beside the one that is searched."""

    folder: Path
    removed: set[UUID] = field(default_factory=set)
    is_dropped: bool = False


class WhooshIndex:
    """`SearchIndex` on this machine's disk. One thread writes, a few read."""

    def __init__(self, folder: Path) -> None:
        self._folders = Folders(folder)
        self._readers = Readers()
        self._rebuilds: dict[UUID, _Rebuild] = {}
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="search-write")
        self._reading = ThreadPoolExecutor(_READING_THREADS, thread_name_prefix="search-read")

    async def put(self, documents: Sequence[Document]) -> None:
        await self._run(self._writing, self._put, documents)

    async def remove(self, mailbox_id: UUID, message_ids: Sequence[UUID]) -> None:
        await self._run(self._writing, self._remove, mailbox_id, message_ids)

    async def remove_mailbox(self, mailbox_id: UUID) -> None:
        await self._run(self._writing, self._remove_mailbox, mailbox_id)

    async def find(
        self,
        node: Node,
        mailbox_ids: Sequence[UUID],
        *,
        since: datetime | None = None,
        before: tuple[datetime, UUID] | None = None,
        limit: int | None = None,
    ) -> Found:
        if not is_text(node):
            raise ValueError(f"{node} is not for an engine")
        span = Span(time_of(since) if since else None, key_of(*before) if before else None)
        return await self._run(
            self._reading, self._find, node, tuple(dict.fromkeys(mailbox_ids)), span, limit
        )

    async def message_ids(self, mailbox_id: UUID) -> set[UUID]:
        return await self._run(self._reading, self._message_ids, mailbox_id)

    async def generation(self, mailbox_id: UUID) -> int:
        return await self._run(self._reading, self._generation, mailbox_id)

    async def rebuild(self, mailbox_id: UUID, documents: AsyncIterator[Sequence[Document]]) -> None:
        rebuild = await self._run(self._writing, self._start_rebuild, mailbox_id)
        try:
            async for batch in documents:
                await self._run(self._writing, self._add_to_rebuild, rebuild, batch)
            await self._run(self._writing, self._finish_rebuild, mailbox_id, rebuild)
        except BaseException:
            rebuild.is_dropped = True
            await self._run(self._writing, self._abandon_rebuild, mailbox_id, rebuild)
            raise

    async def broken(self) -> Sequence[UUID]:
        return await self._run(self._reading, self._folders.broken)

    async def close(self) -> None:
        """Waits for what is being written."""
        await asyncio.to_thread(self._writing.shutdown)
        await asyncio.to_thread(self._reading.shutdown)
        self._readers.close()

    async def _run(
        self, threads: ThreadPoolExecutor, work: Callable[_P, _T], *args: _P.args, **_: _P.kwargs
    ) -> _T:
        return await asyncio.get_running_loop().run_in_executor(threads, work, *args)

    # In the writing thread

    def _put(self, documents: Sequence[Document]) -> None:
        by_mailbox: dict[UUID, dict[UUID, Document]] = {}
        for document in documents:
            by_mailbox.setdefault(document.mailbox_id, {})[document.message_id] = document
        broken: list[IndexBroken] = []
        for mailbox_id, each in by_mailbox.items():
            try:
                self._put_into(mailbox_id, list(each.values()))
            except IndexBroken as error:
                broken.append(error)
        if broken:
            raise broken[0]

    def _put_into(self, mailbox_id: UUID, documents: Sequence[Document]) -> None:
        if rebuild := self._rebuilds.get(mailbox_id):
            _commit(rebuild.folder, documents, ())
        if (current := self._folders.current(mailbox_id)) is None:
            if rebuild:
                return
            if self._folders.exists(mailbox_id):
                raise self._broken(mailbox_id, "it was not built in this form yet")
            self._folders.start(mailbox_id)
            current = self._folders.finish(mailbox_id)
        self._write(mailbox_id, current, documents, ())

    def _remove(self, mailbox_id: UUID, message_ids: Sequence[UUID]) -> None:
        if rebuild := self._rebuilds.get(mailbox_id):
            rebuild.removed.update(message_ids)
            _commit(rebuild.folder, (), message_ids)
        if current := self._folders.current(mailbox_id):
            self._write(mailbox_id, current, (), message_ids)

    def _write(
        self,
        mailbox_id: UUID,
        folder: Path,
        documents: Sequence[Document],
        removed: Sequence[UUID],
    ) -> None:
        """While it is being rebuilt, a broken index is of no more interest."""
        try:
            with self._breaking(mailbox_id):
                if self._folders.is_broken(mailbox_id):
                    raise ValueError("a reader stumbled over it")
                _commit(folder, documents, removed)
        except IndexBroken:
            if mailbox_id not in self._rebuilds:
                raise

    def _remove_mailbox(self, mailbox_id: UUID) -> None:
        if rebuild := self._rebuilds.pop(mailbox_id, None):
            rebuild.is_dropped = True
        self._folders.remove(mailbox_id)

    def _start_rebuild(self, mailbox_id: UUID) -> _Rebuild:
        if mailbox_id in self._rebuilds:
            raise Unavailable("This mailbox's index is being rebuilt already.")
        rebuild = self._rebuilds[mailbox_id] = _Rebuild(self._folders.start(mailbox_id))
        return rebuild

    def _add_to_rebuild(self, rebuild: _Rebuild, documents: Sequence[Document]) -> None:
        if not rebuild.is_dropped:
            wanted = [each for each in documents if each.message_id not in rebuild.removed]
            _commit(rebuild.folder, wanted, ())

    def _finish_rebuild(self, mailbox_id: UUID, rebuild: _Rebuild) -> None:
        if not rebuild.is_dropped:
            self._folders.finish(mailbox_id)
            del self._rebuilds[mailbox_id]

    def _abandon_rebuild(self, mailbox_id: UUID, rebuild: _Rebuild) -> None:
        if self._rebuilds.get(mailbox_id) is rebuild:
            del self._rebuilds[mailbox_id]
            self._folders.abandon(mailbox_id)

    # In a reading thread

    def _find(
        self,
        node: Node,
        mailbox_ids: Sequence[UUID],
        span: Span,
        limit: int | None,
    ) -> Found:
        def find(reader: MailboxReader) -> list[Key]:
            return reader.find(node, span, limit)

        keys: list[Key] = []
        unsearched: list[UUID] = []
        for mailbox_id in mailbox_ids:
            try:
                keys += self._read(mailbox_id, find) or ()
            except IndexBroken:
                unsearched.append(mailbox_id)
        newest = sorted(keys, reverse=True) if limit is None else nlargest(limit, keys)
        return Found([hit_of(key) for key in newest], unsearched)

    def _message_ids(self, mailbox_id: UUID) -> set[UUID]:
        def read(reader: MailboxReader) -> set[UUID]:
            return {read_key(key)[1] for key in reader.all_keys()}

        return self._read(mailbox_id, read) or set()

    def _generation(self, mailbox_id: UUID) -> int:
        """Which time it was built, and how often it was written since."""
        if (folder := self._folders.current(mailbox_id)) is None:
            return 0
        return (int(folder.name.rpartition("-")[2]) << 32) + latest_commit(folder) + 1

    def _read(self, mailbox_id: UUID, read: Callable[[MailboxReader], _T]) -> _T | None:
        """None where no mail was put yet."""
        with self._breaking(mailbox_id):
            while folder := self._folders.current(mailbox_id):
                try:
                    with self._readers.reading(mailbox_id, folder) as reader:
                        return read(reader)
                except Exception:
                    if self._folders.current(mailbox_id) == folder:
                        raise
                    # It was rebuilt or removed meanwhile.
            if self._folders.is_building(mailbox_id):
                raise IndexBroken(mailbox_id, "it is being built for the first time")
            if self._folders.exists(mailbox_id):
                raise ValueError("it was not built in this form yet")
        return None

    @contextmanager
    def _breaking(self, mailbox_id: UUID) -> Iterator[None]:
        """Whatever goes wrong inside is the index's fault, and says that it has to be rebuilt."""
        try:
            yield
        except (IndexBroken, Unavailable, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _REFUSALS:
                raise Unavailable(f"The search index is out of reach: {error}") from error
            raise self._broken(mailbox_id, f"{type(error).__name__}: {error}") from error

    def _broken(self, mailbox_id: UUID, reason: str) -> IndexBroken:
        if not self._folders.is_broken(mailbox_id):
            _log.warning(
                "search.index", mailbox_id=str(mailbox_id), outcome="broken", reason=reason
            )
            self._folders.mark_broken(mailbox_id)
        return IndexBroken(mailbox_id, reason)


def _commit(folder: Path, documents: Sequence[Document], removed: Iterable[UUID]) -> None:
    """Raises `Unavailable` when another process writes the index, or the disk takes no more."""
    try:
        writer = MailboxWriter(FileIndex(FileStorage(str(folder))))
        try:
            writer.remove({*removed, *(document.message_id for document in documents)})
            for document in documents:
                key = key_of(document.received_at, document.message_id)
                writer.add(key, read_terms(document))
            writer.commit()
        finally:
            if not writer.is_closed:
                writer.cancel()
    except LockError as error:
        raise Unavailable("Another process writes this search index.") from error
    except OSError as error:
        if error.errno in _REFUSALS:
            raise Unavailable(f"The search index cannot be written now: {error}") from error
        raise
