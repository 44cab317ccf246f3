"""A folder of mails that were not sent, for a person at this machine to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from app.core.errors import NotFound
from app.core.ids import Ids

KEPT = 100


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One mail in the folder: its id, when it was put there, and its bytes (RFC 5322)."""

    id: UUID
    put_at: datetime
    raw: bytes


@dataclass(frozen=True, slots=True)
class Outbox:
    """One file for each mail, named by its id; the newest `KEPT` stay. Nobody else may read it."""

    folder: Path
    ids: Ids

    def put(self, raw: bytes) -> UUID:
        """Keeps a mail. Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        item_id = self.ids.new()
        path = self._path(item_id)
        partial = path.with_suffix(".part")
        partial.touch(mode=0o600)
        partial.write_bytes(raw)
        partial.rename(path)
        for surplus in self._paths()[KEPT:]:
            surplus.unlink(missing_ok=True)
        return item_id

    def list_newest(self) -> Sequence[OutboxItem]:
        """Every mail, newest first."""
        return [item for path in self._paths() if (item := _read(path))]

    def find(self, item_id: UUID) -> OutboxItem:
        """Raises `NotFound`."""
        item = _read(self._path(item_id))
        if item is None:
            raise NotFound("This mail is not in the outbox.")
        return item

    def _path(self, item_id: UUID) -> Path:
        return self.folder / f"{item_id}.eml"

    def _paths(self) -> Sequence[Path]:
        """Newest first: the ids begin with their time (RFC 9562, section 5.7)."""
        return sorted(self.folder.glob("*.eml"), reverse=True)


def _read(path: Path) -> OutboxItem | None:
    """None when it is gone, as another process may have dropped it."""
    try:
        return OutboxItem(
            UUID(path.stem), datetime.fromtimestamp(path.stat().st_mtime, UTC), path.read_bytes()
        )
    except (FileNotFoundError, ValueError):
        return None
