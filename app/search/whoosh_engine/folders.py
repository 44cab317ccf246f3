"""Where the indexes lie: a folder for each mailbox, in it one for each time it was built.

    SEARCH/{mailbox_id}/1-00000002      format and number; the highest number is searched
    SEARCH/{mailbox_id}/building        a rebuild that is not complete
    SEARCH/broken/{mailbox_id}          somebody stumbled over this index: rebuild it

The files hold pickles: nobody else may write here, and none is ever taken from elsewhere.
"""

import contextlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from whoosh.fields import Schema
from whoosh.filedb.filestore import FileStorage
from whoosh.index import FileIndex

# To be raised whenever tokens, terms or segments change: what was built before is built again.
FORMAT = 1

_BUILT = re.compile(rf"{FORMAT}-(\d{{8}})")


class Folders:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def current(self, mailbox_id: UUID) -> Path | None:
        """The index to search; None where none was built in this format."""
        try:
            names = [path.name for path in self._of(mailbox_id).iterdir()]
        except FileNotFoundError:
            return None
        newest = max((name for name in names if _BUILT.fullmatch(name)), default=None)
        return self._of(mailbox_id) / newest if newest else None

    def exists(self, mailbox_id: UUID) -> bool:
        """Whether there is or was anything of the mailbox."""
        return self._of(mailbox_id).exists() or self._marker(mailbox_id).exists()

    def is_building(self, mailbox_id: UUID) -> bool:
        return (self._of(mailbox_id) / "building").exists()

    def start(self, mailbox_id: UUID) -> Path:
        """A new, empty index, not searched before it is finished. An earlier start is dropped."""
        building = self._of(mailbox_id) / "building"
        shutil.rmtree(building, ignore_errors=True)
        for folder in (self._folder, building.parent, building):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        FileIndex.create(FileStorage(str(building)), Schema())
        return building

    def finish(self, mailbox_id: UUID) -> Path:
        """What was started is searched from now on, and what was before it is gone."""
        mailbox = self._of(mailbox_id)
        built = [match for each in mailbox.iterdir() if (match := _BUILT.fullmatch(each.name))]
        number = max((int(match[1]) for match in built), default=0) + 1
        new = mailbox / f"{FORMAT}-{number:08}"
        (mailbox / "building").rename(new)
        for old in mailbox.iterdir():
            if old != new:
                shutil.rmtree(old, ignore_errors=True)
        self._marker(mailbox_id).unlink(missing_ok=True)
        return new

    def abandon(self, mailbox_id: UUID) -> None:
        """Drops what was started."""
        shutil.rmtree(self._of(mailbox_id) / "building", ignore_errors=True)

    def remove(self, mailbox_id: UUID) -> None:
        shutil.rmtree(self._of(mailbox_id), ignore_errors=True)
        self._marker(mailbox_id).unlink(missing_ok=True)

    def mark_broken(self, mailbox_id: UUID) -> None:
        with contextlib.suppress(OSError):  # a full disk: whoever meets the index next marks it
            self._marker(mailbox_id).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._marker(mailbox_id).touch()

    def is_broken(self, mailbox_id: UUID) -> bool:
        return self._marker(mailbox_id).exists()

    def broken(self) -> Sequence[UUID]:
        marked = self._folder / "broken"
        return [UUID(path.name) for path in marked.iterdir()] if marked.exists() else []

    def _of(self, mailbox_id: UUID) -> Path:
        return self._folder / str(mailbox_id)

    def _marker(self, mailbox_id: UUID) -> Path:
        return self._folder / "broken" / str(mailbox_id)
