"""Open readers: each index at most once, and not more files than a process may have open."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from uuid import UUID

from app.search.whoosh_engine.reader import MailboxReader, latest_commit

MAX_OPEN_FILES = 400


@dataclass(slots=True)
class _Entry:
    lock: Lock = field(default_factory=Lock)
    reader: MailboxReader | None = None
    is_dropped: bool = False


class Readers:
    """Readers by mailbox; the least recently used are closed. For any number of threads."""

    def __init__(self, max_open_files: int = MAX_OPEN_FILES) -> None:
        self._max_open_files = max_open_files
        self._entries: OrderedDict[UUID, _Entry] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def reading(self, mailbox_id: UUID, folder: Path) -> Iterator[MailboxReader]:
        """The reader of the last commit in `folder`, for this thread alone.

        After any error inside, the index is opened anew the next time.
        """
        entry = self._take(mailbox_id)
        try:
            yield self._refresh(entry, folder)
        except BaseException:
            _close(entry)
            raise
        finally:
            entry.lock.release()
            self._close_oldest()

    def close(self) -> None:
        with self._lock:
            for entry in self._entries.values():
                with entry.lock:
                    entry.is_dropped = True
                    _close(entry)
            self._entries.clear()

    def _take(self, mailbox_id: UUID) -> _Entry:
        while True:
            with self._lock:
                entry = self._entries.setdefault(mailbox_id, _Entry())
                self._entries.move_to_end(mailbox_id)
            entry.lock.acquire()
            if not entry.is_dropped:
                return entry
            entry.lock.release()

    def _refresh(self, entry: _Entry, folder: Path) -> MailboxReader:
        reader = entry.reader
        if reader is not None and reader.folder != folder:
            _close(entry)
            reader = None
        if reader is None or reader.commit != latest_commit(folder):
            reader = entry.reader = MailboxReader(folder, reuse=reader)
        return reader

    def _close_oldest(self) -> None:
        with self._lock:
            weights = [
                (each, e.reader.weight if e.reader else 0) for each, e in self._entries.items()
            ]
            excess = sum(weight for _, weight in weights) - self._max_open_files
            for mailbox_id, weight in weights[:-1]:
                if excess <= 0:
                    break
                entry = self._entries[mailbox_id]
                if entry.lock.acquire(blocking=False):
                    entry.is_dropped = True
                    _close(entry)
                    del self._entries[mailbox_id]
                    entry.lock.release()
                    excess -= weight


def _close(entry: _Entry) -> None:
    if entry.reader is not None:
        entry.reader.close()
        entry.reader = None
